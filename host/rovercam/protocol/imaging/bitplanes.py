"""Bit-plane decoder of CCSDS 122.0-B-2 section 4: one segment's bits to coefficients, from as many bits as there are.

A block's 63 AC coefficients are numbered family * 21 + (0 parent, 1-4 children, 5-20 grandchildren: group H_j at 5 + 4j),
families HL, LH, HH. Values are weighted as on the wire (subband weights of table 3-4).
"""

from __future__ import annotations

import numpy as np

from ._jit import jit

_family = np.array([3] + [2] * 4 + [1] * 16, np.int64)
WEIGHTS = np.concatenate([_family, _family, _family - 1])  # weight exponents of the 63 coefficients


@jit
def _bits(data, st, n):  # type: ignore[no-untyped-def]
    # n bits from bit st[0] on, or -1 when they are not all there
    pos = st[0]
    if pos + n > st[1]:
        return -1
    v = 0
    left = n
    while left > 0:
        free = 8 - (pos & 7)
        take = free if free < left else left
        v = (v << take) | ((np.int64(data[pos >> 3]) >> (free - take)) & ((1 << take) - 1))
        pos += take
        left -= take
    st[0] = pos
    return v


@jit
def _word(data, st, table, length, column, options, slot):  # type: ignore[no-untyped-def]
    # one coded word; options[slot + length] is the gaggle's option for this length, -1 = not yet announced
    if length == 1:
        return _bits(data, st, 1)
    if options[slot + length] < 0:
        k = _bits(data, st, 1 if length == 2 else 2)
        if k < 0:
            return -1
        if length == 2 and k == 1:
            k = 3
        if length == 3 and k == 2:
            k = 3  # not a code of the standard
        options[slot + length] = k
    pos = st[0]
    at = pos >> 3
    w = np.int64(0)
    if at < len(data):
        w = np.int64(data[at]) << 8
    if at + 1 < len(data):
        w = w | np.int64(data[at + 1])
    hit = np.int64(table[length, column, options[slot + length], (w >> (8 - (pos & 7))) & 255])
    n = hit >> 4
    if n == 0 or pos + n > st[1]:
        return -1
    st[0] = pos + n
    return hit & 15


@jit
def _series(data, st, values, count, n, signed):  # type: ignore[no-untyped-def]
    # coded values of n bits: DC (signed) or AC depths; returns how many were decoded
    if n == 1:
        for i in range(count):
            v = _bits(data, st, 1)
            if v < 0:
                return i
            values[i] = -v if signed else v
        return count
    lowest = -(1 << (n - 1)) if signed else 0
    highest = lowest + (1 << n) - 1
    id_bits = 1 if n == 2 else (2 if n <= 4 else (3 if n <= 8 else 4))
    split = np.zeros(16, np.int64)
    i = 0
    while i < count:
        end = min(i + 16, count)
        k = _bits(data, st, id_bits)
        if k < 0:
            return i
        raw = k == (1 << id_bits) - 1
        start = i
        if i == 0:
            v = _bits(data, st, n)
            if v < 0:
                return 0
            values[0] = v - (1 << n) if signed and v >= 1 << (n - 1) else v
            start = 1
        got = end - start
        if not raw:
            for j in range(start, end):
                z = 0
                while True:
                    b = _bits(data, st, 1)
                    if b != 0:
                        break
                    z += 1
                if b < 0:
                    got = j - start
                    break
                split[j - start] = z
        for j in range(start, start + got):
            v = _bits(data, st, n if raw else k)
            if v < 0:
                return j
            if not raw:
                v |= split[j - start] << k
            before = values[j - 1]
            t = min(before - lowest, highest - before)
            if v <= 2 * t:
                d = v >> 1 if v & 1 == 0 else -((v + 1) >> 1)
            else:
                d = v - t
                d = v - t if before - lowest < highest - before else t - v
            x = before + d
            values[j] = min(max(x, lowest), highest)
        if got < end - start:
            return start + got
        i = end
    return count


@jit
def decode_segment(data, st, par, table, weights, dc, dc_low, mag, neg, low):  # type: ignore[no-untyped-def]
    """Decode one segment's body.

    data: uint8 array; st: int64[2], next bit and end bit (moved on); par: int64[6] = blocks S, BitDepthDC, BitDepthAC,
    DCStop, BitPlaneStop, StageStop. Out: dc int64[S] (weighted, unknown low bits zero), dc_low int64[S] (unknown bits;
    99 = nothing known), mag int32[S, 63], neg uint8[S, 63], low uint8[S, 63] (lowest plane known).
    Returns 1 when the whole segment was there, else 0. Never raises on any bits."""
    count, dc_bits, ac_bits, dc_stop, plane_stop, stage_stop = par[0], par[1], par[2], par[3], par[4], par[5]
    for i in range(count):
        dc_low[i] = 99
        for k in range(63):
            low[i, k] = ac_bits
    half = 1 + (ac_bits >> 1)
    if dc_bits <= 3:
        q = 0
    elif dc_bits - half <= 1:
        q = dc_bits - 3
    elif dc_bits - half > 10:
        q = dc_bits - 10
    else:
        q = half
    q = max(q, 3)
    n = max(dc_bits - q, 1)
    got = _series(data, st, dc, count, n, True)
    for i in range(got):
        dc[i] <<= q
        dc_low[i] = q
    if got < count:
        return 0
    for b in range(q - 1, max(ac_bits, 3) - 1, -1):
        for i in range(count):
            v = _bits(data, st, 1)
            if v < 0:
                return 0
            dc[i] |= v << b
            dc_low[i] = b
    if dc_stop or (plane_stop > 0 and plane_stop >= ac_bits):
        return 1
    depth = np.zeros(count, np.int64)
    if ac_bits:
        n = 0
        while ac_bits >> n:
            n += 1
        if _series(data, st, depth, count, n, False) < count:
            return 0
    for i in range(count):
        for k in range(63):
            low[i, k] = depth[i]
    gaggles = (count + 15) >> 4
    # bit k set: something in set k was significant in an earlier plane (0-2: D_i, 3-5: G_i, 6-17: H_ij); 18: any D
    sets = np.zeros(count, np.int64)
    options = np.empty(5 * gaggles, np.int64)
    was = np.zeros((count, 63), np.uint8)  # significant before this plane
    for b in range(ac_bits - 1, plane_stop - 1, -1):
        if b >= 3 and b < q:
            for i in range(count):
                v = _bits(data, st, 1)
                if v < 0:
                    return 0
                dc[i] |= v << b
                dc_low[i] = b
        last = stage_stop if b == plane_stop else 3
        options[:] = -1
        now = sets.copy()
        # stage 1
        for i in range(count):
            if depth[i] <= b:
                continue
            n = 0
            for f in range(3):
                k = 21 * f
                if b >= weights[k] and was[i, k] == 0:
                    n += 1
            if n:
                w = _word(data, st, table, n, 0, options, 5 * (i >> 4))
                if w < 0:
                    return 0
                for f in range(3):
                    k = 21 * f
                    if b >= weights[k] and was[i, k] == 0:
                        n -= 1
                        if (w >> n) & 1:
                            mag[i, k] |= 1 << b
                        else:
                            low[i, k] = b
                for f in range(3):
                    k = 21 * f
                    if b >= weights[k] and was[i, k] == 0 and mag[i, k] >> b:
                        v = _bits(data, st, 1)
                        if v < 0:
                            mag[i, k] = 0
                            return 0
                        neg[i, k] = v
                        low[i, k] = b
        if last == 0:
            return 1
        # stage 2
        for i in range(count):
            if depth[i] <= b:
                continue
            if not (now[i] >> 18) & 1:
                valid = False
                for f in range(3):
                    if b >= weights[21 * f + 5]:
                        valid = True
                if not valid:
                    continue
                v = _bits(data, st, 1)
                if v < 0:
                    return 0
                if v == 0:
                    for k in range(63):
                        if k % 21:
                            low[i, k] = min(b, low[i, k])
                    continue
                now[i] |= 1 << 18
            n = 0
            for f in range(3):
                if b >= weights[21 * f + 5] and not (now[i] >> f) & 1:
                    n += 1
            if n:
                w = _word(data, st, table, n, 1 if n == 3 else 0, options, 5 * (i >> 4))
                if w < 0:
                    return 0
                for f in range(3):
                    if b >= weights[21 * f + 5] and not (now[i] >> f) & 1:
                        n -= 1
                        if (w >> n) & 1:
                            now[i] |= 1 << f
                        else:
                            for k in range(21 * f + 1, 21 * f + 21):
                                low[i, k] = min(b, low[i, k])
            for f in range(3):
                if not (now[i] >> f) & 1 or b < weights[21 * f + 1]:
                    continue
                n = 0
                for k in range(21 * f + 1, 21 * f + 5):
                    if was[i, k] == 0:
                        n += 1
                if n == 0:
                    continue
                w = _word(data, st, table, n, 0, options, 5 * (i >> 4))
                if w < 0:
                    return 0
                for k in range(21 * f + 1, 21 * f + 5):
                    if was[i, k] == 0:
                        n -= 1
                        if (w >> n) & 1:
                            mag[i, k] |= 1 << b
                        else:
                            low[i, k] = b
                for k in range(21 * f + 1, 21 * f + 5):
                    if was[i, k] == 0 and mag[i, k] >> b:
                        v = _bits(data, st, 1)
                        if v < 0:
                            for m in range(k, 21 * f + 5):
                                if was[i, m] == 0:
                                    mag[i, m] = 0
                            return 0
                        neg[i, k] = v
                        low[i, k] = b
        if last == 1:
            return 1
        # stage 3
        for i in range(count):
            if depth[i] <= b or not (now[i] >> 18) & 1:
                continue
            n = 0
            for f in range(3):
                if (now[i] >> f) & 1 and b >= weights[21 * f + 5] and not (now[i] >> (3 + f)) & 1:
                    n += 1
            if n:
                w = _word(data, st, table, n, 0, options, 5 * (i >> 4))
                if w < 0:
                    return 0
                for f in range(3):
                    if (now[i] >> f) & 1 and b >= weights[21 * f + 5] and not (now[i] >> (3 + f)) & 1:
                        n -= 1
                        if (w >> n) & 1:
                            now[i] |= 1 << (3 + f)
                        else:
                            for k in range(21 * f + 5, 21 * f + 21):
                                low[i, k] = min(b, low[i, k])
            for f in range(3):
                if not (now[i] >> (3 + f)) & 1 or b < weights[21 * f + 5]:
                    continue
                n = 0
                for j in range(4):
                    if not (now[i] >> (6 + 4 * f + j)) & 1:
                        n += 1
                if n:
                    w = _word(data, st, table, n, 1 if n == 4 else 0, options, 5 * (i >> 4))
                    if w < 0:
                        return 0
                    for j in range(4):
                        if not (now[i] >> (6 + 4 * f + j)) & 1:
                            n -= 1
                            if (w >> n) & 1:
                                now[i] |= 1 << (6 + 4 * f + j)
                            else:
                                for k in range(21 * f + 5 + 4 * j, 21 * f + 9 + 4 * j):
                                    low[i, k] = min(b, low[i, k])
            for f in range(3):
                if not (now[i] >> (3 + f)) & 1 or b < weights[21 * f + 5]:
                    continue
                for j in range(4):
                    if not (now[i] >> (6 + 4 * f + j)) & 1:
                        continue
                    first = 21 * f + 5 + 4 * j
                    n = 0
                    for k in range(first, first + 4):
                        if was[i, k] == 0:
                            n += 1
                    if n == 0:
                        continue
                    w = _word(data, st, table, n, 1 if n == 4 else 0, options, 5 * (i >> 4))
                    if w < 0:
                        return 0
                    for k in range(first, first + 4):
                        if was[i, k] == 0:
                            n -= 1
                            if (w >> n) & 1:
                                mag[i, k] |= 1 << b
                            else:
                                low[i, k] = b
                    for k in range(first, first + 4):
                        if was[i, k] == 0 and mag[i, k] >> b:
                            v = _bits(data, st, 1)
                            if v < 0:
                                for m in range(k, first + 4):
                                    if was[i, m] == 0:
                                        mag[i, m] = 0
                                return 0
                            neg[i, k] = v
                            low[i, k] = b
        if last == 2:
            return 1
        # stage 4: parents, then children, then grandchildren
        for i in range(count):
            if depth[i] <= b:
                continue
            for part in range(3):
                start = 0 if part == 0 else (1 if part == 1 else 5)
                end = 1 if part == 0 else (5 if part == 1 else 21)
                for f in range(3):
                    if b < weights[21 * f + start]:
                        continue
                    for k in range(21 * f + start, 21 * f + end):
                        if was[i, k]:
                            v = _bits(data, st, 1)
                            if v < 0:
                                return 0
                            mag[i, k] |= v << b
                            low[i, k] = b
        for i in range(count):
            sets[i] = now[i]
            if depth[i] > b:
                for k in range(63):
                    if mag[i, k]:
                        was[i, k] = 1
    for i in range(count):
        for k in range(63):
            low[i, k] = plane_stop
    return 1
