"""How good a picture is, guessed from what is known of its coefficients alone.

A coefficient above its last known plane errs within its interval: step^2 / 12. One that is still zero lies in (-T, T), and by
far not evenly: the coefficients of a band fall off like exp(-|c| / b). The b that fits those that are known, and the zeros'
thresholds, gives the mean square of the zeros. A block of which only the thumbnail is there misses all its detail, which is about as
strong as the steps between the thumbnail's neighbours.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .steps import BANDS, NORMS, ROUNDING

_NORM = NORMS / (1024 * 1.9)  # of the synthesis: error of the pixels per error of a coefficient
COPIED = 0.7  # of that error is left where the coarse copy is there; 0.56 to 0.88 seen
DETAIL = 0.5  # mean square error without detail per mean square step of the thumbnail; 0.2 to 1 seen on rover pictures


class Plane(Protocol):
    columns: int
    rows: int
    depth: int
    blocks: int
    mag: np.ndarray
    thumb: np.ndarray
    thumb_shift: np.ndarray

    @property
    def fine(self) -> np.ndarray: ...
    def known(self) -> np.ndarray: ...
    def step(self) -> np.ndarray: ...
    def copied(self) -> np.ndarray: ...


def _below(threshold: float, b: float) -> tuple[float, float]:
    """(mean size, mean square) of the values below the threshold, of a density that falls like exp(-|c| / b)."""
    x = min(threshold / b, 60.0)
    out = float(np.exp(-x))
    inside = 1 - out
    mean = b - threshold * out / inside
    square = (2 * b * b - (threshold**2 + 2 * b * threshold + 2 * b * b) * out) / inside
    return max(0.0, mean), max(0.0, square)


def _band(mag: np.ndarray, step: np.ndarray, dead: np.ndarray) -> float:
    """Sum of squared errors of one band's coefficients: indices, steps and thresholds of zeros, each like mag. Steps of 0 are exact."""
    zeros = [(float(t), int(n)) for t, n in zip(*np.unique(dead[mag == 0], return_counts=True), strict=True) if t > 0]
    some = mag > 0
    steps = step[some].astype(np.float64)
    sizes = float(((mag[some] - 1) * steps + dead[some] + steps / 2).sum())
    count = some.sum() + sum(n for _, n in zeros)
    if not count:
        return 0.0
    b = max(1.0, (sizes + sum(t * n / 8 for t, n in zeros)) / count)
    for _ in range(20):  # each zero is worth the mean of what lies below its threshold
        b = max(0.25, (sizes + sum(n * _below(t, b)[0] for t, n in zeros)) / count)
    return float((steps**2).sum() / 12) + sum(n * _below(t, b)[1] for t, n in zeros)


def estimate_psnr(plane: Plane) -> float:
    """Of a plane with decoded coefficients: dB, 99 = lossless, 0 = nothing."""
    has = plane.known()
    thumb = plane.thumb_shift < 99
    if not has.any() and not thumb.any():
        return 0.0
    error = 0.0
    if has.any():
        fine = plane.fine[has][:, None]
        step = plane.step()[has]
        step = np.where(~fine & (step == 1), 0, step) * _NORM.astype(np.float32)
        mag = plane.mag[has]
        dead = np.where(fine, 1 - ROUNDING, 1) * step
        for band in BANDS:
            error += _band(mag[:, band - 1], step[:, band], dead[:, band])
        error += float((step[:, 0].astype(np.float64) ** 2 / 12).sum())
    if not has.all():
        copied = plane.copied()
        error += 64 * _detail(plane, thumb, has) * float((~has).sum() - (1 - COPIED) * copied.sum())
    mse = error / (64 * plane.blocks)
    top = (1 << plane.depth) - 1
    return float(min(99.0, max(0.0, 10 * np.log10(top * top / mse)))) if mse > 0 else 99.0


def _detail(plane: Plane, thumb: np.ndarray, has: np.ndarray) -> float:
    """Mean square error per pixel of a block without detail."""
    if not thumb.any():
        return float(((plane.mag * plane.step()[:, 1:])[has].astype(np.float64) ** 2).sum(1).mean()) / 64 + 1.0
    grid = (plane.rows, plane.columns)
    value = (plane.thumb << np.where(thumb, plane.thumb_shift, 0)).reshape(grid).astype(np.float64)
    there = thumb.reshape(grid)
    steps = []
    for axis in (0, 1):
        both = np.minimum(np.take(there, range(1, grid[axis]), axis), np.take(there, range(grid[axis] - 1), axis))
        steps.append((np.diff(value, axis=axis) ** 2)[both])
    every = np.concatenate(steps)
    return DETAIL * float(every.mean()) + 1.0 if every.size else 100.0
