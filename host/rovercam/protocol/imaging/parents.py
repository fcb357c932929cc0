"""The coarse copy of every block's three parents: firmware rover/imaging/parents.py, which says what the bits are."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import blocks
from ._jit import jit
from .blocks import _bit, _magnitude, _plain, _start
from .slots import Slot, coded

KIND = 3  # of slot, for its contexts: those before are the layers, less 1
PLACES = (0, 21, 42)  # of the parents among a block's 63 coefficients
SHIFT = np.array([2, 2, 3], np.int64)  # bits that are cut off the indices


@jit
def _decode(data, chance, seen, first, end, columns, q, mag, neg, quality):  # type: ignore[no-untyped-def]
    # out: by block; values are Any to the type checker: NumPy or Python integers, by whether this is compiled
    state = _start(data)
    for block in range(first, end):
        if block > first:
            bit, state = _bit(data, state, chance, seen, 30)
            if bit:
                q, state = _plain(data, state, 8)
        beside = block > first and block % columns > 0
        others: Any = np.int64(0)
        if beside:
            for f in range(3):
                others += mag[block - 1, f]
        for f in range(3):
            left: Any = np.int64(0)
            if beside:
                left = np.int64(mag[block - 1, f])
            v: Any = np.int64(0)
            sign: Any = np.int64(0)
            bit, state = _bit(data, state, chance, seen, 8 * f + min(others + left, 7))
            if bit:
                v, state = _magnitude(data, state, chance, seen, 23, 30)
                sign, state = _plain(data, state, 1)
            v = min(v, 1 << 13)
            others += v - left
            mag[block, f] = v
            neg[block, f] = sign
        quality[block] = q


def decode(s: Slot, mag: np.ndarray, neg: np.ndarray, quality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One slot into mag int32 (blocks, 3), neg uint8 (blocks, 3), quality int16 (blocks); returns its contexts as they are at its end.

    The slot's blocks must be among them. Any bytes give some values."""
    chance, seen = blocks.contexts(KIND)
    data = coded(s).data
    _decode(data, chance, seen, s.first, s.first + s.count, s.columns, np.int64(coded(s).quality), mag, neg, quality)
    return chance, seen
