"""Surfaces of the bodies: one row per material, and the flag's picture."""

from __future__ import annotations

import math
from enum import IntEnum
from functools import lru_cache

import numpy as np


class Material(IntEnum):
    WHITE = 0
    GOLD_FOIL = 1
    SILVER_FOIL = 2
    BLACK = 3
    SOLAR_CELLS = 4
    WHEEL = 5
    FLAG = 6
    GLASS = 7
    METAL = 8
    RED = 9
    BLUE_GREY = 10
    WINDOW = 11
    DARK_METAL = 12
    ORANGE = 13
    TREAD = 14


# Linear albedo R, G, B; mirror share; gloss (Phong exponent); metal (mirror takes the albedo's colour);
# bump strength; bump wavelength (m); dust settled on upward faces; texture 0 none, 1 solar cells, 2 flag, 3 plate seams
_ROWS: dict[Material, tuple[float, ...]] = {
    Material.WHITE: (0.52, 0.515, 0.50, 0.04, 20, 0, 0.00, 0.10, 0.22, 0),
    Material.GOLD_FOIL: (0.78, 0.50, 0.16, 0.62, 45, 1, 0.42, 0.07, 0.10, 0),
    Material.SILVER_FOIL: (0.50, 0.49, 0.48, 0.55, 40, 1, 0.30, 0.09, 0.14, 0),
    Material.BLACK: (0.03, 0.03, 0.03, 0.05, 30, 0, 0.00, 0.10, 0.20, 0),
    Material.SOLAR_CELLS: (0.016, 0.020, 0.062, 0.08, 120, 0, 0.00, 0.10, 0.12, 1),
    Material.WHEEL: (0.46, 0.45, 0.43, 0.30, 25, 1, 0.05, 0.03, 0.30, 0),
    Material.FLAG: (0.70, 0.02, 0.02, 0.02, 10, 0, 0.10, 0.25, 0.05, 2),
    Material.GLASS: (0.01, 0.01, 0.015, 0.25, 300, 0, 0.00, 0.10, 0.05, 0),
    Material.METAL: (0.50, 0.49, 0.47, 0.35, 30, 1, 0.02, 0.05, 0.18, 0),
    Material.RED: (0.55, 0.05, 0.04, 0.04, 20, 0, 0.00, 0.10, 0.15, 0),
    Material.BLUE_GREY: (0.22, 0.27, 0.34, 0.08, 25, 0, 0.00, 0.10, 0.20, 0),
    Material.WINDOW: (0.05, 0.05, 0.06, 0.30, 250, 0, 0.00, 0.10, 0.10, 0),
    Material.DARK_METAL: (0.14, 0.14, 0.14, 0.25, 25, 1, 0.03, 0.05, 0.20, 0),
    Material.ORANGE: (0.60, 0.26, 0.06, 0.05, 20, 0, 0.05, 0.05, 0.15, 0),
    Material.TREAD: (0.34, 0.31, 0.28, 0.20, 20, 1, 0.05, 0.03, 0.45, 3),
}


@lru_cache(maxsize=1)
def table() -> np.ndarray:
    """Float array (material, 10) in the order of `Material`."""
    return np.array([_ROWS[m] for m in Material], dtype=np.float64)


@lru_cache(maxsize=1)
def flag_picture(height: int = 240) -> np.ndarray:
    """Linear RGB (height, 1.5 × height, 3) of a plain red flag with one large and four small yellow stars."""
    width = height * 3 // 2
    unit = height / 20.0  # the flag's construction grid: 30 × 20 units
    y, x = np.mgrid[0:height, 0:width] + 0.5
    picture = np.empty((height, width, 3))
    picture[:] = (0.70, 0.015, 0.02)
    cx, cy = 5 * unit, 5 * unit
    stars = [(cx, cy, 3 * unit, -math.pi / 2)]
    for sx, sy in ((10, 2), (12, 4), (12, 7), (10, 9)):
        px, py = sx * unit, sy * unit
        stars.append((px, py, unit, math.atan2(cy - py, cx - px)))  # one point towards the large star
    for px, py, radius, heading in stars:
        angle = (np.arctan2(y - py, x - px) - heading + math.pi / 5) % (2 * math.pi / 5) - math.pi / 5
        r = np.hypot(x - px, y - py)
        # Edge of a five-pointed star as a line from point (radius, 0) to notch (0.382 radius, 36 degrees).
        notch = 0.381966 * radius
        ax, ay = radius, 0.0
        bx, by = notch * math.cos(math.pi / 5), notch * math.sin(math.pi / 5)
        qx, qy = r * np.cos(np.abs(angle)), r * np.sin(np.abs(angle))
        inside = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax) > 0
        picture[inside & (r <= radius)] = (0.95, 0.72, 0.02)
    return picture
