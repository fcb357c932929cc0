"""`rovercam orbit compare A B`: arguments, files and printing; the measuring is in `orbit_compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np

orbit = typer.Typer(help="Views of the site from orbit.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(orbit, name="orbit")


@orbit.callback()
def _orbit() -> None:
    """Views of the site from orbit."""


@orbit.command("compare")
def orbit_compare(
    a: Annotated[Path, typer.Argument(help="Earlier picture, north up.")],
    b: Annotated[Path, typer.Argument(help="Later picture of the same place, size and scale.")],
    scale: Annotated[float, typer.Option(help="Metres per pixel.")] = 0.3,
    out: Annotated[Path | None, typer.Option(help="Write a marked picture of what changed (PNG).")] = None,
    odometry: Annotated[float | None, typer.Option(help="Metres by wheel odometry, to compare with.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure how far and in which direction the rover moved between two pictures from orbit."""
    from rovercam_hil.world.orbit_compare import CompareError, compare

    if scale <= 0:
        _stop(f"--scale must be positive metres per pixel, not {scale}", 2)
    pictures = [_read(p) for p in (a, b)]
    try:
        result, moved = compare(pictures[0], pictures[1], scale)
    except CompareError as error:
        _stop(str(error), 1)
    if out is not None:
        marked(pictures[0], moved, result).save(out)
    if as_json:
        typer.echo(json.dumps({**result.as_dict(), "odometry": odometry}, indent=2))
        return
    typer.echo(f"moved      {result.displacement:.2f} m ± {result.displacement_uncertainty:.2f} m (95 %)")
    typer.echo(f"direction  {result.direction:.1f}° ± {result.direction_uncertainty:.1f}° from north over east")
    typer.echo(
        f"platform   rover at {result.range_a:.1f} m, {result.bearing_a:.0f}° in A; {result.range_b:.1f} m, {result.bearing_b:.0f}° in B"
    )
    typer.echo(
        f"registered {result.tiles} tiles, residual {result.residual:.2f} pixels, shift {result.shift[0]:.2f}, {result.shift[1]:.2f}"
    )
    if odometry is not None:
        off = odometry - result.displacement
        typer.echo(f"odometry   {odometry:.2f} m, {off:+.2f} m against the straight line from orbit")


def marked(a: np.ndarray, moved: np.ndarray, result: Any) -> Any:
    """Pillow image: A, B on A's pixels, and what changed, side by side, with platform and rover ringed."""
    import numpy as np
    from PIL import Image, ImageDraw

    from rovercam_hil.world.orbit_compare import enhance_tracks

    h, w = a.shape[:2]
    panels = [a, np.nan_to_num(moved, nan=0.0), enhance_tracks(a, moved)]
    sheet = Image.new("RGB", (3 * w + 8, h), "black")
    draw = ImageDraw.Draw(sheet)
    for k, panel in enumerate(panels):
        sheet.paste(Image.fromarray(np.clip(panel, 0, 255).astype(np.uint8)).convert("RGB"), (k * (w + 4), 0))
        rings = [(result.platform, "yellow")]
        if k != 1:
            rings.append((result.rover_a, "cyan"))
        if k != 0:
            rings.append((result.rover_b, "red"))
        for (column, y), colour in rings:
            x = column + k * (w + 4)
            draw.ellipse((x - 10, y - 10, x + 10, y + 10), outline=colour)
    return sheet


def _read(path: Path) -> np.ndarray:
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), dtype=float)
    except FileNotFoundError:
        _stop(f"{path}: no such file", 2)
    except (UnidentifiedImageError, OSError) as error:
        _stop(f"{path}: not a picture that can be read ({error})", 2)
    raise AssertionError("unreachable")


def _stop(message: str, code: int) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
