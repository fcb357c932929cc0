"""Channel coding (131.0-B): frame error control, pseudo-randomiser, Reed-Solomon with interleaving and dual basis.

Viper on the caller's buffers; runs on the RP2040 and on the unix port. Words are read little-endian, and every right shift is masked,
because viper's shift is arithmetic on 32 bits and the unix port has 64.
"""

import micropython
from micropython import const

_POLY = const(0x187)  # x^8 + x^7 + x^2 + x + 1 (131.0-B 4.3)
_DUAL = b"\x7b\xaf\x99\xfa\x86\xec\xef\x8d"  # dual-basis byte of the conventional byte 1 << k (131.0-B annex F)

_INVERSE = b"\xcc\xac\x79\xf0\xfd\x2e\x42\xc5"  # conventional byte of the dual-basis byte 1 << k

_crc_table = bytearray(512)
_pn = bytearray(255)


@micropython.viper
def _prepare(table: ptr16, pn: ptr8):
    # viper: as bytecode it would take 80 ms of every start
    i = 0
    while i < 256:
        crc = i << 8
        bit = 0
        while bit < 8:
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            bit += 1
        table[i] = crc & 0xFFFF
        i += 1
    state = 0xFF  # h(x) = x^8 + x^7 + x^5 + x^3 + 1, all ones (131.0-B 10.4); 255 bits, so 255 bytes until it repeats
    i = 0
    while i < 255 * 8:
        pn[i >> 3] = (int(pn[i >> 3]) << 1 | state >> 7) & 0xFF
        state = (state << 1 | ((state >> 7 ^ state >> 4 ^ state >> 2 ^ state) & 1)) & 0xFF
        i += 1


_prepare(_crc_table, _pn)  # type: ignore[arg-type]


@micropython.viper
def _crc(buf: ptr8, end: int, start: int, table: ptr16) -> int:
    crc = 0xFFFF
    while start < end:
        crc = ((crc & 0xFF) << 8) ^ int(table[(crc >> 8) ^ int(buf[start])])
        start += 1
    return crc


def crc16(buf, end=-1, start=0):
    """CRC-16 of buf[start:end] as 132.0-B and 232.0-B define it (x^16+x^12+x^5+1, preset ones)."""
    return _crc(buf, len(buf) if end < 0 else end, start, _crc_table)


@micropython.viper
def _xor(buf: ptr8, start: int, end: int, pn: ptr8):
    k = 0
    while start < end:
        buf[start] = int(buf[start]) ^ int(pn[k])
        start += 1
        k += 1
        if k == 255:
            k = 0


def randomise(buf, start, end):
    """XOR buf[start:end] with the pseudo-random sequence, in place; its own inverse."""
    _xor(buf, start, end, _pn)


@micropython.viper
def _mul(a: int, b: int) -> int:
    r = 0
    while b:
        if b & 1:
            r ^= a
        a <<= 1
        if a & 0x100:
            a ^= _POLY
        b >>= 1
    return r


@micropython.viper
def _spread(table: ptr32, words: int):
    # Rows 1, 2, 4, 8 of both halves are given; every other row is the XOR of the rows of its bits, for the code is linear.
    half = 0
    while half < 32:
        bit = 1
        while bit < 16:
            i = 1
            while i < bit:
                w = 0
                while w < words:
                    table[(half + bit + i) * words + w] = int(table[(half + bit) * words + w]) ^ int(
                        table[(half + i) * words + w]
                    )
                    w += 1
                i += 1
            bit <<= 1
        half += 16


@micropython.viper
def _encode4(buf: ptr8, start: int, end: int, step: int, table: ptr32, reg: ptr32):
    r0 = 0
    r1 = 0
    r2 = 0
    r3 = 0
    while start < end:
        b = r0 ^ int(buf[start])
        i = (b & 15) << 2
        j = 64 + ((b & 0xF0) >> 2)
        r0 = (((r0 >> 8) & 0xFFFFFF) | (r1 << 24)) ^ int(table[i]) ^ int(table[j])
        r1 = (((r1 >> 8) & 0xFFFFFF) | (r2 << 24)) ^ int(table[i + 1]) ^ int(table[j + 1])
        r2 = (((r2 >> 8) & 0xFFFFFF) | (r3 << 24)) ^ int(table[i + 2]) ^ int(table[j + 2])
        r3 = ((r3 >> 8) & 0xFFFFFF) ^ int(table[i + 3]) ^ int(table[j + 3])
        start += step
    reg[0] = r0
    reg[1] = r1
    reg[2] = r2
    reg[3] = r3


@micropython.viper
def _encode(buf: ptr8, start: int, end: int, step: int, table: ptr32, reg: ptr32, words: int):
    # Any t: check bytes in `words` words; reg[words] stays 0, it is what is shifted in from above.
    w = 0
    while w <= words:
        reg[w] = 0
        w += 1
    high = 16 * words
    while start < end:
        r = int(reg[0])
        b = r ^ int(buf[start])
        i = (b & 15) * words
        j = high + ((b >> 4) & 15) * words
        w = 0
        while w < words:
            n = int(reg[w + 1])
            reg[w] = (((r >> 8) & 0xFFFFFF) | (n << 24)) ^ int(table[i + w]) ^ int(table[j + w])
            r = n
            w += 1
        start += step


@micropython.viper
def _place(buf: ptr8, start: int, step: int, reg: ptr8, count: int):
    i = 0
    while i < count:
        buf[start] = reg[i]
        start += step
        i += 1


class ReedSolomon:
    """RS(255, 255-2t) encoder, t in 0, 1, 2, 4, 8, 16; roots a^(11 j), j = 128-t … 127+t, dual basis. t = 8 and 16 are 131.0-B's codes.

    One table of 2 × 16 rows, one per half byte, is taken once and rebuilt by set(): 1 KiB instead of 8 for whole bytes, at 292 instead of
    210 cycles per byte for t = 8 (emulated RP2040).
    """

    def __init__(self):
        self._table = bytearray(1024)
        self._reg = bytearray(36)
        self.t = 0

    def set(self, t):
        """Prepare for t; ValueError if t is none of the table."""
        if t == self.t:
            return
        if t not in (0, 1, 2, 4, 8, 16):
            raise ValueError("t must be 0, 1, 2, 4, 8 or 16")
        self.t = t
        if not t:
            return
        # 1. Generator polynomial, conventional basis, highest power first and its leading 1 left out.
        step = 1
        for _ in range(11):
            step = _mul(step, 2)
        root = 1
        for _ in range(128 - t):
            root = _mul(root, step)
        g = [1]
        for _ in range(2 * t):
            g.append(0)
            for k in range(len(g) - 1, 0, -1):
                g[k] ^= _mul(g[k - 1], root)
            root = _mul(root, step)
        # 2. Rows of the eight one-bit bytes, both sides in the dual basis; then all others by linearity.
        words = max(1, t // 2)
        table = self._table
        row = 4 * words
        for i in range(row):
            table[i] = table[16 * row + i] = 0
        for k in range(8):
            base = row * ((1 << k) if k < 4 else 16 + (1 << k - 4))
            for i in range(row):
                table[base + i] = _dual(_mul(_INVERSE[k], g[i + 1])) if i < 2 * t else 0
        _spread(table, words)

    def encode(self, buf, start, symbols, depth):
        """Write the check bytes of `depth` interleaved codewords of `symbols` bytes that begin at buf[start]."""
        t = self.t
        if not t:
            return
        end = start + (symbols - 2 * t) * depth
        words = max(1, t // 2)
        for i in range(depth):
            if t == 8:
                _encode4(buf, start + i, end, depth, self._table, self._reg)
            else:
                _encode(buf, start + i, end, depth, self._table, self._reg, words)
            _place(buf, end + i, depth, self._reg, 2 * t)


def _dual(c):
    r = 0
    k = 0
    while c:
        if c & 1:
            r ^= _DUAL[k]
        c >>= 1
        k += 1
    return r
