"""`rovercam image decode | info | calibrate`. (`encode` runs the firmware's code and comes with rovercam[hil].)"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from rovercam.cli.common import JsonOption, print_json

SlotOption = Annotated[int, typer.Option("--slot", min=64, max=250, help="Slot size in bytes.")]


def group_of(app: typer.Typer) -> typer.Typer:
    """The group `image`, made when it is not there."""
    group = next((g.typer_instance for g in app.registered_groups if g.name == "image"), None)
    if group is None:
        group = typer.Typer(help="Picture files: encode, decode, what is in one.", no_args_is_help=True)
        app.add_typer(group, name="image")
    return group


def register(app: typer.Typer) -> None:
    group = group_of(app)
    for command in (decode, info, calibrate):
        group.command()(command)


def decode(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="NAME of NAME.0, NAME.1 …; one layer's file; or a .c122 stream")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG to write.")],
    lose: Annotated[
        float, typer.Option(min=0, max=1, help="Share of slots, drawn by --seed, to leave out; of a stream: its end.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the losses.")] = 1,
    slot: SlotOption = 200,
    confidence: Annotated[Path | None, typer.Option(help="PNG of the confidence mask to write: 0 … 252.")] = None,
    json: JsonOption = False,
) -> None:
    """Decode a picture from whatever of it is there."""
    import numpy as np
    from PIL import Image

    from rovercam import image_files
    from rovercam.protocol.imaging import EXACT, ImageError, c122

    try:
        if image_files.is_stream(file):
            data = file.read_bytes()
            array, header = c122.decode(data[: round(len(data) * (1 - lose))])
            mask = np.full(array.shape, EXACT if header.lossless else 2, np.uint8)
            found: dict[str, Any] = dataclasses.asdict(header)
        else:
            p = image_files.read(file, slot=slot, lose=lose, seed=seed)
            array, mask = p.picture(), p.confidence()
            found = dict(p.info())
            if not array.size:
                raise ImageError(f"{file}: no intact slot of {slot} bytes in it ({p.rejected} rejected); see --slot")
        Image.fromarray(array).save(out)
        if confidence:
            Image.fromarray((mask.astype(np.uint16) * 63).astype(np.uint8)).save(confidence)
    except (OSError, ImageError, ValueError) as error:  # ValueError: Pillow does not know the ending
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    if json:
        print_json({"file": str(out), **found})
    else:
        shown = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in found.items() if k not in ("width", "height"))
        typer.echo(f"{out}: {array.shape[1]}×{array.shape[0]}, {shown}")


def info(
    file: Annotated[Path, typer.Argument(metavar="IN", help="As of decode.")],
    slot: SlotOption = 200,
    json: JsonOption = False,
) -> None:
    """Say what a picture file holds."""
    from rovercam import image_files
    from rovercam.protocol.imaging import ImageError, c122

    try:
        if image_files.is_stream(file):
            found: dict[str, Any] = dataclasses.asdict(c122.decode(file.read_bytes())[1])
            found["bytes"] = file.stat().st_size
        else:
            found = dict(image_files.read(file, slot=slot).info())
            found["bytes"] = {str(n): p.stat().st_size for n, p in image_files.layer_files(file)}
    except (OSError, ImageError) as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    if json:
        print_json(found)
    else:
        for name, value in found.items():
            typer.echo(f"{name.replace('_', ' '):16} {value}")


def calibrate(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Table to write; `rovercam put OUT /t/camera0.cal`: mast.")
    ],
    dark: Annotated[list[Path], typer.Option(help="Picture with the lens covered; may be given several times.")],
    flat: Annotated[list[Path], typer.Option(help="Picture of an even surface; may be given several times.")],
    sigma: Annotated[float, typer.Option(min=3, help="How far beside the others a defective pixel lies.")] = 8,
) -> None:
    """Make a camera's correction table: dark level, flat field, defective pixels. Pictures as it takes them, uncorrected."""
    import numpy as np
    from PIL import Image

    from rovercam.calibration import table

    try:
        shots = [[np.array(Image.open(f).convert("L")) for f in files] for files in (dark, flat)]
        data = table(*shots, sigma=sigma)
        out.write_bytes(data)
    except (OSError, ValueError) as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    height, width = shots[0][0].shape
    typer.echo(f"{out}: for pictures of {width}×{height}, {len(data)} bytes")
