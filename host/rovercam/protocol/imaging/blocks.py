"""Blocks of a slot from its bits: the arithmetic decoder and the model of firmware rover/imaging/blocks.py, which says what the decisions are.

A block has 63 coefficients, numbered family * 21 + (0 parent, 1-4 children, 5-20 grandchildren, both row by row), families HL, LH, HH, in four units:
DC, parents and children; then the grandchildren of each family. Any bits give some coefficients; nothing is ever raised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit

CONTEXTS = 200
NOTHING = 31  # plane of a unit of which nothing is known
BITS = 30  # of the coder's window

_LIMITS = (1, 2, 3, 5, 7, 10, 14, 20, 30, 48, 80)
LEVELS = np.array([sum(s >= limit for limit in _LIMITS) for s in range(96)], np.int64)
MEANS = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4], np.int64)

# the decoder's state: next bit, window less the low end, range
_AT, _CODE, _RANGE = range(3)
# counts and values are Any to the type checker: NumPy or Python integers, by whether this is compiled
_LARGEST = 1 << 15  # magnitudes and DC stay below, whatever the bits say


@jit
def _start(data, st):  # type: ignore[no-untyped-def]
    st[0] = 0
    st[1] = 0
    st[2] = 1 << 30
    st[1] = _next(data, st, 30)


@jit
def _next(data, st, n):  # type: ignore[no-untyped-def]
    # n bits of the body; behind its end are zeros
    at = st[0]
    v: Any = np.int64(0)
    for i in range(at, at + n):
        bit = np.int64(0)
        if (i >> 3) < len(data):
            bit = (np.int64(data[i >> 3]) >> (7 - (i & 7))) & 1
        v = (v << 1) | bit
    st[0] = at + n
    return v


@jit
def _bit(data, st, chance, seen, c):  # type: ignore[no-untyped-def]
    # one decision in context c
    part = (st[2] >> 12) * (chance[c] >> 4)
    step = 65536 // (12 + seen[c])
    if st[1] < part:
        st[2] = part
        chance[c] += ((65536 - chance[c]) * step) >> 16
        bit = 1
    else:
        st[1] -= part
        st[2] -= part
        chance[c] -= (chance[c] * step) >> 16
        bit = 0
    chance[c] = min(max(chance[c], 32), 65503)
    if seen[c] < 35:
        seen[c] += 1
    while st[2] < 0x400000:
        st[1] = (st[1] << 8) | _next(data, st, 8)
        st[2] <<= 8
    return bit


@jit
def _plain(data, st, n):  # type: ignore[no-untyped-def]
    v: Any = np.int64(0)
    for _ in range(n):
        st[2] >>= 1
        v <<= 1
        if st[1] >= st[2]:
            st[1] -= st[2]
            v |= 1
        while st[2] < 0x400000:
            st[1] = (st[1] << 8) | _next(data, st, 8)
            st[2] <<= 8
    return v


@jit
def _golomb(data, st):  # type: ignore[no-untyped-def]
    # at least 1
    n = _plain(data, st, 4)
    if n < 2:
        return np.int64(1)
    return (np.int64(1) << (n - 1)) | _plain(data, st, n - 1)


@jit
def _magnitude(data, st, chance, seen, c, top):  # type: ignore[no-untyped-def]
    # 1 .. top in contexts c + 1 .. c + 6
    v: Any = np.int64(1)
    while v < 9 and v < top:
        if not _bit(data, st, chance, seen, c + min(v, 6)):
            return v
        v += 1
    if v == 9:
        return 8 + _golomb(data, st)
    return v


@jit
def _difference(data, st, chance, seen, stray):  # type: ignore[no-untyped-def]
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
    while v < 9 and _bit(data, st, chance, seen, 152 + 8 * g + min(v, 7)):
        v += 1
    if v == 9:
        v = 8 + _golomb(data, st)
    v = (v << k) | _plain(data, st, k)
    if v and _plain(data, st, 1):
        return -v
    return v


@jit
def _unit(data, st, chance, seen, mag, neg, block, u, plane, known, alone, orphan, levels, means):  # type: ignore[no-untyped-def]
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
            if not _bit(data, st, chance, seen, 72 + 4 * min(s, 4) + min(m, 3)):
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
                    sign = 0
                    if _bit(data, st, chance, seen, 24 * depth + (12 if f == 2 else 0) + level):
                        v = _magnitude(data, st, chance, seen, 91 + 6 * means[level] + (30 if depth == 2 else 0), top)
                        sign = _plain(data, st, 1)
                    mag[block, here] = min(v, _LARGEST)
                    neg[block, here] = sign
                else:
                    v = np.int64(_bit(data, st, chance, seen, 193 + min(before, 3)))
                    v = (v << (left_open - 1)) | _plain(data, st, left_open - 1)
                    mag[block, here] = min((before << left_open) | v, _LARGEST)


@jit
def _reset(start, chance, seen):  # type: ignore[no-untyped-def]
    for i in range(200):
        chance[i] = start[i] * 256 + 128
        seen[i] = 0


@jit
def decode_base(data, start, par, dc, mag, neg, quality, plane, levels, means):  # type: ignore[no-untyped-def]
    """One base slot. par: first block, blocks, columns, first unit, last unit, quality, fine, gaps, depth. Out, by block: dc int64
    (quantiser's index), mag int32 (63), neg uint8 (63), quality int16 (of fine steps + 256), plane int8 (4 units).

    The plane of a fine picture's unit is 0. Returns the blocks that got something."""
    first, count, columns, begun, ended, q, fine, gaps, depth = par
    st = np.zeros(3, np.int64)
    chance = np.zeros(200, np.int64)
    seen = np.zeros(200, np.int64)
    _reset(start, chance, seen)
    _start(data, st)
    before: Any = np.int64(0)
    stray: Any = np.int64(8)
    absolute = True
    block = first
    end = first + count
    done = 0
    while block < end:
        if block != first:
            jump = False
            if gaps and _bit(data, st, chance, seen, 193):
                jump = True
                block += _plain(data, st, 8) + 1
                if block >= end:
                    break
            run = jump or block % columns == 0
            if run and _bit(data, st, chance, seen, 192):
                q = _plain(data, st, 8)
        else:
            run = True
        to = 0 if fine else min(q >> 4, 15)
        for u in range(begun if block == first else 0, (ended if block == end - 1 else 3) + 1):
            if u == 0:
                if absolute:
                    n = max(1, depth + 8 - (q >> 4)) if fine else depth + 4
                    v = _plain(data, st, n) - (1 << (n - 1))
                    stray = np.int64(8)
                    absolute = False
                else:
                    v = _difference(data, st, chance, seen, stray)
                    stray = (abs(v) + stray + 1) >> 1
                    v += before
                before = min(max(v, -_LARGEST), _LARGEST)
                dc[block] = before
            alone = run or (block == first + 1 and u < begun)
            _unit(
                data, st, chance, seen, mag, neg, block, u, to, 31, alone, block == first and begun > 0, levels, means
            )
            plane[block, u] = to
        quality[block] = q + (256 if fine else 0)
        done += 1
        block += 1
    return done


@jit
def decode_refinement(data, start, par, dc, mag, neg, quality, plane, levels, means):  # type: ignore[no-untyped-def]
    """One slot of a refinement. par: first block, blocks, columns, first unit, last unit, to plane, layer.

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
    st = np.zeros(3, np.int64)
    chance = np.zeros(200, np.int64)
    seen = np.zeros(200, np.int64)
    _reset(start, chance, seen)
    _start(data, st)
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
                    dc[block] = (dc[block] << n) | _plain(data, st, n)
            alone = run or (block == first + 1 and u < begun)
            _unit(
                data,
                st,
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
