"""How good a picture is, guessed from what is known of its coefficients alone.

A coefficient above its last known plane errs within its interval: step^2 / 12. One that is still zero lies in (-T, T), and by
far not evenly: the coefficients of a band fall off like exp(-|c| / b). The b that fits those that are known, and the zeros'
thresholds, gives the mean square of the zeros. A block of which only the thumbnail is there misses all its detail, which is about as
strong as the steps between the thumbnail's neighbours.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .bitplanes import WEIGHTS

BANDS = [np.r_[21 * f + first : 21 * f + end] for f in range(3) for first, end in ((0, 1), (1, 5), (5, 21))]
SCALE = 0.5  # squared error of the pixels per squared error of the weighted coefficients, seen on rover pictures
DETAIL = 0.5  # mean square error without detail per mean square step of the thumbnail; 0.2 to 1 seen on rover pictures


class Plane(Protocol):
    columns: int
    rows: int
    depth: int
    blocks: int
    dc_low: np.ndarray
    mag: np.ndarray
    low: np.ndarray
    thumb: np.ndarray
    thumb_shift: np.ndarray


def _below(threshold: float, b: float) -> tuple[float, float]:
    """(mean size, mean square) of the values below the threshold, of a density that falls like exp(-|c| / b)."""
    x = min(threshold / b, 60.0)
    out = float(np.exp(-x))
    inside = 1 - out
    mean = b - threshold * out / inside
    square = (2 * b * b - (threshold**2 + 2 * b * threshold + 2 * b * b) * out) / inside
    return max(0.0, mean), max(0.0, square)


def _band(planes: np.ndarray, mag: np.ndarray, exact: int) -> float:
    """Sum of squared errors of one band's coefficients: those still zero below 2^planes share one b."""
    zeros = [(2.0 ** float(p), int(n)) for p, n in zip(*np.unique(planes[mag == 0], return_counts=True), strict=True)]
    steps = np.exp2(planes[mag > 0].astype(np.float64))
    sizes = float((mag[mag > 0] + steps / 2).sum())
    b = max(1.0, (sizes + sum(t * n / 8 for t, n in zeros)) / mag.size)
    for _ in range(20):  # each zero is worth the mean of what lies below its threshold
        b = max(0.25, (sizes + sum(n * _below(t, b)[0] for t, n in zeros)) / mag.size)
    rough = steps[steps > 2.0**exact]
    return float((rough**2).sum() / 12) + sum(n * _below(t, b)[1] for t, n in zeros if t > 2.0**exact)


def estimate_psnr(plane: Plane) -> float:
    """Of a plane with decoded coefficients: dB, 99 = lossless, 0 = nothing."""
    has = plane.dc_low < 99
    thumb = plane.thumb_shift < 99
    if not has.any() and not thumb.any():
        return 0.0
    error = 0.0
    if has.any():
        low, mag = plane.low[has], plane.mag[has]
        for band in BANDS:
            error += SCALE * _band(low[:, band], mag[:, band], int(WEIGHTS[band[0]]))
        rest = plane.dc_low[has]
        error += float((np.where(rest > 3, np.exp2(rest), 0) ** 2 / 12).sum())
    missing = int((~has).sum())
    if missing:
        error += missing * 64 * _detail(plane, thumb, has)
    mse = error / (64 * plane.blocks)
    top = (1 << plane.depth) - 1
    return float(min(99.0, max(0.0, 10 * np.log10(top * top / mse)))) if mse > 0 else 99.0


def _detail(plane: Plane, thumb: np.ndarray, has: np.ndarray) -> float:
    """Mean square error per pixel of a block without detail."""
    if not thumb.any():
        return float((plane.mag[has].astype(np.float64) ** 2).sum(1).mean()) / 64 + 1.0
    grid = (plane.rows, plane.columns)
    value = (plane.thumb << np.where(thumb, plane.thumb_shift, 0)).reshape(grid).astype(np.float64)
    there = thumb.reshape(grid)
    steps = []
    for axis in (0, 1):
        both = np.minimum(np.take(there, range(1, grid[axis]), axis), np.take(there, range(grid[axis] - 1), axis))
        steps.append((np.diff(value, axis=axis) ** 2)[both])
    every = np.concatenate(steps)
    return DETAIL * float(every.mean()) + 1.0 if every.size else 100.0
