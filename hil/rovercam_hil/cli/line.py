"""`rovercam line`: an impaired serial line between any two ports.

URL is a port or pyserial URL, pty:NAME for a pseudo-terminal made here, or tcp:PORT to listen on. What the first port
sends is the downlink.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("line", help=_help())(line)


def _help() -> str:
    from rovercam_hil.line import spec  # without NumPy: see rovercam_hil/line/__init__.py

    return f"{__doc__}\n\n{spec.__doc__}".replace("\n| ", "\n\n| ")


def line(
    first: Annotated[str, typer.Argument(metavar="URL", help="The unit's side.")],
    second: Annotated[str, typer.Argument(metavar="URL", help="The ground's side.")],
    spec: Annotated[str, typer.Option(help="key=value,…")] = "",
    baud: Annotated[
        int, typer.Option(help="Rate of the ports, and of the line unless the description says another.")
    ] = 115200,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counters as JSON at the end.")] = False,
) -> None:
    from rovercam_hil.boards.endpoint import Endpoint, EndpointError, open_endpoint
    from rovercam_hil.boards.serve import bridge, stopping
    from rovercam_hil.line import LineSpec, LineSpecError

    try:
        parsed = LineSpec.parse(spec, baud=baud)
    except LineSpecError as error:
        raise typer.BadParameter(str(error)) from None
    endpoints: list[Endpoint] = []
    with stopping() as stop:
        try:
            for url in (first, second):
                endpoints.append(open_endpoint(url, baud))
            print(f"line: {endpoints[0].name} <-> {endpoints[1].name}", flush=True)
            link = bridge(endpoints[0], endpoints[1], parsed, stop)
        except EndpointError as error:
            print(f"rovercam: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        finally:
            for endpoint in endpoints:
                endpoint.close()
    counts = {c.name: dataclasses.asdict(c.line.counters) for c in (link.down, link.up)}
    if as_json:
        print(json.dumps(counts))
    else:
        for name, values in counts.items():
            print(f"{name}: " + ", ".join(f"{v} {k}" for k, v in values.items() if v))
