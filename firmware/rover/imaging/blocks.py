"""The blocks of a picture as binary decisions with contexts, and the adaptive arithmetic coder that writes them (portable viper).

A block is four units: 0 = DC, the three parents and the twelve children; 1, 2, 3 = the sixteen grandchildren of family HL, LH, HH. model()
writes a block's decisions as 16-bit entries, code() codes them unit by unit until a slot is full. Nothing outside the slot is
looked at, so every slot is decodable alone; the probabilities start afresh in each (startup.py).

Entries: bit 15 clear: context << 1 | bit; set: a plain number of n = bits 14-11 bits in bits 10-0; 0xFFFF ends a unit.

A coefficient is v = magnitude >> (plane - weight), at least unshifted; weights 3, 2, 1 (HH 2, 1, 0) for parents, children,
grandchildren. Its context is s = 2 (W + N) + NW + NE + 2 P of the magnitudes around it in its unit (W and NW also in the block to
the left) and of its parent; what is not known counts as (P + 1) / 2. Levels of s: tables(). Then: v > 0 (by level, depth of the
band, HH or not), v > 1, v > 2 ... to v > 8, an exponential Golomb code of v - 9, the sign. Grandchildren have a flag "not all
zero" in front of the sixteen: its context are the sum of the children and that of the left block's last column.
A refinement codes v less what is known of it: unknown ones as above (without flag), at most to what is still open; for the
others the highest open bit with a context, the rest plain. DC: the first of a slot is plain; then the difference from the one
before, in steps and contexts by the mean size of the last differences.

Contexts: 0 v > 0 (24 per depth: 12 levels, 12 for HH), 72 flags, 92 v > k (two depths of five levels of six), 152 DC (five of
eight), 192 "quality changes", 193 "blocks are left out", 194 highest open bit of known ones (3).
"""

import micropython
from micropython import const

try:
    from rover.imaging.coder_thumb import bands, code, estimate, quantise  # noqa: F401
except Exception:  # another processor, or a compiler without inline assembler: the portable form
    from rover.imaging.coder import bands, code, estimate, quantise  # type: ignore[assignment]  # noqa: F401

CONTEXTS = const(200)
TABLES = const(144)  # halfwords of tables in front of the entries
ENTRIES = const(900)  # at most, of a block and what may precede it
WORDS = const(32)  # of a layer's state, in front of its probabilities

# a layer's state: array('I'), never negative (the unix port zero-extends words)
POS = const(0)  # bytes out
LOW = const(1)
RANGE = const(2)
LIMIT = const(3)  # bytes that fit, one kept for the end
DONE = const(4)  # units coded of those in the list
BLOCK = const(5)  # column, counted from the one that the row offsets are of
UNIT = const(6)  # first unit to be coded
ALONE = const(7)  # of the block to the left, units below this one are not known
ORPHAN = const(8)  # 1: parents and children of this block are not known (a slot that begins within a block)
PLANE = const(9)  # coded down to this plane
KNOWN = const(10)  # plane known already; 31: nothing
BEFORE = const(11)  # last DC, biased by 0x8000
STRAY = const(12)  # mean size of the last differences
SCALE = const(13)  # of DC, 65536ths; 0: shifted like the others, by weight 3
DC = const(14)  # offset of the DC row in the arena
COUNT = const(15)  # entries in the list
PLAIN = const(16)  # bits of the first DC of a slot; 0: not the first


def put(e, i, value):
    """Halfword i of the list, a memoryview of bytes."""
    e[2 * i] = value & 255
    e[2 * i + 1] = value >> 8


def tables(e):
    """Fill the first TABLES halfwords of a list: 96 levels of s, 12 mean levels, 36 steps of adaption."""
    level = 0
    for s in range(96):
        while level < 11 and s >= b"\x01\x02\x03\x05\x07\x0a\x0e\x14\x1e\x30\x50"[level]:
            level += 1
        put(e, s, level)
    for i in range(12):
        put(e, 96 + i, b"\0\0\0\1\1\2\2\3\3\4\4\4"[i])
    for n in range(36):
        put(e, 108 + n, 65536 // (12 + n))


@micropython.viper
def spread(b: ptr8, width: int, shift: int):
    """Bytes b[width:] to words << shift, from b[0] on."""
    to = ptr16(b)
    i = 0
    while i < width:
        to[i] = b[width + i] << shift
        i += 1


@micropython.viper
def shifted(b: ptr16, width: int, shift: int):
    """Words << shift in place."""
    i = 0
    while i < width:
        b[i] = b[i] << shift
        i += 1


@micropython.viper
def restart(w: ptr32, start: ptr8, n: int):
    """The coder and its n probabilities as at the start of a slot."""
    w[0] = 0
    w[1] = 0
    i = 1
    w[2] = i << 30  # no constant: 2^30 is no small integer on a board
    i = 0
    while i < n:
        w[32 + i] = (start[i] << 16) | 0x8000
        i += 1


@micropython.viper
def golomb(e: ptr16, j: int, m: int) -> int:
    """Exponential Golomb code of m >= 1 as entries from e[j] on; returns where the next one stands."""
    s = 0
    while m >> s:
        s += 1
    e[j] = 0xA000 | s
    j += 1
    s -= 1
    if s > 11:
        e[j] = 0x8000 | ((s - 11) << 11) | ((m >> 11) & ((1 << (s - 11)) - 1))
        j += 1
        s = 11
    if s:
        e[j] = 0x8000 | (s << 11) | (m & ((1 << s) - 1))
        j += 1
    return j


@micropython.viper
def mean(a: ptr8, w: ptr32, words):
    """Append the decisions of DC of block w[BLOCK] to the list."""
    base = int(a)
    e = ptr16(words)
    j = 144 + w[15]
    b = w[9]
    known = w[10]
    v = ptr16(base + w[14])[w[5]]
    s = b - 3
    if s < 0:
        s = 0
    k = known - 3
    if known < 31:
        # refinement: the open bits
        if k < 0:
            k = 0
        k -= s
        if k > 0:
            e[j] = 0x8000 | (k << 11) | ((v >> s) & ((1 << k) - 1))
            j += 1
    else:
        if w[13]:
            v = ((((v - 0x8000) * w[13]) + 0x8000) >> 16) + 0x8000
        else:
            v = ((v - 0x8000) >> s) + 0x8000
        k = w[16]
        if k:
            w[12] = 8
            x = (v - 0x8000 + (1 << (k - 1))) & ((1 << k) - 1)
            if k > 11:
                e[j] = 0x8000 | ((k - 11) << 11) | (x >> 11)
                j += 1
                k = 11
            e[j] = 0x8000 | (k << 11) | (x & ((1 << k) - 1))
            j += 1
        else:
            x = v - w[11]
            m = x
            if m < 0:
                m = 0 - m
            s = w[12]
            w[12] = (m + s + 1) >> 1
            g = 0
            k = 0
            if s >= 24:
                g = 4
                k = 3
            elif s >= 11:
                g = 3
                k = 2
            elif s >= 5:
                g = 2
                k = 1
            elif s >= 2:
                g = 1
            g = 152 + (g << 3)
            y = m >> k
            s = 0
            while s < y and s < 9:
                z = g + s
                if s > 6:
                    z = g + 7
                e[j] = (z << 1) | 1
                j += 1
                s += 1
            if s < 9:
                z = g + s
                if s > 6:
                    z = g + 7
                e[j] = z << 1
                j += 1
            else:
                j = int(golomb(words, j, y - 8))
            if k:
                e[j] = 0x8000 | (k << 11) | (m & ((1 << k) - 1))
                j += 1
            if m:
                e[j] = 0x8800
                if x < 0:
                    e[j] = 0x8801
                j += 1
        w[11] = v
    w[15] = j - 144


@micropython.viper
def several(a, p, w, e, out, i: int, end: int) -> int:
    """Code blocks i .. end - 1 of a run, all but the first of it and of the slot. Returns the block that did not fit, with w[DONE] units of it
    coded, or end."""
    v = ptr32(w)
    v[6] = 0
    v[7] = 0
    v[8] = 0
    v[16] = 0
    while i < end:
        v[5] = i
        v[15] = 0
        mean(a, w, e)
        bands(a, p, w, e)
        n = int(code(w, e, out))
        if n < 4:
            v[4] = n
            return i
        i += 1
    return end
