"""`rovercam image encode`: the firmware's own encoder, run in MicroPython."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

LIMIT = 2048  # pixels a side


class Format(StrEnum):
    """Output of encode."""

    segments = "segments"
    c122 = "c122"


def register(app: typer.Typer) -> None:
    from rovercam.cli.image import group_of

    group_of(app).command()(encode)


def encode(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="A picture: 8 bits, or grey up to 12 bits; colour becomes grey.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Layers OUT.0, OUT.1, …, or the stream OUT.")],
    bpp: Annotated[float | None, typer.Option(min=0.05, max=16, help="Bits per pixel, headers included.")] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Every pixel exact in the end.")] = False,
    quality: Annotated[
        int, typer.Option(min=0, max=176, help="Without --bpp: 16ths of a bit plane, 48 good, 80 coarse.")
    ] = 64,
    fmt: Annotated[Format, typer.Option("--format", help="Our layers of slots, or a CCSDS 122.0-B-2 stream.")] = (
        Format.segments
    ),
    on_board: Annotated[
        bool,
        typer.Option("--on-board", help="On the emulated Pico, though the unix port is there; slower, any system."),
    ] = False,
) -> None:
    """Encode a picture with the firmware's own code."""
    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.image_encoder import open_encoder
    from rovercam_hil.micropython.worker import MicroPythonError

    try:
        picture = _read(file)
        with open_encoder(on_board=on_board) as encoder:
            if fmt is Format.c122:
                limit = 0 if lossless or bpp is None else int(64 * 64 * bpp / 8)
                layers = {out: encoder.stream(picture, limit=limit)}
            else:
                refine = 2 if lossless else 0
                made = (
                    encoder.slots(picture, quality=quality, refine=refine)
                    if bpp is None
                    else encoder.slots(picture, budget=int(picture.size * bpp / 8), survey=True, refine=refine)
                )
                layers = {out.with_name(f"{out.name}.{n}"): data for n, data in enumerate(made)}
        for target, data in layers.items():
            if data:
                target.write_bytes(data)
                typer.echo(f"{target}: {len(data)} bytes, {8 * len(data) / picture.size:.3f} bits per pixel")
            else:
                target.unlink(missing_ok=True)  # a layer of an earlier picture of this name
    except MicroPythonError as error:
        typer.echo(f"rovercam: {error.traceback.strip().splitlines()[-1]}", err=True)
        raise typer.Exit(1) from None
    except (OSError, ValueError, BoardError) as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None


def _read(file: Path) -> np.ndarray:
    """Grey pixels, uint8 or uint16 up to 4095. Raises OSError, ValueError with what the encoder takes."""
    import numpy as np
    from PIL import Image

    with Image.open(file) as opened:
        picture = np.array(opened if opened.mode in ("L", "I;16", "I") else opened.convert("L"))
    height, width = picture.shape
    if not (8 <= width <= LIMIT and 8 <= height <= LIMIT):
        raise ValueError(f"{file}: {width}×{height} pixels; 8 to {LIMIT} a side are coded")
    if picture.dtype != np.uint8:
        if picture.max() > 4095 or picture.min() < 0:
            raise ValueError(f"{file}: grey levels up to {picture.max()}; 12 bits, 0 to 4095, are coded")
        picture = picture.astype(np.uint16)
    return picture
