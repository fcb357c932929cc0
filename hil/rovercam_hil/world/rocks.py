"""Rocks by the size-frequency law of Golombek and Rapp, as angular stones half sunk in the ground.

The law (J. Geophys. Res. 102 (1997) 4117): the cumulative fraction of the ground covered by rocks of diameter D or more
is F(D) = k exp(-q D) with q = 1.79 + 0.152 / k, k being the total rock abundance. Covered area divided by the area of
one rock gives the number density used here: dN/dD = -F'(D) / (pi D^2 / 4).

Placement is by size class and tile, hashed with the seed: any camera position gets the same stones without storing them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from rovercam_hil.world.terrain import Terrain

ABUNDANCE = 0.022
"""k of the law: total share of the ground covered; the site is smooth, with few rocks."""

# Size class: smallest and largest diameter (m), side of a tile (m), drawn within this distance (m).
CLASSES = (
    (0.012, 0.030, 2.0, 4.0),
    (0.030, 0.08, 4.0, 8.0),
    (0.08, 0.22, 8.0, 45.0),
    (0.22, 0.60, 32.0, 160.0),
    (0.60, 2.00, 128.0, 700.0),
)
_CLEAR_RADIUS = 3.6  # m: nothing large under the platform
_SHAPES = 24


def covered(diameter: float | np.ndarray, k: float = ABUNDANCE) -> np.ndarray:
    """Fraction of the ground covered by rocks of at least `diameter` metres."""
    return k * np.exp(-(1.79 + 0.152 / k) * np.asarray(diameter, dtype=float))


def density(lo: float, hi: float, k: float = ABUNDANCE) -> float:
    """Rocks per square metre with diameters between `lo` and `hi` metres."""
    d = np.geomspace(lo, hi, 400)
    q = 1.79 + 0.152 / k
    return float(np.trapezoid(k * q * np.exp(-q * d) / (math.pi * d * d / 4), d))


@lru_cache(maxsize=16)
def _inverse(lo: float, hi: float, k: float) -> tuple[np.ndarray, np.ndarray]:
    d = np.geomspace(lo, hi, 400)
    q = 1.79 + 0.152 / k
    rate = np.exp(-q * d) / d**2
    cumulative = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(d))])
    return cumulative / cumulative[-1], d


def _icosphere(subdivisions: int) -> tuple[np.ndarray, np.ndarray]:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    return np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int32)


@lru_cache(maxsize=4)
def _shapes(faces: int) -> tuple[np.ndarray, np.ndarray]:
    """`_SHAPES` stones of unit diameter: (shape, vertex, 3) and the common faces. Cut by random planes, so they have facets."""
    directions, triangles = _icosphere({20: 0, 80: 1, 320: 2}[faces])
    rng = np.random.default_rng(0x570E)
    stones = []
    for _ in range(_SHAPES):
        normals = rng.normal(size=(13, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        offsets = rng.uniform(0.55, 1.0, 13)
        cosines = directions @ normals.T
        with np.errstate(divide="ignore"):
            radius = np.where(cosines > 0.05, offsets / np.maximum(cosines, 0.05), np.inf).min(axis=1)
        radius = np.minimum(radius, 1.15) * rng.normal(1.0, 0.03, len(directions))
        stone = directions * radius[:, None] * 0.55
        stones.append(stone * np.array([1.0, rng.uniform(0.65, 0.95), rng.uniform(0.42, 0.75)]))
    return np.array(stones), triangles


@lru_cache(maxsize=4096)
def _tile(seed: int, size_class: int, i: int, j: int) -> np.ndarray:
    """Stones of one tile: x, y, diameter, heading, sunk share, shape, tone."""
    lo, hi, side, _ = CLASSES[size_class]
    rng = np.random.default_rng([seed, 0x20C5, size_class, i & 0xFFFF, j & 0xFFFF])
    # Stones gather: density varies fourfold from tile to tile.
    n = rng.poisson(density(lo, hi) * side * side * rng.gamma(2.0, 0.5))
    share, d = _inverse(lo, hi, ABUNDANCE)
    diameter = np.interp(rng.random(n), share, d)
    x, y = (i + rng.random(n)) * side, (j + rng.random(n)) * side
    stones = np.column_stack(
        [
            x,
            y,
            diameter,
            rng.uniform(0, 2 * math.pi, n),
            rng.uniform(0.05, 0.5, n),
            rng.integers(0, _SHAPES, n),
            rng.random(n),
        ]
    )
    distance = np.hypot(x, y)
    keep = (distance > _CLEAR_RADIUS) | (diameter < 0.05)
    # A drivable way was chosen: nothing higher than a wheel's radius close to the platform or on the way south.
    keep &= ~((diameter > 0.25) & ((distance < 16) | ((np.abs(x) < 2.5) & (y < 0))))
    return stones[keep]


def stones_near(seed: int, x: float, y: float, size_class: int, reach: float | None = None) -> np.ndarray:
    """All stones of one size class within its drawing distance of (x, y)."""
    _, _, side, limit = CLASSES[size_class]
    limit = reach if reach is not None else limit
    tiles = [
        _tile(seed, size_class, i, j)
        for i in range(math.floor((x - limit) / side), math.floor((x + limit) / side) + 1)
        for j in range(math.floor((y - limit) / side), math.floor((y + limit) / side) + 1)
    ]
    stones = np.concatenate(tiles) if tiles else np.zeros((0, 7))
    return stones[np.hypot(stones[:, 0] - x, stones[:, 1] - y) < limit]


def mesh_near(
    terrain: Terrain, x: float, y: float, heading: float = 0.0, half: float = math.pi
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (n, 3, 3) in world metres and the tone 0 … 1 of each, of all stones worth drawing from (x, y).

    Beyond 10 m only stones within `half` of `heading` (radians from east) are drawn; nearer ones may cast shadows.
    """
    triangles, tones = [], []
    for size_class in range(len(CLASSES)):
        stones = stones_near(terrain.seed, x, y, size_class)
        bearing = np.arctan2(stones[:, 1] - y, stones[:, 0] - x) - heading
        distance = np.hypot(stones[:, 0] - x, stones[:, 1] - y)
        stones = stones[(np.abs(np.arctan2(np.sin(bearing), np.cos(bearing))) < half + 0.1) | (distance < 10)]
        if not len(stones):
            continue
        far = np.hypot(stones[:, 0] - x, stones[:, 1] - y) / stones[:, 2]
        for chosen, detail in ((far <= 30, 320), ((far > 30) & (far <= 120), 80), (far > 120, 20)):
            group = stones[chosen]
            if not len(group):
                continue
            soup, tone = mesh_of(terrain, group, detail)
            triangles.append(soup)
            tones.append(tone)
    if not triangles:
        return np.zeros((0, 3, 3)), np.zeros(0)
    return np.concatenate(triangles), np.concatenate(tones)


def mesh_of(terrain: Terrain, stones: np.ndarray, faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles and tones of the given stones with 20, 80 or 320 faces each."""
    shapes, indices = _shapes(faces)
    cos_h, sin_h = np.cos(stones[:, 3]), np.sin(stones[:, 3])
    v = shapes[stones[:, 5].astype(int)] * stones[:, 2][:, None, None]
    z0 = terrain.height(stones[:, 0], stones[:, 1])
    height = v[:, :, 2].max(axis=1) - v[:, :, 2].min(axis=1)
    world = np.empty_like(v)
    world[:, :, 0] = stones[:, 0, None] + v[:, :, 0] * cos_h[:, None] - v[:, :, 1] * sin_h[:, None]
    world[:, :, 1] = stones[:, 1, None] + v[:, :, 0] * sin_h[:, None] + v[:, :, 1] * cos_h[:, None]
    world[:, :, 2] = z0[:, None] + v[:, :, 2] + (height * (0.5 - stones[:, 4]))[:, None]
    soup = world[:, indices].reshape(-1, 3, 3)  # stone, face, corner → triangle, corner
    stone_of = np.repeat(np.arange(len(stones)), len(indices))
    # The underside is in the ground: never seen, so not traced.
    above = soup[:, :, 2].max(axis=1) > z0[stone_of] - 0.02
    return soup[above], stones[stone_of[above], 6]
