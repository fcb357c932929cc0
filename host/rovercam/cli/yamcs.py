"""yamcs export: a configuration folder for Yamcs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rovercam.cli.common import JsonOption, print_json

yamcs_app = typer.Typer(help="Hand over to Yamcs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(yamcs_app, name="yamcs")


@yamcs_app.callback()
def root() -> None:
    """Keeps `export` a word of its own while it is the only one."""


@yamcs_app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write etc/ and mdb/ to.")],
    unit: Annotated[list[int] | None, typer.Option("--unit", "-u", help="Units; 1 without any.")] = None,
    http: Annotated[int, typer.Option(help="Port of Yamcs's own web pages.")] = 8090,
    port: Annotated[int, typer.Option(help="First of the hand-over's ports, as in ground --yamcs-port.")] = 10016,
    json: JsonOption = False,
) -> None:
    """Write Yamcs's server, instance, links, streams, event texts and mission database."""
    from rovercam.dictionary import load
    from rovercam.yamcs.export import export as write

    written = write(folder, load(), unit or [1], http=http, first=port)
    if json:
        print_json([str(p) for p in written])
    else:
        for path in written:
            print(path)
        print(f"run `rovercam ground --port PORT --yamcs`, then `cd {folder} && yamcsd --etc-dir etc --data-dir data`")
