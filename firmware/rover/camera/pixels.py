"""From the camera's pixel formats to planes of 8-bit pixels; viper, on the caller's buffers."""

import micropython


@micropython.viper
def luma(yuyv: ptr8, out: ptr8, count: int):
    """Y of count pixels from YUYV."""
    for i in range(count):
        out[i] = yuyv[i << 1]


@micropython.viper
def chroma(yuyv: ptr8, u: ptr8, v: ptr8, pairs: int):
    """U and V of count pixel pairs from YUYV."""
    for i in range(pairs):
        u[i] = yuyv[(i << 2) + 1]
        v[i] = yuyv[(i << 2) + 3]
