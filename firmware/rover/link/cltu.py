"""CLTU reception (231.0-B): start sequence, BCH(63,56) codeblocks with single-error correction, tail.

Hunter.feed() takes bytes as they come and calls `on_frame(view)` with the TC frame candidate that the codeblocks carried; whether it is a
frame (FECF) is decided there, as soon as there are as many bytes as its length field says. A codeblock that cannot be corrected ends the
CLTU: the tail is one on purpose, a byte lost on the line makes one too. After a candidate that was no frame the search goes on right behind
the last start sequence, so that a CLTU that begins inside a broken one is not lost.
"""

import micropython
from micropython import const

MAX_FRAME = const(512)  # TC transfer frames longer than this are not ours
_ROOM = const(2 + 8 * ((MAX_FRAME + 6) // 7) + 8)


@micropython.viper
def _bch(block: ptr8) -> int:
    # Syndrome of 63 bits: g(x) = x^7 + x^6 + x^2 + 1 over the 56 information bits, then compared with the complemented parity (231.0-B 3.3).
    s = 0
    i = 0
    while i < 7:
        b = int(block[i])
        k = 7
        while k >= 0:
            f = ((s >> 6) ^ (b >> k)) & 1
            s = (s << 1) & 0x7F
            if f:
                s ^= 0x45
            k -= 1
        i += 1
    return s ^ ((int(block[7]) >> 1) ^ 0x7F)


def _single():
    # Syndrome of each single wrong bit of the 63 -> bit number + 1
    table = bytearray(128)
    block = bytearray(8)
    block[7] = 0xFE  # parity of seven zero bytes, complemented
    for bit in range(63):
        block[bit >> 3] ^= 0x80 >> (bit & 7)
        table[_bch(block)] = bit + 1
        block[bit >> 3] ^= 0x80 >> (bit & 7)
    return table


_WHERE = _single()


def bch_decode(block, at=0):
    """Correct at most one bit of the codeblock block[at:at+8] in place. Bits corrected, or -1."""
    view = memoryview(block)[at : at + 8] if at else block
    s = _bch(view)
    if not s:
        return 0
    bit = _WHERE[s] - 1
    if bit < 0:
        return -1
    view[bit >> 3] ^= 0x80 >> (bit & 7)
    return 1


@micropython.viper
def _near(buf: ptr8, at: int, end: int) -> int:
    # Place of the next start sequence EB90 with at most one wrong bit, else end - 1 (its first byte may be there).
    while at + 1 < end:
        x = ((int(buf[at]) << 8) | int(buf[at + 1])) ^ 0xEB90
        if x & (x - 1) == 0:
            return at
        at += 1
    return end - 1


class Hunter:
    """Attributes for telemetry: cltus (start sequences that led to codeblocks), corrected (bits), skipped (bytes outside codeblocks, tails included)."""

    def __init__(self, on_frame):
        self._on_frame = on_frame  # returns True when the candidate was a frame
        self._buf = bytearray(_ROOM)
        self._n = 0  # bytes held
        self._out = bytearray(_ROOM)
        self._view = memoryview(self._out)
        self._block = bytearray(8)
        self._next = 0  # codeblock looked at next; 0: no start sequence found
        self._size = 0  # bytes decoded
        self.cltus = self.corrected = self.skipped = 0

    def feed(self, buf, n):
        """Take buf[:n]."""
        at = 0
        while at < n:
            k = min(n - at, _ROOM - self._n)
            self._buf[self._n : self._n + k] = memoryview(buf)[at : at + k]
            self._n += k
            at += k
            self._run()

    def _run(self):
        while True:
            if not self._next:
                if self._n < 2:
                    return
                k = _near(self._buf, 0, self._n)
                self.skipped += k
                self._drop(k)
                if self._n < 2:
                    return
                self._next = 2
                self._size = 0
            if self._n < self._next + 8:
                return
            block = self._block
            block[:] = self._buf[self._next : self._next + 8]
            bits = bch_decode(block)
            if bits < 0:
                self._end()  # the tail, or broken
                continue
            if not self._size:
                self.cltus += 1
            self.corrected += bits
            self._out[self._size : self._size + 7] = block[:7]
            self._size += 7
            self._next += 8
            n = (self._out[2] & 3) << 8 | self._out[3]  # frame length field: bytes less one
            if self._size > n or n >= MAX_FRAME:
                self._end()

    def _end(self):
        used = self._next
        size = self._size
        self._next = 0
        frame = True
        try:
            frame = size and self._on_frame(self._view[:size])
        finally:
            if not frame:  # search on behind the first byte of this start sequence
                used = 1
                self.skipped += 1
            self._drop(used)

    def _drop(self, k):
        self._n -= k
        self._buf[: self._n] = self._buf[k : k + self._n]
