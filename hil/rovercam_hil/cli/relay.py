"""`rovercam relay`: an orbiter between a rover's line and Earth's, as a process of its own: stores and forwards by a contact plan.

URL is a port or pyserial URL, pty:NAME for a pseudo-terminal made here, or tcp:PORT to listen on.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rovercam_hil.relay.contacts import Plan
    from rovercam_hil.relay.node import Way

ROUTE = ("rover", "orbiter", "earth")


def register(app: typer.Typer) -> None:
    app.command("relay", help=__doc__)(relay)


def relay(
    rover: Annotated[str, typer.Argument(metavar="ROVER", help="The line to the unit.")],
    earth: Annotated[str, typer.Argument(metavar="EARTH", help="The line to the ground station.")],
    contacts: Annotated[
        Path,
        typer.Option(help="Contact plan (TOML): contacts rover to orbiter and orbiter to earth; they serve both ways."),
    ],
    at: Annotated[
        str,
        typer.Option(
            help="What time of the plan it is now: a date-time, or seconds as in the plan. By itself the clock's."
        ),
    ] = "",
    store: Annotated[
        Path, typer.Option(help="Folder that keeps what is under way; a killed relay goes on with it.")
    ] = Path("relay-store"),
    seed: Annotated[int, typer.Option(help="Of the losses.")] = 1,
    baud: Annotated[int, typer.Option(help="Rate of the ports.")] = 115200,
) -> None:
    from rovercam_hil.boards.endpoint import Endpoint, EndpointError, open_endpoint
    from rovercam_hil.boards.serve import PAUSE_S, stopping
    from rovercam_hil.relay.contacts import PlanError, load
    from rovercam_hil.relay.node import Way, mirrored

    offset = (_time(at) if at else time.time()) - time.time()
    endpoints: list[Endpoint] = []
    with stopping() as stop:
        try:
            plan = load(contacts, set(ROUTE))
            now = time.time() + offset
            if all(c.end <= now for c in plan.contacts):
                raise PlanError(
                    f"contact plan {contacts}: every contact is over; --at says what time of the plan it is now"
                )
            down = Way(ROUTE, plan, store / "down", now, seed)
            back: tuple[str, ...] = ROUTE[::-1]
            up = Way(back, mirrored(plan, ROUTE), store / "up", now, seed)
            for url in (rover, earth):
                endpoints.append(open_endpoint(url, baud))
            unit, ground = endpoints
            print(f"relay: {unit.name} <-> {ground.name}", flush=True)
            if down.under_way or up.under_way:
                print(f"going on with what {store} has kept: {down}; {up}", flush=True)
            changes = sorted({t for c in plan.contacts for t in (c.start, c.end) if t > now})
            while not stop():
                now = time.time() + offset
                for way, source, target in ((down, unit, ground), (up, ground, unit)):
                    data = source.read()
                    if data:
                        way.hear(data, now)
                    data = way.ready(now)
                    if data:
                        target.write(data)
                    else:
                        target.flush()
                while changes and changes[0] <= now:
                    print(_said(plan, changes.pop(0), down, up), flush=True)
                time.sleep(PAUSE_S)
        except (EndpointError, PlanError, OSError) as error:
            print(f"rovercam: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        finally:
            for endpoint in endpoints:
                endpoint.close()
    print(f"{down}\n{up}")


def _said(plan: Plan, time_of_plan: float, down: Way, up: Way) -> str:
    """What begins or ends at a moment of the plan, and who has what."""
    words = [f"{c.source} to {c.target} begins" for c in plan.contacts if c.start == time_of_plan]
    words += [f"{c.source} to {c.target} ends" for c in plan.contacts if c.end == time_of_plan]
    return f"{', '.join(words)}: {down}; {up}"


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise typer.BadParameter(f"--at {text}: expected a date-time (2021-07-11T12:00:00+00:00) or seconds") from None
