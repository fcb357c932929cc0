"""Blocks of a slot from its bits: the arithmetic decoder and the model of firmware rover/imaging/blocks.py, which says what the decisions are.

A block has 63 coefficients, numbered family * 21 + (0 parent, 1-4 children, 5-20 grandchildren, both row by row), families HL, LH, HH, in four units:
DC, parents and children; then the grandchildren of each family. Any bits give some coefficients; nothing is ever raised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit
from .startup import STARTUP

CONTEXTS = 200
NOTHING = 31  # plane of a unit of which nothing is known
BITS = 30  # of the coder's window

_LIMITS = (1, 2, 3, 5, 7, 10, 14, 20, 30, 48, 80)
LEVELS = np.array([sum(s >= limit for limit in _LIMITS) for s in range(96)], np.int64)
MEANS = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4], np.int64)

START = tuple(np.frombuffer(s, np.uint8) for s in STARTUP)  # by layer - 1; then parents.py's
STEPS = np.array([65536 // (12 + n) for n in range(36)], np.int64)  # of adaption

# counts and values are Any to the type checker: NumPy or Python integers, by whether this is compiled
_LARGEST = 1 << 15  # magnitudes and DC stay below, whatever the bits say


def contexts(kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a coder as it starts in a slot of this kind (index of STARTUP): the chance of "1" in each context, 65536ths, and how often it was met; int64."""
    chance = START[kind].astype(np.int64) * 256 + 128
    return chance, np.zeros(len(chance), np.int64)


@jit
def _start(data):  # type: ignore[no-untyped-def]
    # the coder's state: next bit, window less the low end, range
    at, code = 0, np.int64(0)
    for _ in range(4):
        v, at = _next(data, at)
        code = (code << 8) | v
    return 30, code >> 2, np.int64(1) << 30  # the window has 30 bits


@jit
def _next(data, at):  # type: ignore[no-untyped-def]
    # 8 bits of the body; behind its end are zeros
    i = at >> 3
    v: Any = np.int64(0)
    if i + 1 < len(data):
        v = (np.int64(data[i]) << 8) | np.int64(data[i + 1])
    elif i < len(data):
        v = np.int64(data[i]) << 8
    return (v >> (8 - (at & 7))) & 255, at + 8


@jit
def _bit(data, state, chance, seen, c):  # type: ignore[no-untyped-def]
    # one decision in context c
    at, code, size = state
    p = chance[c]
    n = seen[c]
    part = (size >> 12) * (p >> 4)
    if code < part:
        size = part
        p += ((65536 - p) * STEPS[n]) >> 16
        bit = 1
    else:
        code -= part
        size -= part
        p -= (p * STEPS[n]) >> 16
        bit = 0
    chance[c] = min(max(p, 32), 65503)
    if n < 35:
        seen[c] = n + 1
    while size < 0x400000:
        v, at = _next(data, at)
        code = (code << 8) | v
        size <<= 8
    return bit, (at, code, size)


@jit
def _plain(data, state, n):  # type: ignore[no-untyped-def]
    at, code, size = state
    v: Any = np.int64(0)
    for _ in range(n):
        size >>= 1
        v <<= 1
        if code >= size:
            code -= size
            v |= 1
        while size < 0x400000:
            w, at = _next(data, at)
            code = (code << 8) | w
            size <<= 8
    return v, (at, code, size)


@jit
def _golomb(data, state):  # type: ignore[no-untyped-def]
    # at least 1
    n, state = _plain(data, state, 4)
    if n < 2:
        return np.int64(1), state
    v, state = _plain(data, state, n - 1)
    return (np.int64(1) << (n - 1)) | v, state


@jit
def _magnitude(data, state, chance, seen, c, top):  # type: ignore[no-untyped-def]
    # 1 .. top in contexts c + 1 .. c + 6
    v: Any = np.int64(1)
    while v < 9 and v < top:
        bit, state = _bit(data, state, chance, seen, c + min(v, 6))
        if not bit:
            return v, state
        v += 1
    if v == 9:
        more, state = _golomb(data, state)
        return 8 + more, state
    return v, state


@jit
def _difference(data, state, chance, seen, stray):  # type: ignore[no-untyped-def]
    # of DC
    g = 0
    if stray >= 24:
        g = 4
    elif stray >= 11:
        g = 3
    elif stray >= 5:
        g = 2
    elif stray >= 2:
        g = 1
    k = max(0, g - 1)
    v: Any = np.int64(0)
    bit = 1
    while v < 9 and bit:
        bit, state = _bit(data, state, chance, seen, 152 + 8 * g + min(v, 7))
        v += bit
    if v == 9:
        more, state = _golomb(data, state)
        v = 8 + more
    low, state = _plain(data, state, k)
    v = (v << k) | low
    if v:
        bit, state = _plain(data, state, 1)
        if bit:
            v = -v
    return v, state


@jit
def _unit(data, state, chance, seen, mag, neg, block, u, plane, known, alone, orphan, levels, means):  # type: ignore[no-untyped-def]
    # the coefficients of one unit; mag, neg: (blocks, 63)
    first, last = (0, 6) if u == 0 else (0, 1)
    for band in range(first, last):
        depth = 2 if u else band // 3
        f = u - 1 if u else band % 3
        weight = 3 - depth - (1 if f == 2 else 0)
        sb = max(0, plane - weight)
        sa = 16 if known == 31 else max(0, known - weight)
        left_open = sa - sb
        if left_open <= 0:
            continue
        n = 1 << depth
        at = 21 * f + (0 if depth == 0 else 1 if depth == 1 else 5)
        up = 21 * f + (0 if depth == 1 else 1)  # the parents
        if depth == 2 and known == 31:
            s: Any = np.int64(0)
            if not orphan:
                for i in range(4):
                    s += mag[block, up + i]
            m = (s + 1) >> 1
            if not alone:
                m = 0 * s
                for y in range(4):
                    m += mag[block - 1, at + 4 * y + 3]
            bit, state = _bit(data, state, chance, seen, 72 + 4 * min(s, 4) + min(m, 3))
            if not bit:
                for i in range(16):
                    mag[block, at + i] = 0
                    neg[block, at + i] = 0
                continue
        for y in range(n):
            for x in range(n):
                parent: Any = np.int64(0)
                if depth and not orphan:
                    parent = np.int64(mag[block, up + ((y >> 1) * 2 + (x >> 1) if depth == 2 else 0)])
                fill = (parent + 1) >> 1
                here = at + n * y + x
                left = fill
                if x:
                    left = np.int64(mag[block, here - 1])
                elif not alone:
                    left = np.int64(mag[block - 1, here + n - 1])
                s = 2 * left + 2 * parent
                if y == 0:
                    s += 4 * fill
                else:
                    s += 2 * mag[block, here - n]
                    if x:
                        s += mag[block, here - n - 1]
                    elif not alone:
                        s += mag[block - 1, here - 1]
                    else:
                        s += fill
                    s += mag[block, here - n + 1] if x < n - 1 else fill
                level = levels[min(s, 95)]
                before: Any = np.int64(0) if known == 31 else np.int64(mag[block, here])
                if before == 0:
                    top = (1 << left_open) - 1 if left_open < 5 else 30
                    v: Any = np.int64(0)
                    sign: Any = np.int64(0)
                    bit, state = _bit(data, state, chance, seen, 24 * depth + (12 if f == 2 else 0) + level)
                    if bit:
                        v, state = _magnitude(
                            data, state, chance, seen, 91 + 6 * means[level] + (30 if depth == 2 else 0), top
                        )
                        sign, state = _plain(data, state, 1)
                    mag[block, here] = min(v, _LARGEST)
                    neg[block, here] = sign
                else:
                    high, state = _bit(data, state, chance, seen, 193 + min(before, 3))
                    v, state = _plain(data, state, left_open - 1)
                    v |= np.int64(high) << (left_open - 1)
                    mag[block, here] = min((before << left_open) | v, _LARGEST)
    return state


@jit
def decode_base(data, chance, seen, par, dc, mag, neg, quality, plane, levels, means):  # type: ignore[no-untyped-def]
    """One base slot; chance and seen are contexts(), changed. par: first block, blocks, columns, first unit, last unit, quality,
    fine, gaps, depth. Out, by block: dc int64 (quantiser's index), mag int32 (63), neg uint8 (63), quality int16 (of fine steps
    + 256), plane int8 (4 units).

    The plane of a fine picture's unit is 0. Returns the blocks that got something."""
    first, count, columns, begun, ended, q, fine, gaps, depth = par
    state = _start(data)
    before: Any = np.int64(0)
    stray: Any = np.int64(8)
    absolute = True
    block = first
    end = first + count
    done = 0
    while block < end:
        if block != first:
            jump = False
            if gaps:
                bit, state = _bit(data, state, chance, seen, 193)
                if bit:
                    jump = True
                    gap, state = _plain(data, state, 8)
                    block += gap + 1
                    if block >= end:
                        break
            run = jump or block % columns == 0
            if run:
                bit, state = _bit(data, state, chance, seen, 192)
                if bit:
                    q, state = _plain(data, state, 8)
        else:
            run = True
        to = 0 if fine else min(q >> 4, 15)
        for u in range(begun if block == first else 0, (ended if block == end - 1 else 3) + 1):
            if u == 0:
                if absolute:
                    n = max(1, depth + 8 - (q >> 4)) if fine else depth + 4
                    v, state = _plain(data, state, n)
                    v -= 1 << (n - 1)
                    stray = np.int64(8)
                    absolute = False
                else:
                    v, state = _difference(data, state, chance, seen, stray)
                    stray = (abs(v) + stray + 1) >> 1
                    v += before
                before = min(max(v, -_LARGEST), _LARGEST)
                dc[block] = before
            alone = run or (block == first + 1 and u < begun)
            state = _unit(
                data,
                state,
                chance,
                seen,
                mag,
                neg,
                block,
                u,
                to,
                31,
                alone,
                block == first and begun > 0,
                levels,
                means,
            )
            plane[block, u] = to
        quality[block] = q + (256 if fine else 0)
        done += 1
        block += 1
    return done


@jit
def decode_refinement(data, chance, seen, par, dc, mag, neg, quality, plane, levels, means):  # type: ignore[no-untyped-def]
    """One slot of a refinement; chance and seen as above. par: first block, blocks, columns, first unit, last unit, to plane, layer.

    Returns 1, or 0 when what it refines is not there (yet), or is finer already; then nothing is changed."""
    first, count, columns, begun, ended, to, layer = par
    if first + count > len(dc):
        return 0
    for block in range(first, first + count):
        if quality[block] < 0 or quality[block] > 255:
            return 0
        known = min(quality[block] >> 4, 15)
        if layer == 3:
            known = min(known, 2)
        for u in range(begun if block == first else 0, (ended if block == first + count - 1 else 3) + 1):
            if plane[block, u] != known:
                return 0
    state = _start(data)
    for block in range(first, first + count):
        known = min(quality[block] >> 4, 15)
        if layer == 3:
            known = min(known, 2)
        goal = min(to, known)
        run = block == first or block % columns == 0
        for u in range(begun if block == first else 0, (ended if block == first + count - 1 else 3) + 1):
            if u == 0:
                n = max(0, known - 3) - max(0, goal - 3)
                if n:
                    v, state = _plain(data, state, n)
                    dc[block] = (dc[block] << n) | v
            alone = run or (block == first + 1 and u < begun)
            state = _unit(
                data,
                state,
                chance,
                seen,
                mag,
                neg,
                block,
                u,
                goal,
                known,
                alone,
                block == first and begun > 0,
                levels,
                means,
            )
            plane[block, u] = goal
    return 1
