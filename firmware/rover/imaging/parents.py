"""Coarse copy of every block's three parents (the coarsest detail), for where their slot is lost. Loaded for a picture with fine steps.

Of what a lost slot costs, half are the parents, and nothing around them tells what they were. Here they stand a second time, at 4 (HH 8)
of the block's steps: 2.3 % of the bytes at 1 bit per pixel, for the larger part of that half.
A slot holds a thousand blocks and more and goes into the base's file, far behind most of what it repeats.

Slot: header and body begin as the base's, codec PARENTS. Then bits of the coder of blocks.py.
Block by block: before all but the first "quality changes" and if so 8 plain bits; then HL, LH, HH: v = index >> 2 (HH 3) as there: v > 0,
v > 1 ... v > 8, an exponential Golomb code of v - 9, the sign. Context of v > 0: family and s = 2 L + the other families' of the block to the
left and those before it in this one, L that of the same family to the left; left of the slot's first block and of a row's are zeros.

Contexts: 0 v > 0 (8 levels of s, by family), 24 v > k (6), 30 "quality changes".
"""

import micropython
from micropython import const

from rover.imaging.blocks import code, golomb
from rover.imaging.slots import HEAD

# of the state: v of the block to the left, by family (three); 0 first block of a slot, 1 same quality, else new quality + 2
_LEFT = const(5)
_CHANGE = const(8)


def run(part, a, rows, words, first, count, quality):
    """Blocks first .. first + count - 1 of a strip, with indices in a at the rows of Wavelet.rows_of(). words: the encoder's list."""
    w = part.w
    if first % part.owner.wide == 0:
        w[_LEFT] = w[_LEFT + 1] = w[_LEFT + 2] = 0
    if quality != part.quality:
        part.quality = quality
        w[_CHANGE] = quality + 2
    i = 0
    while True:
        if not part.open:
            part.fresh(first + i, 0)
            part.buf[HEAD] = quality
            w[_LEFT] = w[_LEFT + 1] = w[_LEFT + 2] = w[_CHANGE] = 0
        i = several(a, rows, w, words, part.body, i, count)
        part.last = first + i - 1
        if i == count:
            return
        part.close()


@micropython.viper
def several(a, p, w, e, out, i: int, count: int) -> int:
    """Code blocks i .. count - 1; returns the first that did not fit, or count."""
    base = int(ptr8(a))
    row = ptr32(p)
    v = ptr32(w)
    x = ptr16(e)
    while i < count:
        j = 144
        k = v[8]
        if k:
            x[j] = 60
            if k > 1:
                x[j] = 61
                j += 1
                x[j] = 0xC000 | (k - 2)
            j += 1
        others = v[5] + v[6] + v[7]
        f = 0
        while f < 3:
            m = ptr16(base + row[1 + 7 * f])[i]
            sign = m >> 15
            m = (m & 0x7FFF) >> 2
            if f == 2:
                m = m >> 1
            s = others + v[5 + f]
            if s > 7:
                s = 7
            s += f << 3
            others += m - v[5 + f]
            v[9 + f] = m
            f += 1
            k = 0  # v > k?
            while k < 9 and k <= m:
                x[j] = s << 1
                if m > k:
                    x[j] = (s << 1) | 1
                j += 1
                k += 1
                s = 23 + k
                if k > 6:
                    s = 29
            if m > 8:
                j = int(golomb(e, j, m - 8))
            if m:
                x[j] = 0x8800 | sign
                j += 1
        x[j] = 0xFFFF
        v[15] = j - 143
        if not int(code(w, e, out)):
            return i
        v[5] = v[9]
        v[6] = v[10]
        v[7] = v[11]
        v[8] = 1
        i += 1
    return i
