"""What the quantiser's indices of a slot mean: steps of firmware rover/imaging/steps.py, and where in a step a coefficient most likely lies.

Whole steps: index m of plane p says size // 2^(p - weight) = m. Fine ones: size / step in [m - 1/3, m + 2/3).
"""

from __future__ import annotations

import numpy as np

_HIGH = (6750, 3444, 2045)
_BOTH = (3654, 1899, 1310)
_ROOTS = np.array(
    [32768, 31379, 30048, 28774, 27554, 26386, 25268, 24196, 23170, 22188, 21247, 20347, 19484, 18658, 17867, 17109],
    np.int64,
)
_COUNTS = (1, 4, 16)
NORMS = np.array(
    [12469] + [n for f in (_HIGH, _HIGH, _BOTH) for n, k in zip(f, _COUNTS, strict=True) for _ in range(k)], np.int64
)
WEIGHTS = np.array(
    [3] + [w for f in ((3, 2, 1), (3, 2, 1), (2, 1, 0)) for w, k in zip(f, _COUNTS, strict=True) for _ in range(k)],
    np.int64,
)
UNITS = np.array([0] + [u for f in (1, 2, 3) for u in [0] * 5 + [f] * 16], np.int64)
# coefficients of each band, for statistics: DC left out
BANDS = [np.r_[1 + 21 * f + a : 1 + 21 * f + b] for f in range(3) for a, b in ((0, 1), (1, 5), (5, 21))]
ROUNDING = 1 / 3  # part of a step by which fine quantising rounds up


def fraction(depth: int) -> int:
    """Bits that the pixels of a fine picture of this depth were shifted up."""
    return max(0, 11 - depth)


def fine_steps(quality: np.ndarray, depth: int) -> np.ndarray:
    """float32 (n, 64): steps of blocks of these qualities, in units of pixels."""
    shift = fraction(depth)
    scale = NORMS * _ROOTS[quality[:, None] & 15] >> (9 + shift + (quality[:, None] >> 4))
    return (65536.0 / (np.maximum(scale, 1) << shift)).astype(np.float32)


def whole_steps(planes: np.ndarray) -> np.ndarray:
    """float32 (n, 64) from the planes (n, 4) of the blocks' units."""
    return np.exp2(np.maximum(planes[:, UNITS].astype(np.int64) - WEIGHTS, 0)).astype(np.float32)


def points(mag: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Where in its step each coefficient is put, as part of the step: float32 like mag (n, 63); by band and step from how fast the counts fall.

    For magnitudes that fall like exp(-size / b), ratio r from one index to the next, the mean lies at 1 / l - 1 / (e^l - 1), l = -ln r."""
    out = np.full(mag.shape, 0.5, np.float32)
    for band in BANDS:
        columns = band - 1
        out[:, columns] = points_of(mag[:, columns], steps[:, columns[0]])
    return out


def points_of(mag: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """As points(), of one band: mag (n,) or (n, k), one step for each of the n."""
    part = np.full(mag.shape, 0.5, np.float32)
    for step in np.unique(steps):
        rows = steps == step
        here = mag[rows]
        ones, more = int((here == 1).sum()), int((here > 1).sum())
        beyond = float(here[here > 1].sum()) - 2 * more
        first = _centre((more + 0.5) / (ones + more + 1))
        later = _centre((beyond + 0.5) / (beyond + more + 1))
        part[rows] = np.where(here == 1, first, later)
    return part


def _centre(ratio: float) -> float:
    fall = -np.log(min(max(ratio, 0.01), 0.99))
    return float(1 / fall - 1 / np.expm1(fall))
