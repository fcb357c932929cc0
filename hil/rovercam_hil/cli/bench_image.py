"""`rovercam bench image`: our pictures beside other codecs'."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    from rovercam_hil.cli.bench import group_of

    group_of(app).command("image")(image)


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

    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder of pictures")
    pictures = bench.load(folder)
    if not pictures:
        raise typer.BadParameter(f"no picture of 8 to 2048 pixels a side in {folder} ({', '.join(bench.ENDINGS)})")
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
