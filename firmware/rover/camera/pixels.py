"""From the camera's pixel formats to planes of 8-bit pixels; viper, on the caller's buffers."""

import micropython


@micropython.viper
def luma(yuyv: ptr8, out: ptr8, count: int):
    """Y of count pixels from YUYV."""
    for i in range(count):
        out[i] = yuyv[i << 1]


@micropython.viper
def add(yuyv: ptr8, sums: ptr16, count: int, n: int, first: int, step: int):
    """Add runs of n samples each to count sums. Samples lie `step` bytes apart from `first` on: Y 0, 2; U 1, 4; V 3, 4."""
    at = first
    for i in range(count):
        s = sums[i]
        k = 0
        while k < n:
            s += yuyv[at]
            at += step
            k += 1
        sums[i] = s


@micropython.viper
def _settle(sums: ptr16, out: ptr8, count: int, n: int):
    half = n >> 1
    for i in range(count):
        out[i] = (sums[i] + half) // n
        sums[i] = 0


def settle(sums, out, count, n, rows=0):
    """Sums of n samples from each of `rows` rows (0: n) to their means, rounded; the sums are zero again."""
    _settle(sums, out, count, n * (rows or n))
