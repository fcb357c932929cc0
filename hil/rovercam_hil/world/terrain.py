"""Southern Utopia Planitia as a height field: swells, craters, bright transverse dunes, ripples, the lander's blast zone.

Coordinates are metres, x east, y north, z up; the origin is the ground under the middle of the landing platform. A
`Terrain` answers for any point, from kilometres down to about ten centimetres of wavelength; finer relief (ripples,
grains, pebbles) is added where a picture needs it, by `shade`.

Craters follow a cumulative density proportional to D^-2 between 6 m and 400 m, softened to depth/diameter 0.04-0.12 as
old craters of that size are. Dunes are the bright, crescent-like transverse ridges seen at the site.
"""

# ruff: noqa: RUF046  (compiled code: the casts to int set the integer type)
from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from rovercam_hil.world.noise import fractal, gradient_noise

EXTENT = 2600.0
"""Craters and dunes are placed within this distance (m) of the platform."""
_CELL = 32.0  # m: side of one bucket of the index that finds the features near a point
_WORKING_RADIUS = 24.0  # m around the platform kept free of large relief: landers choose such places

# x, y, radius, depth, rim height, (craters only) softness
Crater = tuple[float, float, float, float, float, float]


@njit(cache=True)
def _crater(dx, dy, radius, depth, rim, softness):
    r = math.sqrt(dx * dx + dy * dy) / radius
    if r >= 2.4:
        return 0.0
    bowl = -depth * (1 - r * r) if r < 1.0 else 0.0
    crest = rim * math.exp(-(((r - 1.0) / softness) ** 2))
    return bowl * (1.0 - 0.25 * math.exp(-(((r - 1.0) / 0.2) ** 2))) + crest


@njit(cache=True)
def _dune(dx, dy, cos_t, sin_t, length, width, height, bend):
    """A ridge whose crest lies along v; u points down-wind, gentle slope up-wind, steep one in the lee."""
    u = dx * cos_t + dy * sin_t
    v = -dx * sin_t + dy * cos_t
    s = v / (0.5 * length)
    if s <= -1.0 or s >= 1.0:
        return 0.0
    u -= bend * s * s + 0.12 * width * math.sin(5.0 * s + bend)
    along = 1.0 - s * s
    q = u / (width * (0.35 + 0.65 * along))
    shape = math.exp(-((q / 0.62) ** 2)) if q < 0 else math.exp(-((q / 0.34) ** 2))
    # The crest is a ridge, not a dome: sharpen the top.
    shape *= 0.75 + 0.25 * math.exp(-abs(q) * 6.0)
    return height * along * along * shape


@njit(cache=True)
def ground(x, y, seed, craters, dunes, starts, members, cells):
    """(height, dune share 0 … 1) of the undisturbed ground at one point."""
    swell, _, _ = fractal(x, y, 900.0, 4, 0.42, seed)
    z = 4.0 * swell
    mid, _, _ = fractal(x, y, 55.0, 3, 0.45, seed + 100)
    z += 0.22 * mid
    small, _, _ = fractal(x, y, 6.0, 5, 0.5, seed + 200)
    patch, _, _ = gradient_noise(x * 0.045, y * 0.045, seed + 300)
    z += 0.030 * small * (0.75 + 0.9 * patch)
    # Wind ripples, 1.6 m apart, in patches: long-crested, gently meandering.
    wander, _, _ = gradient_noise(x * 0.11, y * 0.11, seed + 301)
    phase = (0.82 * x + 0.57 * y) * 3.9 + 3.4 * wander
    cover = min(max(patch * 2.2 - 0.05, 0.0), 1.0)
    crest = 0.5 + 0.5 * math.sin(phase)
    z += 0.034 * cover * crest * crest
    dune_share = 0.25 * cover * crest
    half = cells // 2
    i, j = int(math.floor(x / 32.0)) + half, int(math.floor(y / 32.0)) + half
    if 0 <= i < cells and 0 <= j < cells:
        cell = j * cells + i
        for m in range(starts[cell], starts[cell + 1]):
            k = members[m]
            if k >= 0:
                c = craters[k]
                z += _crater(x - c[0], y - c[1], c[2], c[3], c[4], c[5])
            else:
                d = dunes[-1 - k]
                h = _dune(x - d[0], y - d[1], d[2], d[3], d[4], d[5], d[6], d[7])
                if h > 0.0:
                    share = min(h / (0.25 * d[6]), 1.0)
                    # Small ripples climb every dune.
                    ripple = math.sin((x * d[2] + y * d[3]) * 11.0 + 2.5 * wander)
                    z += h + 0.010 * share * ripple
                    dune_share = max(dune_share, share)
    # The landing engine swept the dust away and dug a shallow dish.
    r2 = x * x + y * y
    z -= 0.10 * math.exp(-r2 / 6.0)
    return z, dune_share


@njit(parallel=True, cache=True)
def _ground_many(xs, ys, seed, craters, dunes, starts, members, cells, out_z, out_dune):
    for i in prange(xs.size):
        z, d = ground(xs[i], ys[i], seed, craters, dunes, starts, members, cells)
        out_z[i] = z
        out_dune[i] = d


class Terrain:
    """The ground of one seed. Cheap to make (about 50 ms), and safe to share."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        rng = np.random.default_rng([seed, 0xC0])
        self.craters = _place_craters(rng)
        self.dunes = _place_dunes(rng)
        self._cells = 2 * math.ceil(EXTENT / _CELL) + 2
        self._starts, self._members = _index(self.craters, self.dunes, self._cells)
        # The datum: the platform stands at z = 0, whatever the swell does there.
        self._datum = 0.0
        self._datum = float(self._raw(np.zeros(1), np.zeros(1))[0][0])

    def _raw(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        xs = np.ascontiguousarray(x, dtype=np.float64).ravel()
        ys = np.ascontiguousarray(y, dtype=np.float64).ravel()
        z, dune = np.empty_like(xs), np.empty_like(xs)
        _ground_many(xs, ys, self.seed, self.craters, self.dunes, self._starts, self._members, self._cells, z, dune)
        return z, dune

    def height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Heights (m) at arrays of points, any shape."""
        z, _ = self._raw(np.asarray(x), np.asarray(y))
        return (z - self._datum).reshape(np.shape(x))

    def height_and_dune(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heights, and the share of bright dune sand 0 … 1."""
        z, dune = self._raw(np.asarray(x), np.asarray(y))
        return (z - self._datum).reshape(np.shape(x)), dune.reshape(np.shape(x))

    def at(self, x: float, y: float) -> float:
        """Height (m) at one point."""
        z, _ = ground(float(x), float(y), self.seed, self.craters, self.dunes, self._starts, self._members, self._cells)
        return float(z) - self._datum


def _place_craters(rng: np.random.Generator) -> np.ndarray:
    smallest, largest, per_km2 = 6.0, 400.0, 170.0
    n = rng.poisson(per_km2 * (2 * EXTENT / 1000.0) ** 2)
    diameter = np.minimum(smallest / np.sqrt(rng.random(n)), largest)
    xy = rng.uniform(-EXTENT, EXTENT, (n, 2))
    freshness = rng.random(n) ** 2
    radius = diameter / 2
    depth = diameter * (0.035 + 0.085 * freshness)
    rim = depth * (0.10 + 0.12 * freshness)
    softness = 0.55 - 0.25 * freshness
    keep = np.hypot(xy[:, 0], xy[:, 1]) > _WORKING_RADIUS + 2.4 * radius
    # The way south is known to have been drivable: only small craters within 12 m of it.
    corridor = (np.abs(xy[:, 0]) < 12 + 2.4 * radius) & (xy[:, 1] < 0) & (diameter > 10)
    keep &= ~corridor
    return np.ascontiguousarray(np.column_stack([xy, radius, depth, rim, softness])[keep])


def _place_dunes(rng: np.random.Generator) -> np.ndarray:
    n = rng.poisson(620.0 * (2 * EXTENT / 1000.0) ** 2)
    xy = rng.uniform(-EXTENT, EXTENT, (n, 2))
    length = rng.gamma(5.0, 3.4, n) + 5.0
    width = 0.17 * length + rng.uniform(0.4, 1.4, n)
    height = 0.085 * width * rng.uniform(1.3, 2.6, n)
    wind = math.radians(215.0) + rng.normal(0.0, 0.16, n)  # blowing towards the south-west
    bend = rng.uniform(0.2, 1.0, n) * width
    reach = np.hypot(xy[:, 0], xy[:, 1]) - 0.6 * length
    keep = reach > _WORKING_RADIUS
    # Dunes big enough to stop a rover stand beside the way south, not on it.
    keep &= ~((np.abs(xy[:, 0]) < 0.5 * length + 3.0) & (xy[:, 1] < 0))
    return np.ascontiguousarray(np.column_stack([xy, np.cos(wind), np.sin(wind), length, width, height, bend])[keep])


def _index(craters: np.ndarray, dunes: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Buckets of `_CELL` metres: starts per cell and the features that may reach into it (dunes as -1 - index)."""
    entries: list[tuple[int, int]] = []
    for sign, features, reach in ((1, craters, 2.4 * craters[:, 2]), (-1, dunes, 0.55 * dunes[:, 4] + dunes[:, 5])):
        lo = np.floor((features[:, :2] - reach[:, None]) / _CELL).astype(int) + cells // 2
        hi = np.floor((features[:, :2] + reach[:, None]) / _CELL).astype(int) + cells // 2
        for k in range(len(features)):
            number = k if sign > 0 else -1 - k
            for j in range(max(lo[k, 1], 0), min(hi[k, 1], cells - 1) + 1):
                for i in range(max(lo[k, 0], 0), min(hi[k, 0], cells - 1) + 1):
                    entries.append((j * cells + i, number))
    table = np.array(sorted(entries), dtype=np.int64).reshape(-1, 2)
    starts = np.searchsorted(table[:, 0], np.arange(cells * cells + 1)).astype(np.int64)
    return starts, np.ascontiguousarray(table[:, 1])
