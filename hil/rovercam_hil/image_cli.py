"""`rovercam image encode`: the firmware's encoder run in MicroPython. `app` has host's decode and info beside it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rovercam.image_cli import app

from rovercam_hil.image_encoder import ImageEncoder
from rovercam_hil.micropython.worker import MicroPythonError, MicroPythonMissing

__all__ = ["app"]


class Format(StrEnum):
    """Output of encode."""

    segments = "segments"
    c122 = "c122"


@app.command()
def encode(
    file: Annotated[Path, typer.Argument(metavar="IN", help="a picture; colour is turned to grey")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="layers OUT.0, OUT.1 …, or the stream OUT")],
    bpp: Annotated[float | None, typer.Option("--bpp", help="bits per pixel of thumbnail and base together")] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="with refinements down to lossless")] = False,
    quality: Annotated[int, typer.Option("--quality", help="16ths of a bit plane: 48 good, 80 coarse")] = 64,
    fmt: Annotated[Format, typer.Option("--format")] = Format.segments,
) -> None:
    """Encode a picture with the firmware's own code."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(file) as opened:
            picture = np.array(opened if opened.mode in ("L", "I;16") else opened.convert("L"))
    except OSError as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(1) from error
    if not (min(picture.shape) >= 8 and max(picture.shape) <= 2048):
        typer.echo(f"{file}: {picture.shape[1]}x{picture.shape[0]}; 8 to 2048 pixels a side are coded", err=True)
        raise typer.Exit(1)
    try:
        with ImageEncoder() as encoder:
            if fmt is Format.c122:
                limit = 0 if lossless or bpp is None else int(64 * 64 * bpp / 8)
                data = encoder.stream(picture, limit=limit)
                out.write_bytes(data)
                typer.echo(f"{out}: {len(data)} bytes, {8 * len(data) / picture.size:.3f} bits per pixel")
                return
            refine = 2 if lossless else 0
            if bpp is None:
                layers = encoder.slots(picture, quality=quality, refine=refine)
            else:
                layers = encoder.slots(picture, budget=int(picture.size * bpp / 8), survey=True, refine=refine)
    except MicroPythonMissing as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except MicroPythonError as error:
        typer.echo(error.traceback.strip().splitlines()[-1], err=True)
        raise typer.Exit(1) from error
    for n, data in enumerate(layers):
        target = out.with_name(f"{out.name}.{n}")
        if data:
            target.write_bytes(data)
            typer.echo(f"{target}: {len(data)} bytes, {8 * len(data) / picture.size:.3f} bits per pixel")
        else:
            target.unlink(missing_ok=True)
