"""`rovercam image decode` and `info`. (`encode` runs the firmware's code and comes with rovercam[hil].)"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from rovercam import image_files
from rovercam.protocol.imaging import ImageError, c122

app = typer.Typer(help="Pictures: encode, decode, what is in a file.", no_args_is_help=True)


def _is_stream(path: Path) -> bool:
    # a CCSDS 122 stream begins with the first segment's flag and parts 2-4 announced
    with path.open("rb") as f:
        head = f.read(3)
    return len(head) == 3 and bool(head[0] & 0x80) and head[2] & 7 == 7


def _fail(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)


@app.command()
def decode(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="NAME of NAME.0, NAME.1 …; one layer file; or a .c122 stream")
    ],
    out: Annotated[Path, typer.Option("--out", help="PNG to write")],
    lose: Annotated[
        float, typer.Option("--lose", min=0, max=1, help="share of slots (of a stream: of its end) to leave out")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed")] = 1,
    slot: Annotated[int, typer.Option("--slot", help="slot size in bytes")] = image_files.SLOT,
    confidence: Annotated[Path | None, typer.Option("--confidence", help="PNG of the confidence mask")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Decode a picture from whatever of it is there."""
    import numpy as np
    from PIL import Image

    info: dict[str, object]
    try:
        if file.is_file() and _is_stream(file):
            data = file.read_bytes()
            array, header = c122.decode(data[: round(len(data) * (1 - lose))])
            mask = np.full(array.shape, 2, np.uint8)
            info = dataclasses.asdict(header)
        else:
            p = image_files.read(file, slot=slot, lose=lose, seed=seed)
            array, mask = p.picture(), p.confidence()
            info = dict(p.info())
            if not array.size:
                raise ImageError(f"{file}: no intact slot of {slot} bytes in it ({p.rejected} rejected)")
    except (OSError, ImageError) as error:
        raise _fail(str(error)) from error
    Image.fromarray(array).save(out)
    if confidence:
        Image.fromarray((mask.astype(np.uint16) * 63).astype(np.uint8)).save(confidence)
    typer.echo(json.dumps(info) if as_json else f"{out}: {array.shape[1]}x{array.shape[0]}, " + _words(info))


def _words(info: dict[str, object]) -> str:
    return ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in info.items() if k not in ("width", "height"))


@app.command()
def info(
    file: Annotated[Path, typer.Argument(metavar="IN")],
    slot: Annotated[int, typer.Option("--slot", help="slot size in bytes")] = image_files.SLOT,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Say what a picture file holds."""
    try:
        if file.is_file() and _is_stream(file):
            found: dict[str, object] = dataclasses.asdict(c122.decode(file.read_bytes())[1])
        else:
            found = dict(image_files.read(file, slot=slot).info())
            found["bytes"] = {n: p.stat().st_size for n, p in image_files.layer_files(file)}
    except (OSError, ImageError) as error:
        raise _fail(str(error)) from error
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{k:16} {v}" for k, v in found.items()))
