"""`rovercam demo`: the Zhurong mission, flown and asserted, with nothing attached."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

SOLS = 3
"""Sols the mission is awake on at most: 8, 18, and the days of driving with the two views from orbit."""


def register(app: typer.Typer) -> None:
    app.command("demo", help=__doc__)(demo)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Write everything to --out and end.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for pictures, telemetry, recording and report.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Everything random follows from it.", min=0)] = 1,
    sols: Annotated[
        int,
        typer.Option(help="How much of it: 1 landing site and roll-off, 2 and the portraits, 3 all.", min=1, max=SOLS),
    ] = SOLS,
    speed: Annotated[
        float, typer.Option(help="At most so many times as fast as the wall clock; 0 as fast as it goes.", min=0.0)
    ] = 0.0,
    wheels: Annotated[
        bool,
        typer.Option("--all-wheels", help="Every drive by the unit's own wheels, not only the decisive ones (slow)."),
    ] = False,
    distance: Annotated[float, typer.Option(help="Wanted metres from platform to release point.")] = 10.0,
    native: Annotated[
        bool,
        typer.Option(
            "--native", help="The units run without chips, as programs of this computer: in under two minutes."
        ),
    ] = False,
    contacts: Annotated[
        Path | None, typer.Option(help="Contact plan (TOML) for the portrait's way from rover to orbiter to earth.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="MicroPython UF2; by itself the pinned one is fetched.")] = None,
) -> None:
    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.mission.checks import MissionFailed
    from rovercam_hil.mission.run import fly
    from rovercam_hil.relay.contacts import PlanError
    from rovercam_hil.world.framing import FramingError

    try:
        fly(
            out,
            seed,
            image,
            say=typer.echo,
            sols=sols,
            pace=speed,
            all_wheels=wheels,
            distance=distance,
            contacts=contacts,
            native=native,
        )
    except (BoardError, MissionFailed, FramingError, PlanError, OSError) as error:
        typer.echo(f"rovercam demo: {error}", err=True)
        raise typer.Exit(1) from None
    if sols < SOLS:
        return
    report = out / "report.html"
    typer.echo(f"the mission report: {report}")
    if not headless:
        webbrowser.open(report.resolve().as_uri())
