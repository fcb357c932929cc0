"""`rovercam bench image`: our pictures beside other codecs'; `rovercam bench startup`: the coder's table."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np


def register(app: typer.Typer) -> None:
    from rovercam_hil.cli.bench import group_of

    group_of(app).command("image")(image)
    group_of(app).command("startup")(startup)


def image(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures; colour is turned to grey.")],
    peers: Annotated[bool, typer.Option(help="Beside JPEG, JPEG 2000, JPEG XL, JPEG-LS, PNG (imagecodecs).")] = True,
    on_board: Annotated[
        bool, typer.Option("--on-board", help="Also time the encoder on the emulated Pico, pictures up to VGA.")
    ] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write every figure here.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write an SVG here.")] = None,
) -> None:
    """Rate and distortion, packet loss, lossless size and speed on a folder of pictures; means over them."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import image as bench
    from rovercam_hil.bench import image_peers, image_report
    from rovercam_hil.micropython.worker import MicroPythonMissing

    pictures = _load(folder)
    if peers and not image_peers.lossy():
        typer.echo("no imagecodecs here, so no peers: pip install imagecodecs", err=True)
    try:
        result = bench.run(pictures, peers=peers, on_board=on_board, progress=lambda name: typer.echo(name, err=True))
    except MicroPythonMissing as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    for title, heads, rows in image_report.tables(result):
        print_table(f"{title}; {len(pictures)} pictures", heads, rows)
    if json is not None:
        json.write_text(jsonlib.dumps(image_report.as_json(result), indent=1), encoding="utf-8")
    if plot is not None:
        image_report.write_svg(result, plot)


def _load(folder: Path) -> dict[str, np.ndarray]:
    from rovercam_hil.bench import image as bench

    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder of pictures")
    pictures = bench.load(folder)
    if not pictures:
        raise typer.BadParameter(f"no picture of 8 to 2048 pixels a side in {folder} ({', '.join(bench.ENDINGS)})")
    return pictures


def startup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures; colour is turned to grey.")],
    write: Annotated[
        bool, typer.Option("--write", help="Make what was learned the table, of ground and board.")
    ] = False,
) -> None:
    """Learn what the picture coder's contexts start with, and try on each picture what the others taught."""
    from rovercam import dictionary
    from rovercam.cli.common import print_table
    from rovercam.dictionary import generate

    from rovercam_hil.bench import startup as bench
    from rovercam_hil.micropython.worker import MicroPythonMissing

    try:
        table, trials = bench.run(_load(folder), lambda text: typer.echo(text, err=True))
    except MicroPythonMissing as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    rows = [[t.picture, f"{t.flat:.3f}", f"{t.others:.3f}", f"{t.present:.3f}"] for t in trials]
    print_table(
        "lossless, bits per pixel, by what the contexts start with",
        ["picture", "all even", "learned from the others", "as it is"],
        rows,
    )
    if write:
        generate.STARTUP.write_text(bench.source(table), encoding="utf-8")
        generate.write_all(dictionary.load(), generate.STARTUP.parents[4])
