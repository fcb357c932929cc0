"""The landing platform: four legs, foil-wrapped body, deck, two rails down to the ground, and a flag.

Frame: origin on the ground under the middle, x to the right of the rails, y the way the rails point, z up. Sizes are
read off public pictures [?]: body about 2.5 m wide, deck 1.25 m above the ground.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from rovercam_hil.world.materials import Material as M
from rovercam_hil.world.mesh import (
    Mesh,
    bar,
    beam,
    box,
    cylinder,
    join,
    lathe,
    quad,
    rotation,
    soup,
    sphere,
    translation,
)

DECK = 1.22
"""Height of the deck above the ground, metres."""
RAIL_TRACK = 1.62
"""Distance between the middles of the two rails, metres: the rover's wheel track."""
RAIL_TOP = 1.30
"""Where the rails leave the deck: distance from the middle, metres."""
RAIL_FOOT = 4.10
"""Where the rails meet the ground: distance from the middle, metres."""
RAIL_WIDTH = 0.34


def rail_height(y: float) -> float:
    """Height of the rails' running surface above the platform's ground at distance `y` along them, metres."""
    if y <= RAIL_TOP:
        return DECK
    return max(DECK * (RAIL_FOOT - y) / (RAIL_FOOT - RAIL_TOP), 0.0)


def _leg(azimuth: float) -> Mesh:
    a = math.radians(azimuth)
    c, s = math.cos(a), math.sin(a)

    def p(r: float, side: float, z: float) -> tuple[float, float, float]:
        return (r * c - side * s, r * s + side * c, z)

    foot = p(2.15, 0, 0.10)
    pad = lathe([(0, 0.0), (0.20, 0.0), (0.27, 0.09), (0.25, 0.10), (0, 0.06)], M.METAL, 24).at(*p(2.15, 0, 0.0))
    return join(
        bar(p(1.18, 0, 1.02), p(1.75, 0, 0.44), 0.075, M.GOLD_FOIL, 14),
        bar(p(1.75, 0, 0.44), foot, 0.048, M.METAL, 12),
        bar(p(0.95, 0.55, 0.42), p(1.85, 0, 0.34), 0.035, M.METAL),
        bar(p(0.95, -0.55, 0.42), p(1.85, 0, 0.34), 0.035, M.METAL),
        sphere(0.075, M.METAL).at(*foot),
        pad,
    )


def _octagon(r_flat: float, cut: float, z: float) -> np.ndarray:
    """Square with cut corners as (8, 3)."""
    r, k = r_flat, r_flat - cut
    pts = [(r, -k), (r, k), (k, r), (-k, r), (-r, k), (-r, -k), (-k, -r), (k, -r)]
    return np.array([(x, y, z) for x, y in pts])


def _prism(lower: np.ndarray, upper: np.ndarray, side: M, top: M | None = None) -> Mesh:
    parts = []
    n = len(lower)
    for i in range(n):
        j = (i + 1) % n
        # Foil hangs in pillows: each face is split so that its part coordinates follow the wall.
        parts.append(quad(lower[i], lower[j], upper[j], upper[i], side))
    for ring, sign, m in ((upper, 1, top or side), (lower, -1, side)):
        c = ring.mean(axis=0)
        tri = [[c, ring[i], ring[(i + 1) % n]][::sign] for i in range(n)]
        parts.append(soup(np.array(tri), m))
    return join(*parts)


def _rail(side: float) -> Mesh:
    x = side * RAIL_TRACK / 2
    w = RAIL_WIDTH / 2
    top, foot = (RAIL_TOP - 0.12, DECK + 0.015), (RAIL_FOOT, 0.03)
    parts = []
    length = math.hypot(foot[0] - top[0], top[1] - foot[1])
    u = ((foot[0] - top[0]) / length, (foot[1] - top[1]) / length)
    for edge in (-w, w):
        parts.append(beam((x + edge, top[0], top[1]), (x + edge, foot[0], foot[1]), 0.045, 0.075, M.METAL))
    rungs = int(length / 0.105)
    for k in range(rungs + 1):
        d = k * length / rungs
        y, z = top[0] + u[0] * d, top[1] + u[1] * d - 0.02
        parts.append(box(2 * w, 0.055, 0.02, M.DARK_METAL).placed(translation(x, y, z) @ rotation("x", -23.5)))
    parts.append(
        box(2 * w + 0.06, 0.20, 0.03, M.METAL).placed(translation(x, foot[0] + 0.06, 0.03) @ rotation("x", -12))
    )
    parts.append(cylinder(0.05, 2 * w + 0.14, M.METAL).turned("y", 90).at(x, RAIL_TOP - 0.1, DECK - 0.02))
    return join(*parts)


def _flag() -> Mesh:
    """Flag of 0.96 × 0.64 m held open by a boom, gently waved; seen from both sides."""
    width, height, n = 0.96, 0.64, 14
    tri, uv = [], []
    for i in range(n):
        for j in range(6):
            cell = []
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                u, v = (i + a) / n, (j + b) / 6
                cell.append(((u * width, 0.025 * math.sin(5.5 * u + 1.2 * v), -v * height), (u, v, 0.0)))
            for k in ((0, 1, 2), (0, 2, 3)):
                tri.append([cell[m][0] for m in k])
                uv.append([cell[m][1] for m in k])
    cloth = soup(np.array(tri), M.FLAG)
    cloth = Mesh(cloth.corners, cloth.normals, np.array(uv), cloth.material)
    return join(
        cloth.at(0.03, 0, 0.92),
        bar((0, 0, -0.35), (0, 0, 0.95), 0.016, M.METAL),
        bar((0, 0, 0.93), (1.0, 0.0, 0.93), 0.010, M.METAL),
    )


@lru_cache(maxsize=1)
def platform_mesh(flag: bool = True) -> Mesh:
    """The platform in its own frame."""
    lower, middle, upper = _octagon(0.92, 0.42, 0.36), _octagon(1.22, 0.5, 0.62), _octagon(1.26, 0.5, 1.10)
    parts = [
        _prism(lower, middle, M.GOLD_FOIL),
        _prism(middle, upper, M.GOLD_FOIL),
        _prism(_octagon(1.30, 0.5, 1.10), _octagon(1.30, 0.5, 1.16), M.SILVER_FOIL, M.SILVER_FOIL),
        # Nozzle of the landing engine.
        lathe([(0.30, 0.16), (0.24, 0.26), (0.10, 0.40), (0.10, 0.42)], M.DARK_METAL, 24),
    ]
    for k in range(4):
        parts.append(_leg(45 + 90 * k))
    # Tanks show between the legs; boxes and thrusters on the walls.
    for k in range(4):
        a = math.radians(90 * k)
        c, s = math.cos(a), math.sin(a)
        if k != 1:
            parts.append(sphere(0.30, M.SILVER_FOIL, 20).at(1.12 * c, 1.12 * s, 0.66))
        for side in (-0.62, 0.62):
            px, py = 1.27 * c - side * s, 1.27 * s + side * c
            parts.append(box(0.16, 0.22, 0.20, M.WHITE).placed(translation(px, py, 0.86) @ rotation("z", 90 * k)))
            parts.append(cylinder(0.035, 0.14, M.DARK_METAL, top=0.02).at(px + 0.08 * c, py + 0.08 * s, 0.68))
    # Deck: two running boards in line with the rails, and low equipment between and beside them.
    for side in (-1, 1):
        parts.append(box(RAIL_WIDTH, 2.5, 0.05, M.METAL).at(side * RAIL_TRACK / 2, 0.0, DECK - 0.025))
        for k in range(16):
            parts.append(
                box(RAIL_WIDTH, 0.03, 0.012, M.DARK_METAL).at(side * RAIL_TRACK / 2, -1.2 + 0.16 * k, DECK + 0.004)
            )
        parts.append(_rail(side))
    parts += [
        box(0.5, 0.4, 0.14, M.WHITE).at(0.0, -0.72, DECK + 0.01),
        box(0.3, 0.3, 0.10, M.GOLD_FOIL).at(0.15, 0.35, DECK - 0.01),
        bar((-1.16, -0.9, DECK - 0.06), (-1.16, -0.9, DECK + 0.55), 0.014, M.WHITE),
        sphere(0.03, M.WHITE, 10).at(-1.16, -0.9, DECK + 0.56),
    ]
    if flag:
        # Outside the rover's wings; seen from the rails' side the stars are at the upper left.
        parts.append(_flag().placed(translation(-1.30, 0.25, DECK + 0.05) @ rotation("z", 172)))
        parts.append(beam((-1.1, 0.25, DECK - 0.1), (-1.32, 0.25, DECK - 0.1), 0.05, 0.05, M.METAL))
    return join(*parts)
