"""Thumbnail layer: the LL3 band, coarsened, predicted from its neighbours and Rice-coded; each slot starts afresh.

Slot body: width, height of the picture (2 x u16), shift (u8), then bits. Value x = LL3 >> shift (two's complement). Without
a neighbour in the slot: 16 plain bits. Else x - prediction, mapped 0, -1, 1, ... to m: m >> k zeros, a one, k bits; from 20
zeros on: 20 zeros, a one, 16 bits. Prediction: median of left, above, left + above - above left, of those in the slot.
k: least with n << k >= sum, over the m of the slot (start n = 1, sum = 4; both halved when n reaches 32).

How coarse: 32 grey levels, and 16 in a slot after one that held less than SHARE blocks: the 4800 blocks of a VGA picture
are then within 2.5 KB, whatever they show.
"""

from array import array

import micropython
from micropython import const

from rover.imaging.slots import THUMBNAIL, begin, seal

_SHARE = const(420)  # blocks that a slot of 200 bytes should hold
_BODY = const(14)  # of the slot: where the bits begin


class Thumbnail:
    """Rows of LL3 in, slots to sink(0, slot) out."""

    def __init__(self, width, height, depth, picture, plane, slot, sink, finer=0):
        """width, height in pixels, depth in bits, slot in bytes; finer: bits by which the rows are shifted up."""
        self.wide = (width + 7) >> 3
        self.slots = 0
        self._size = bytes((width >> 8, width & 255, height >> 8, height & 255))
        self._depth = depth
        self._key = bytes((picture, plane))
        self._sink = sink
        self._buf = memoryview(bytearray(slot))
        self._row = array("H", [0] * self.wide)
        self._open = False
        self._end = 0
        self._shift = depth - 5
        self._finer = finer
        self._p = array("i", [0] * 12)

    def row(self, memory, offset, row):
        """Row number `row` of LL3: words biased by 0x8000, `offset` bytes into memory."""
        p = self._p
        wide = self.wide
        first = row * wide
        b = self._buf
        p[0] = offset
        p[1] = wide
        p[2] = 0
        p[9] = first
        while True:
            if not self._open:
                self._open = True
                begin(b, self._key[0], self._key[1], 0, THUMBNAIL, first + p[2])
                for i in range(_BODY, len(b)):
                    b[i] = 0
                b[9:13] = self._size
                b[13] = self._shift
                p[7] = self._shift + self._finer
                p[3] = _BODY * 8
                p[4] = len(b) * 8
                p[5] = 4
                p[6] = 1
                p[8] = first + p[2]
            p[2] = code_row(memory, p, self._row, b)
            self._end = first + p[2]
            if p[2] == wide:
                return
            self._close(len(b))

    def _close(self, pos):
        p = self._p
        seal(self._buf, pos, self.wide, self._depth, self._end)
        self._open = False
        self.slots += 1
        n = self._end - p[8]
        share = _SHARE * len(self._buf) // 200
        self._shift = self._depth - (4 if n < share else 5)
        self._sink(0, self._buf)

    def finish(self):
        """After the last row."""
        if self._open:
            self._close((self._p[3] + 7) >> 3)


@micropython.viper
def code_row(a: ptr8, p: ptr32, row: ptr16, out: ptr8) -> int:
    """Code LL3 columns from p[2] on; returns the column that did not fit any more (= p[1]: all done).

    p: 0 offset of the biased LL3 row, 1 columns, 2 first column, 3 bit position in out (all zeros from there), 4 end bit,
    5 sum, 6 n, 7 shift, 8 first block of the slot, 9 block index of column 0. row: the last value of each column, biased."""
    dc = ptr16(int(a) + p[0])
    wide = p[1]
    c = p[2]
    at = p[3]
    end = p[4]
    total = p[5]
    n = p[6]
    shift = p[7]
    index = p[9] + c - p[8]  # of this block in the slot
    left = 0
    corner = 0
    if c > 0:
        left = row[c - 1]
        corner = p[10]
    go = 1
    while c < wide and go:
        above = row[c]
        x = ((dc[c] - 0x8000) >> shift) + 0x8000
        plain = 0
        if index >= wide:
            predicted = above
            if c > 0:
                if index == wide:
                    corner = above
                lo = left
                hi = above
                if left > above:
                    lo = above
                    hi = left
                if corner >= hi:
                    predicted = lo
                elif corner <= lo:
                    predicted = hi
                else:
                    predicted = left + above - corner
        elif c > 0 and index > 0:
            predicted = left
        else:
            plain = 1
            predicted = 0
        k = 0
        m = x - 0x8000
        q = 0
        if plain:
            k = 16
            m = m & 0xFFFF
            need = 16
        else:
            m = (x - predicted) << 1
            if m < 0:
                m = 0 - m - 1
            while (n << k) < total:
                k += 1
            q = m >> k
            total += m
            if q >= 20:
                q = 20
                k = 16
            need = q + 1 + k
        if at + need > end:
            go = 0
            if not plain:
                total -= m
        else:
            if not plain:
                at += q
                out[at >> 3] = out[at >> 3] | (0x80 >> (at & 7))
                at += 1
                n += 1
                if n == 32:
                    n = 16
                    total = total >> 1
            while k:
                k -= 1
                if (m >> k) & 1:
                    out[at >> 3] = out[at >> 3] | (0x80 >> (at & 7))
                at += 1
            corner = above
            left = x
            row[c] = x
            c += 1
            index += 1
    p[3] = at
    p[5] = total
    p[6] = n
    p[10] = corner
    return c
