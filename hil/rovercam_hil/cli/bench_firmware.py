"""`rovercam bench firmware`: cycles, heap and flash of the firmware on the emulated chip, against a budget."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer


def firmware(
    image: Annotated[Path | None, typer.Option(help="MicroPython UF2.")] = None,
    folder: Annotated[Path | None, typer.Option("--firmware", help="Firmware folder.")] = None,
    budget: Annotated[Path | None, typer.Option(help="Budget file; default: the one of this rovercam.")] = None,
    write: Annotated[bool, typer.Option("--write-budget", help="Make what is measured the new budget.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
) -> None:
    """Cycles per frame, packet, picture and command, heap and flash use; fails when a figure is 10 % beyond its budget."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import firmware as bench
    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.suite.bench import Options

    path = budget or bench.BUDGET
    try:
        figures = bench.measure(Options(image=str(image) if image else None, firmware=folder))
    except BoardError as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    known = bench.read_budget(path)
    rows = [(f.name, f.value, f.unit, known.get(f.name, "")) for f in figures]
    print_table("firmware on the emulated RP2040", ("what", "measured", "unit", "budget"), rows)
    if json is not None:
        json.write_text(
            jsonlib.dumps({f.name: {"value": f.value, "unit": f.unit} for f in figures}, indent=1, ensure_ascii=False)
        )
    if write:
        bench.write_budget(figures, path)
        typer.echo(f"budget written to {path}")
        return
    worse = bench.compare(figures, known)
    for line in worse:
        typer.echo(f"beyond its budget: {line}", err=True)
    if worse:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Into the group `bench`, which is made when it is not there."""
    group = next((g.typer_instance for g in app.registered_groups if g.name == "bench"), None)
    if group is None:
        group = typer.Typer(help="Measurements.", no_args_is_help=True)
        app.add_typer(group, name="bench")
    group.command("firmware")(firmware)
