"""Quantiser steps: from a quality (16ths of a bit plane) to what coefficients are multiplied by.

Two kinds of picture. Whole: the integer wavelet, steps 2^(plane - weight), exact at plane 0. Fine: the same wavelet on pixels with up to three
more bits, so that its rounding is small, and steps that make an error cost the same in every band: 2^(quality / 16) over the
norm of the band's synthesis (times 1.9, so that both kinds' qualities mean about the same).
"""

from array import array

# 1024 * 1.9 * norm: DC, then parents, children, grandchildren of HL and LH, of HH
_NORMS = (12469, 6750, 3444, 2045, 3654, 1899, 1310)
# 2^(15 - i / 16)
_ROOTS = (
    32768, 31379, 30048, 28774, 27554, 26386, 25268, 24196, 23170, 22188, 21247, 20347, 19484, 18658, 17867, 17109,
)  # fmt: skip


def fraction(depth):
    """Bits that the pixels of a fine picture of this depth are shifted up."""
    return max(0, 11 - depth)


def finest(depth):
    """The finest quality of a fine picture."""
    return 16 * (depth - 7)


def scale(quality, shift, band):
    """65536ths: coefficient (of pixels << shift) times this is the quantiser's index. band: index of _NORMS."""
    return _NORMS[band] * _ROOTS[quality & 15] >> (9 + shift + (quality >> 4))


def fill(scales, quality, shift):
    """For blocks.quantise() and estimate(): per family HL, LH, HH its parents, children, grandchildren; DC's at [9]."""
    for i in range(9):
        scales[i] = scale(quality, shift, 1 + i % 3 if i < 6 else i - 2)
    scales[9] = scale(quality, shift, 0)


def one():
    """Scales that leave everything as it is."""
    return array("i", [65536] * 9 + [0])
