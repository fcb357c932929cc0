"""Bit-plane coder of CCSDS 122.0-B-2 section 4: one segment of up to `size` blocks at a time, out as bytes.

A block's 63 AC coefficients are three 21-bit words (kernels.masks), so that all its sets (descendants D_i, grandchildren
G_i, groups H_ij) are mask tests, and what was sent follows from the bits already significant. Stages 1-3 of a plane are
written as 16-bit entries (word, length, column, signs), then the code options of each gaggle are chosen over them, then
the entries are coded. Memory: 70 bytes per block in the arena and 1.8 KB of tables.
"""

import sys
from array import array

import micropython
from micropython import const

from rover import imaging

try:
    from rover.imaging.planes_thumb import emit, masks, refine, signs, words  # noqa: F401
except Exception:  # another processor, or a compiler without inline assembler: the portable form
    from rover.imaging.kernels import masks, signs  # type: ignore[assignment]
    from rover.imaging.planes import emit, refine, words  # type: ignore[assignment]  # noqa: F401

# state words per block: significant masks (3), sign masks (3), bits of the plane (3)
_STATE = const(36)
# entries of 2 bytes per block and stage, at most: types P; tranB, tranD, 3 types C; tranG, 3 tranH, 12 types H
_E1 = const(1)
_E2 = const(5)
_E3 = const(16)
# bytes one gaggle can need in one stage, at most (stage 3: 16 blocks of 16 words of 8 + 4 bits)
_ROOM = const(400)
_OUT = const(608)

# state of the writer and arguments of the kernels, an array('i')
_POS = const(0)
_ACC = const(1)
_BITS = const(2)


@micropython.viper
def put(out: ptr8, c: ptr32, value: int, n: int):
    """Append n <= 16 bits."""
    acc = (c[1] << n) | value
    bits = c[2] + n
    pos = c[0]
    while bits >= 8:
        bits -= 8
        out[pos] = acc >> bits
        pos += 1
    c[0] = pos
    c[1] = acc & ((1 << bits) - 1)
    c[2] = bits


@micropython.viper
def _dpcm(v: ptr16, n: int, lowest: int, highest: int):
    # differences of successive values, mapped to 0, 1, 2 ... in place, from the last (122.0-B-2 4.3.2.4); v is biased by lowest
    i = n - 1
    span = highest - lowest
    while i > 0:
        before = v[i - 1]
        d = v[i] - before
        t = before
        if span - before < t:
            t = span - before
        if d >= 0:
            if d <= t:
                d = d << 1
            else:
                d = t + d
        elif d >= 0 - t:
            d = ((0 - d) << 1) - 1
        else:
            d = t - d
        v[i] = d
        i -= 1


@micropython.viper
def _rice_k(v: ptr16, j: int, n: int, optimal: int) -> int:
    # parameter k for j mapped differences of n-bit values; -1 = uncoded (4.3.2.11 and table 4-10)
    i = 0
    best = n * j
    k = -1
    if optimal:
        t = 0
        while t <= n - 2:
            s = j * (t + 1)
            i = 0
            while i < j:
                s += v[i] >> t
                i += 1
            if s < best:
                best = s
                k = t
            t += 1
        return k
    s = 0
    while i < j:
        s += v[i]
        i += 1
    if 64 * s >= 23 * j * (1 << n):
        return -1
    if 207 * j > 128 * s:
        return 0
    if (j << (n + 5)) <= 128 * s + 49 * j:
        return n - 2
    k = n - 2
    while k > 0 and (j << (k + 7)) > 128 * s + 49 * j:
        k -= 1
    return k


@micropython.viper
def _depths(st: ptr32, a: ptr8, p: ptr32, depth: ptr8) -> int:
    # bits of the largest weighted magnitude of each block, from the ORs that signs() left in the sign words; returns the largest
    n = p[0]
    i = 0
    top = 0
    base = int(a)
    while i < n:
        m = 0
        f = 0
        while f < 3:
            w = st[3 * i + f]
            pr = ptr16(base + p[1 + 7 * f])
            sh = 1
            if f == 2:
                sh = 0
            m |= (w & 0xFFFF) << sh
            m |= ((w >> 16) & 0xFFFF) << (sh + 1)
            m |= (pr[i] & 0x7FFF) << (sh + 2)
            f += 1
        d = 0
        while m:
            m = m >> 1
            d += 1
        depth[i] = d
        if d > top:
            top = d
        i += 1
    return top


@micropython.viper
def _dc_bits(a: ptr8, args: ptr32, shift: int) -> int:
    # one bit plane of the (biased) DC coefficients of blocks args[5] .. args[6], while there is room
    base = int(a)
    dc = ptr16(base + args[19])
    out = ptr8(base + args[18])
    i = args[5]
    n = args[6]
    pos = args[0]
    acc = args[1]
    bits = args[2]
    limit = args[16]
    while i < n and pos < limit:
        acc = (acc << 1) | ((dc[i] >> shift) & 1)
        bits += 1
        if bits == 8:
            out[pos] = acc
            pos += 1
            acc = 0
            bits = 0
        i += 1
    args[0] = pos
    args[1] = acc
    args[2] = bits
    return i


@micropython.viper
def _start(s: ptr32, signs: ptr32, n: int):
    # nothing significant; the sign words (3 per block) move behind the significant ones
    i = n - 1
    while i >= 0:
        s[6 * i] = 0
        s[6 * i + 1] = 0
        s[6 * i + 2] = 0
        s[6 * i + 3] = signs[3 * i]
        s[6 * i + 4] = signs[3 * i + 1]
        s[6 * i + 5] = signs[3 * i + 2]
        i -= 1


@micropython.viper
def _dc_depth(dc: ptr16, n: int) -> int:
    # two's complement bits of the largest unweighted coefficient; dc is biased by 0x8000
    top = 0
    i = 0
    while i < n:
        v = dc[i] - 0x8000
        if v < 0:
            v = -1 - v
        top |= v
        i += 1
    d = 1
    while top:
        top = top >> 1
        d += 1
    return d


@micropython.viper
def _quantised(dc: ptr16, v: ptr16, n: int, shift: int):
    # the upper bits of DC, counted from the lowest value of their word length (so never negative)
    bias = v[0]
    i = 0
    while i < n:
        v[i] = ((dc[i] - 0x8000) >> shift) + bias
        i += 1


@micropython.viper
def _widen(depth: ptr8, v: ptr16, n: int):
    i = 0
    while i < n:
        v[i] = depth[i]
        i += 1


@micropython.viper
def _raw(v: ptr16, j: int, c: ptr32, out: ptr8):
    # the low c[10] bits of each of j values
    n = c[10]
    pos = c[0]
    acc = c[1]
    bits = c[2]
    m = (1 << n) - 1
    i = 0
    while i < j:
        acc = (acc << n) | (v[i] & m)
        bits += n
        while bits >= 8:
            bits -= 8
            out[pos] = acc >> bits
            pos += 1
        acc = acc & 0xFF
        i += 1
    c[0] = pos
    c[1] = acc & ((1 << bits) - 1)
    c[2] = bits


@micropython.viper
def _unary(v: ptr16, j: int, c: ptr32, out: ptr8):
    # v >> c[10] zeros and a one, each
    k = c[10]
    pos = c[0]
    acc = c[1]
    bits = c[2]
    i = 0
    while i < j:
        z = v[i] >> k
        while z >= 8:
            acc = acc << 8
            out[pos] = acc >> bits
            pos += 1
            z -= 8
        acc = (acc << (z + 1)) | 1
        bits += z + 1
        while bits >= 8:
            bits -= 8
            out[pos] = acc >> bits
            pos += 1
        acc = acc & 0xFF
        i += 1
    c[0] = pos
    c[1] = acc & ((1 << bits) - 1)
    c[2] = bits


def tables():
    """The table of codewords.py; that module's code leaves the heap again."""
    from rover.imaging.codewords import tables as make

    table = make()
    del imaging.codewords, sys.modules["rover.imaging.codewords"]
    return table


def state_bytes(size):
    """Bytes of arena that a Coder for segments of `size` blocks needs."""
    return (_STATE + 2 * (_E1 + _E2 + _E3) + 2 + 1) * size + 8 * ((size + 15) >> 4) + 16 + _OUT


class Stop(Exception):
    """The sink wants no more of this segment."""


class Coder:
    """Codes blocks that lie in a Wavelet's rows, one segment at a time: load(), then header and encode().

    The bits of a segment go to sink(memoryview) as they come; when it returns True the rest of the segment is not coded."""

    def __init__(self, wavelet, at, size, sink, table=None):
        """at: offset of state_bytes(size) bytes in the wavelet's arena, size: blocks of the longest segment."""
        self.wavelet = wavelet
        self.size = size
        self.sink = sink
        self.table = table or tables()
        a = self._arena = wavelet.arena
        self.c = c = array("i", [0] * 32)  # 20 on: the assembler kernels' own
        at += -(wavelet.base + at) & 3
        c[12] = at
        c[13] = at + 24 * size
        c[17] = c[13] + 12 * size
        c[14] = c[17] + 8 * ((size + 15) >> 4)
        c[19] = c[14] + 2 * (_E1 + _E2 + _E3) * size
        c[15] = c[19] + 2 * size
        c[18] = c[15] + size
        self.end = c[18] + _OUT
        if self.end > len(a):
            raise MemoryError("segments of %d blocks need %d bytes of arena, has %d" % (size, self.end, len(a)))
        c[16] = _OUT - _ROOM  # drained from here on; a sink may lower it
        m = memoryview(a)
        self._significant = m[c[12] : c[13]]
        self._signs = m[c[12] : c[13]]
        self._plane = m[c[13] : c[17]]
        self._values = m[c[14] : c[14] + 2 * size]  # DC and depth differences, before there are entries
        self._g = m[c[17] : c[14]]
        self._dc = m[c[19] : c[15]]
        self.depths = m[c[15] : c[18]]
        self.out = m[c[18] : self.end]
        self._rows = array("i", [0] * 22)
        self.count = 0

    def convert(self, strip, depths):
        """Turn a finished strip's coefficients into sign and magnitude, once; depths: one byte per block, filled."""
        wide = self.wavelet.wide >> 3
        rows = self._rows
        done = 0
        while done < wide:
            self.wavelet.rows_of(strip, done, rows, 1)
            rows[0] = n = min(self.size, wide - done)
            signs(self._arena, rows, self._plane)
            _depths(self._plane, self._arena, rows, depths[done:])
            done += n

    def load(self, first, count, depths):
        """Blocks first .. first + count - 1 (raster order over the picture's blocks) become the segment; depths: their depths."""
        wide = self.wavelet.wide >> 3
        rows = self._rows
        a = self._arena
        self.first = first
        self.count = count
        self.depths[:count] = depths[:count]
        self.bit_depth_ac = max(depths[:count])
        done = 0
        while done < count:
            strip = (first + done) // wide
            column = (first + done) % wide
            n = min(count - done, wide - column)
            dc = self.wavelet.rows_of(strip, column, rows, 1)
            self._dc[2 * done : 2 * (done + n)] = a[dc : dc + 2 * n]
            rows[0] = n
            masks(a, rows, self._plane[12 * done :], 18)
            done += n
        _start(self._significant, self._plane, count)
        # two's complement bits of the largest weighted DC coefficient (4.3.1); DC is weighted by 2^3
        self.bit_depth_dc = _dc_depth(self._dc, count) + 3

    def _load_plane(self, b):
        rows = self._rows
        wide = self.wavelet.wide >> 3
        done = 0
        while done < self.count:
            strip = (self.first + done) // wide
            column = (self.first + done) % wide
            n = min(self.count - done, wide - column)
            self.wavelet.rows_of(strip, column, rows, 1)
            rows[0] = n
            masks(self._arena, rows, self._plane[12 * done :], b)
            done += n

    def put(self, value, n):
        """Append n bits (header fields)."""
        while n > 16:
            n -= 16
            put(self.out, self.c, value >> n & 0xFFFF, 16)
        put(self.out, self.c, value & ((1 << n) - 1), n)

    def drain(self):
        n = self.c[_POS]
        if n:
            self.c[_POS] = 0
            if self.sink(self.out[:n]):
                raise Stop

    def restart(self):
        self.c[_POS] = self.c[_ACC] = self.c[_BITS] = 0

    def encode(self, optimal_dc=True, optimal_ac=True, dc_stop=False, plane_stop=0, stage_stop=3):
        """Everything behind the segment's header, up to the stop; then padding to a byte."""
        try:
            self._encode(optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop)
            if self.c[_BITS]:
                self.put(0, 8 - self.c[_BITS])
            self.drain()
        except Stop:
            pass

    def _encode(self, optimal_dc, optimal_ac, dc_stop, plane_stop, stage_stop):
        c = self.c
        a = self._arena
        count = self.count
        dc_bits = self.bit_depth_dc
        ac_bits = self.bit_depth_ac
        # 4.3.1.3: how many low planes of DC are left to the bit planes
        c[4] = 31
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
        values = self._values
        bias = 1 << (n - 1)
        values[0] = bias & 0xFF
        values[1] = bias >> 8
        _quantised(self._dc, values, count, q - 3)
        self._series(n, count, optimal_dc, True)
        for b in range(q - 1, max(ac_bits, 3) - 1, -1):
            self._dc_plane(b)
        if dc_stop or plane_stop >= ac_bits:  # 4.2.3.2.2
            return
        if ac_bits:
            n = 0
            while ac_bits >> n:
                n += 1
            _widen(self.depths, values, count)
            self._series(n, count, optimal_ac, False)
        table = self.table
        whole = self._rows[0] == count  # all in one strip: the offsets are still there
        for b in range(ac_bits - 1, plane_stop - 1, -1):
            if 3 <= b < q:
                self._dc_plane(b)
            if whole:
                masks(a, self._rows, self._plane, b)
            else:
                self._load_plane(b)
            if c[0]:
                self.drain()  # what follows belongs to this plane, to the byte
            last = stage_stop if b == plane_stop else 3
            c[4] = b
            c[3] = c[5] = c[11] = 0
            c[6] = count
            c[10] = min(last, 2)
            words(a, c, table)
            while True:
                emit(a, c, table)
                if c[3] > c[10]:
                    break
                self.drain()
            if last < 3:
                return
            c[3] = 3
            c[5] = 0
            while True:
                if c[0] >= c[16]:
                    self.drain()
                if refine(a, c, table) == count:
                    break

    def _room(self):
        if self.c[_POS] >= self.c[16]:
            self.drain()

    def _dc_plane(self, b):
        c = self.c
        c[5] = 0
        c[6] = self.count
        while c[5] < self.count:
            self._room()
            c[5] = _dc_bits(self._arena, c, b - 3)

    def _series(self, n, count, optimal, signed):
        # the values in _values: raw bits for n = 1, else differences in gaggles of 16 (4.3.2, 4.4)
        c = self.c
        v = self._values
        out = self.out
        i = 0
        if n == 1:
            while i < count:
                self._room()
                j = min(i + 16, count)
                c[10] = 1
                _raw(v[2 * i :], j - i, c, out)
                i = j
            return
        _dpcm(v, count, 0, (1 << n) - 1)
        id_bits = 1 if n == 2 else 2 if n <= 4 else 3 if n <= 8 else 4
        while i < count:
            self._room()
            j = min(i + 16, count)
            first = 1 if i == 0 else 0
            part = v[2 * (i + first) :]
            m = j - i - first
            k = _rice_k(part, m, n, 1 if optimal else 0) if m else -1
            put(out, c, k & ((1 << id_bits) - 1), id_bits)
            if first:
                # the reference: two's complement for DC, plain for depths
                r = v[0] | v[1] << 8
                put(out, c, r ^ (1 << (n - 1)) if signed else r, n)
            if k < 0:
                c[10] = n
                _raw(part, m, c, out)
            else:
                c[10] = k
                _unary(part, m, c, out)
                if k:
                    _raw(part, m, c, out)
            i = j
