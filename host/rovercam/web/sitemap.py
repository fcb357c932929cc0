"""The view from orbit under the traverse: a picture, how large its pixels are, and where in it the unit's pose began."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from rovercam.station.core import StationError

LARGEST = 4096
"""Longest side that browsers are given, in pixels; larger pictures are made smaller."""
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMap:
    """north is up. scale: metres per pixel. site: pixels right and down of the picture's upper left corner (not of its
    first pixel's middle) at which position_x and position_y are 0."""

    data: bytes
    media_type: str
    width: int
    height: int
    scale: float
    site: tuple[float, float]

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """West, south, east, north, in metres from where the pose was set."""
        x, y = self.site
        return (-x * self.scale, (y - self.height) * self.scale, (self.width - x) * self.scale, y * self.scale)


def load(file: Path, scale: float | None = None, site: tuple[float, float] | None = None) -> SiteMap:
    """Of a picture file, and for what is not given of the world file beside it. Raises StationError, saying what is missing."""
    if scale is None or site is None:
        known = _world(file)
        scale, site = scale or known[0], site or known[1]
    if not 1e-4 <= scale <= 1e4:
        raise StationError(f"{scale:g} m per pixel: 0.0001 to 10000 are taken")
    try:
        with Image.open(file) as image:
            kind, (width, height) = image.format or "", image.size
            if kind in FORMATS and max(width, height) <= LARGEST:
                image.verify()
                return SiteMap(
                    data=file.read_bytes(), media_type=FORMATS[kind], width=width, height=height, scale=scale, site=site
                )
        with Image.open(file) as image:
            small = image.convert("L" if image.mode in ("1", "L", "I", "I;16", "F", "LA") else "RGB")
            small.thumbnail((LARGEST, LARGEST))
            packed = io.BytesIO()
            small.save(packed, "PNG")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise StationError(f"{file}: no picture that can be a map: {error}") from error
    less = width / small.width
    return SiteMap(
        data=packed.getvalue(),
        media_type=FORMATS["PNG"],
        width=small.width,
        height=small.height,
        scale=scale * less,
        site=(site[0] / less, site[1] / less),
    )


def _world(file: Path) -> tuple[float, tuple[float, float]]:
    """Scale and site by the world file of GIS programs (six numbers: A D B E C F), its metres counting from the site."""
    letters = file.suffix[1:]
    names = [file.with_suffix(f".{letters[:1]}{letters[-1:]}w"), file.with_suffix(".wld"), Path(f"{file}w")]
    found = next((n for n in names if letters and n.is_file()), None)
    if found is None:
        raise StationError(
            f"how large the pixels of {file} are is not known: --map-scale and --map-site, or {names[0].name}"
        )
    try:
        right, turn, tilt, down, x, y = map(float, found.read_text(encoding="utf-8").split())
    except ValueError as error:
        raise StationError(f"{found}: six numbers are needed ({error})") from error
    if turn or tilt or not right > 0 or abs(right + down) > 1e-3 * right:
        raise StationError(f"{found}: north has to be up and pixels square")
    return right, (0.5 - x / right, 0.5 - y / down)
