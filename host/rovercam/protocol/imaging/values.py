"""From decoded bits to coefficient values: where in its interval a coefficient is assumed to lie.

The bits say |c| is in [m, m + 2^low). The standard leaves the point in the interval free. A coefficient that became
significant is most likely nearer the lower end (the densities fall); POINT places it there, less so the more is known of it.
"""

from __future__ import annotations

import numpy as np

from .bitplanes import WEIGHTS

_SHIFT = np.concatenate([[3], WEIGHTS]).astype(np.int64)


def unweighted(
    dc: np.ndarray, dc_low: np.ndarray, mag: np.ndarray, neg: np.ndarray, low: np.ndarray, points: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(values float32 (n, 64), exact bool (n, 64)) of n blocks, weights taken off. points False: zero fill, as in the
    reference vectors."""
    n = len(dc)
    values = np.empty((n, 64), np.float32)
    exact = np.empty((n, 64), bool)
    # dc_low counts planes as weighted: 3 = nothing missing
    rest = np.maximum(dc_low - 3, 0)
    values[:, 0] = dc >> 3
    if points:
        values[:, 0] += (np.exp2(rest) - 1) / 2
    exact[:, 0] = rest == 0
    unknown = np.maximum(low.astype(np.int64) - WEIGHTS, 0)
    m = (mag >> WEIGHTS).astype(np.float32)
    if points:
        step = np.exp2(unknown).astype(np.float32)
        # first interval above the threshold 0.42, later ones 0.48 of the step; less half a unit as values are whole
        first = m < 1.5 * step
        shift = np.where(first, np.float32(0.42), np.float32(0.48)) * step - np.float32(0.5)
        m = np.where((m > 0) & (unknown > 0), m + np.maximum(shift, 0), m)
    values[:, 1:] = np.where(neg > 0, -m, m)
    exact[:, 1:] = unknown == 0
    return values, exact
