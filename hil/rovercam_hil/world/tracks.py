"""Wheel tracks: a sparse raster of how deep the ground is pressed, 2 cm per cell, in tiles made where a wheel went.

Depth is kept in millimetres (int8, negative for the heaped edges), disturbance 0 … 255 says how much of the bright dust
has been turned to darker soil. Cleats leave bars across the track.
"""

from __future__ import annotations

import math

import numpy as np

CELL = 0.02
"""Metres per cell."""
_SIDE = 256  # cells per tile: 5.12 m


Tiles = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]
"""Place of a tile: depth and disturbance of its cells."""


class Tracks:
    """Pressed ground. `version` rises with every change, for whoever caches pictures or meshes of it."""

    def __init__(self) -> None:
        self._tiles: Tiles = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._tiles)

    def tiles(self) -> Tiles:
        """All there is, to be looked at or pickled only."""
        return self._tiles

    def put(self, tiles: Tiles) -> None:
        """Have these tiles instead."""
        self._tiles = tiles
        self.version += 1

    def _tile(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        key = (i, j)
        if key not in self._tiles:
            self._tiles[key] = (np.zeros((_SIDE, _SIDE), np.int8), np.zeros((_SIDE, _SIDE), np.uint8))
        return self._tiles[key]

    def press(self, x: float, y: float, heading: float, rolled: float, *, width: float = 0.24, depth: float = 0.012,
              length: float = 0.10, slip: float = 0.0) -> None:  # fmt: skip
        """One wheel's footprint at (x, y), rolling towards `heading` (rad, counter-clockwise from east).

        `rolled` is the distance the wheel has turned (m): it places the cleats' bars. Slip deepens the print.
        """
        self.version += 1
        reach = 0.5 * max(width, length) + 0.08
        c, s = math.cos(heading), math.sin(heading)
        i0, i1 = math.floor((x - reach) / CELL), math.floor((x + reach) / CELL)
        j0, j1 = math.floor((y - reach) / CELL), math.floor((y + reach) / CELL)
        for tj in range(j0 // _SIDE, j1 // _SIDE + 1):
            for ti in range(i0 // _SIDE, i1 // _SIDE + 1):
                deep, turned = self._tile(ti, tj)
                a0, a1 = max(i0 - ti * _SIDE, 0), min(i1 - ti * _SIDE, _SIDE - 1)
                b0, b1 = max(j0 - tj * _SIDE, 0), min(j1 - tj * _SIDE, _SIDE - 1)
                gx = (np.arange(a0, a1 + 1) + ti * _SIDE + 0.5) * CELL - x
                gy = (np.arange(b0, b1 + 1) + tj * _SIDE + 0.5) * CELL - y
                along = gx[None, :] * c + gy[:, None] * s
                across = -gx[None, :] * s + gy[:, None] * c
                part = (np.abs(along) < 0.5 * length) & (np.abs(across) < 0.5 * width)
                edge = (np.abs(along) < 0.5 * length) & ~part & (np.abs(across) < 0.5 * width + 0.06)
                bars = np.cos((rolled + along) * (2 * math.pi / 0.062)) > 0.35
                print_mm = 1000.0 * depth * (1.0 + 2.0 * abs(slip)) + np.where(bars, 7.0, 0.0)
                d = deep[b0 : b1 + 1, a0 : a1 + 1]
                t = turned[b0 : b1 + 1, a0 : a1 + 1]
                d[part] = np.clip(print_mm[part], 0, 60).astype(np.int8)
                heap = edge & (d <= 0)
                d[heap] = -5
                t[part] = np.where(bars[part], 235, 190)
                t[heap] = np.maximum(t[heap], 90)

    def window(self, x: float, y: float, half: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        """(depth mm, disturbance, x0, y0): the cells of the square of `half` metres around (x, y), from its corner."""
        n = 2 * math.ceil(half / CELL)
        i0, j0 = math.floor(x / CELL) - n // 2, math.floor(y / CELL) - n // 2
        deep, turned = np.zeros((n, n), np.int8), np.zeros((n, n), np.uint8)
        for (ti, tj), (d, t) in self._tiles.items():
            a0, b0 = ti * _SIDE - i0, tj * _SIDE - j0
            if a0 >= n or b0 >= n or a0 + _SIDE <= 0 or b0 + _SIDE <= 0:
                continue
            dst = (slice(max(b0, 0), min(b0 + _SIDE, n)), slice(max(a0, 0), min(a0 + _SIDE, n)))
            src = (slice(max(-b0, 0), min(_SIDE, n - b0)), slice(max(-a0, 0), min(_SIDE, n - a0)))
            deep[dst], turned[dst] = d[src], t[src]
        return deep, turned, i0 * CELL, j0 * CELL

    def coarse(self, x: float, y: float, half: float, cell: float) -> tuple[np.ndarray, float, float]:
        """(mean disturbance 0 … 1, x0, y0) on cells of `cell` metres, for the distance and for orbit."""
        n = 2 * math.ceil(half / cell)
        x0, y0 = x - n // 2 * cell, y - n // 2 * cell
        total = np.zeros(n * n)
        for (ti, tj), (_, turned) in self._tiles.items():
            b, a = np.nonzero(turned)
            if not len(a):
                continue
            u = np.floor(((a + ti * _SIDE + 0.5) * CELL - x0) / cell).astype(int)
            v = np.floor(((b + tj * _SIDE + 0.5) * CELL - y0) / cell).astype(int)
            inside = (u >= 0) & (v >= 0) & (u < n) & (v < n)
            total += np.bincount(v[inside] * n + u[inside], turned[b[inside], a[inside]] / 255.0, n * n)
        return (total * (CELL / cell) ** 2).reshape(n, n).astype(np.float32), x0, y0
