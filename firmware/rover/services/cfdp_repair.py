"""Erasure repair packets for class 1 (blind passes). Imported with the first such transfer; gone with the last.

The file is cut into blocks of BLOCK bytes, the last padded with zeros; block i is number i // G of generation i mod G,
G = ceil(blocks / 128). Repair block r (k ≤ r ≤ 255) of a generation of k blocks is the value at x_r of the polynomial
over GF(256) (0x11D) that takes the k blocks at x_0 = 0, x_i = 2^(i-1): row r of zfec's systematic code.

Repair packet after the space packet header: entity u8, transaction u16, file size u32, checksum u32, block length u16,
generation u8, index of the first block u8, then whole blocks with consecutive indices.

_BATCH blocks of a generation are computed in one pass over its data: reading flash once for all of them.
"""

import struct

import micropython
from micropython import const

BLOCK = const(100)  # from the dictionary; a multiple of 20
_WORDS = const(25)
_MOST = const(128)
_BATCH = const(8)
_HEADER = const(15)


@micropython.viper
def _tables(exp: ptr8, log: ptr8):
    x = 1
    for i in range(255):
        exp[i] = x
        exp[i + 255] = x
        log[x] = i
        x <<= 1
        if x & 256:
            x ^= 0x11D


@micropython.viper
def _denominators(k: int, out: ptr8, exp: ptr8, log: ptr8):
    """out[j] = log of the product of (x_j − x_m) over all m ≠ j below k."""
    j = 0
    while j < k:
        xj = 0
        if j:
            xj = int(exp[j - 1])
        s = 0
        m = 0
        while m < k:
            if m != j:
                xm = 0
                if m:
                    xm = int(exp[m - 1])
                s += int(log[xj ^ xm])
            m += 1
        out[j] = s % 255
        j += 1


@micropython.viper
def _row(tables: ptr8, r: int, k: int, out: ptr8):
    """out[8 j] = coefficient of block j in repair block r. tables: exp 510, log 256, denominators 128 bytes."""
    xr = int(tables[r - 1])
    s = 0
    m = 0
    while m < k:
        xm = 0
        if m:
            xm = int(tables[m - 1])
        s += int(tables[510 + (xr ^ xm)])
        m += 1
    s = s % 255 + 510
    j = 0
    while j < k:
        xm = 0
        if j:
            xm = int(tables[j - 1])
        out[j * _BATCH] = tables[(s - int(tables[510 + (xr ^ xm)]) - int(tables[766 + j])) % 255]
        j += 1


@micropython.viper
def _planes(planes: ptr32):
    """planes[b] = 2^b × planes[0], four bytes at a time."""
    low = 0x7F7F
    low = low << 16 | low
    i = _WORDS
    while i < 8 * _WORDS:
        x = int(planes[i - _WORDS])
        planes[i] = ((x & low) << 1) ^ (((x >> 7) & 0x01010101) * 0x1D)
        i += 1


@micropython.viper
def _add(acc: ptr32, planes: ptr32, coefficients: ptr8, count: int):
    """acc[r] ^= coefficient[r] × block: the planes of its bits. Measured 5 times faster than logarithm tables."""
    r = 0
    while r < count:
        c = int(coefficients[r])
        p = ptr32(int(planes))
        while c:
            if c & 1:
                # constant indices: viper turns them into one load each
                a = ptr32(int(acc) + r * BLOCK)
                q = p
                i = 0
                while i < _WORDS:
                    a[0] ^= q[0]
                    a[1] ^= q[1]
                    a[2] ^= q[2]
                    a[3] ^= q[3]
                    a[4] ^= q[4]
                    a = ptr32(int(a) + 20)
                    q = ptr32(int(q) + 20)
                    i += 5
            c >>= 1
            p = ptr32(int(p) + BLOCK)
        r += 1


class Repair:
    """Repair packets of one transaction. opener(tx) gives its open file."""

    def __init__(self, entity, tx, opener):
        self._entity = entity
        self._tx = tx
        self._opener = opener
        self._blocks = (tx.size + BLOCK - 1) // BLOCK
        self._generations = (self._blocks + _MOST - 1) // _MOST
        self._tables = bytearray(766 + _MOST)
        t = memoryview(self._tables)
        _tables(t, t[510:])
        self._k = 0
        self._rows = bytearray(_BATCH * _MOST)
        self._acc = bytearray(_BATCH * BLOCK)
        self._planes = bytearray(8 * BLOCK)
        self.start(0)

    def start(self, cycle):
        """Begins the repair part of a cycle; each cycle goes on with other blocks, as far as the code has them."""
        self._cycle = cycle
        self._base = 0
        self._generation = -1
        self._used = self._count = 0

    def _share(self, k):
        """Repair blocks per cycle of a generation of k blocks."""
        return min((k * self._tx.percent + 99) // 100, 256 - k)

    def out(self, buf, room) -> int:
        """One repair packet's data field; its length, 0: no room for a block, -1: this cycle is done."""
        if self._used == self._count and not self._next():
            return -1
        n = min((room - _HEADER) // BLOCK, self._count - self._used)
        if n <= 0:
            return 0
        tx = self._tx
        index = self._first + self._used
        struct.pack_into(">BHIIHBB", buf, 6, self._entity, tx.seq, tx.size, tx.sum, BLOCK, self._generation, index)
        at = self._used * BLOCK
        buf[6 + _HEADER : 6 + _HEADER + n * BLOCK] = memoryview(self._acc)[at : at + n * BLOCK]
        self._used += n
        return _HEADER + n * BLOCK

    def _next(self):
        """Computes the next batch: generations in turn, so that a burst takes a little of each."""
        longest = self._share((self._blocks + self._generations - 1) // self._generations)
        while self._base < longest:
            self._generation += 1
            if self._generation == self._generations:
                self._generation = -1
                self._base += _BATCH
                continue
            k = (self._blocks - self._generation + self._generations - 1) // self._generations
            share = self._share(k)
            count = min(_BATCH, share - self._base)
            if count <= 0:
                continue
            first = (self._cycle * share + self._base) % (256 - k)
            self._count = min(count, 256 - k - first)  # a batch does not wrap; what is cut off comes in later cycles
            self._first = k + first
            self._used = 0
            self._compute(k)
            return True
        return False

    def _compute(self, k):
        tables = self._tables
        t = memoryview(tables)
        if k != self._k:
            self._k = k
            _denominators(k, t[766:], t, t[510:])
        rows = memoryview(self._rows)
        for i in range(self._count):
            _row(tables, self._first + i, k, rows[i:])
        acc = self._acc = bytearray(_BATCH * BLOCK)
        planes = self._planes
        data = memoryview(planes)[:BLOCK]
        f = self._opener(self._tx)
        for j in range(k):
            f.seek((self._generation + j * self._generations) * BLOCK)
            n = f.readinto(data)
            while n < BLOCK:  # the end of the file
                data[n] = 0
                n += 1
            _planes(planes)
            _add(acc, planes, rows[j * _BATCH :], self._count)
