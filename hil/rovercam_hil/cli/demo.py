"""`rovercam demo`: the main job, end to end, with nothing attached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("demo", help=__doc__)(demo)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Write everything to --out and end.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for pictures, telemetry, recording and report.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 1,
    image: Annotated[Path | None, typer.Option(help="MicroPython UF2; by itself the pinned one is fetched.")] = None,
) -> None:
    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.demo import Demo, DemoFailed

    try:
        files = Demo(out, seed, image, say=typer.echo).run()
    except (BoardError, DemoFailed, OSError) as error:
        typer.echo(f"rovercam demo: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{len(files)} files in {out}; open {out / 'report.html'}")
