"""`rovercam demo`: the Zhurong mission, flown and asserted, with nothing attached."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("demo", help=__doc__)(demo)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Write everything to --out and end.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for pictures, telemetry, recording and report.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Everything random follows from it.", min=0)] = 1,
    image: Annotated[Path | None, typer.Option(help="MicroPython UF2; by itself the pinned one is fetched.")] = None,
) -> None:
    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.mission.checks import MissionFailed
    from rovercam_hil.mission.run import fly
    from rovercam_hil.world.framing import FramingError

    try:
        fly(out, seed, image, say=typer.echo)
    except (BoardError, MissionFailed, FramingError, OSError) as error:
        typer.echo(f"rovercam demo: {error}", err=True)
        raise typer.Exit(1) from None
    report = out / "report.html"
    typer.echo(f"the mission report: {report}")
    if not headless:
        webbrowser.open(report.resolve().as_uri())
