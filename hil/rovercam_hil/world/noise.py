"""Seeded gradient noise with analytic derivatives, compiled by numba.

Everything random on the ground comes from a hash of integer coordinates and a seed, so that any point can be asked for
in any order and the same seed gives the same Mars.

Nothing in this package is compiled with `fastmath`: the last bits would depend on whether a function was compiled together
with its caller or loaded from the cache, and the same seed would not give the same bytes. It costs 5 % of a frame's time.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_GRADIENTS = np.array(
    [(math.cos(2 * math.pi * (i + 0.5) / 64), math.sin(2 * math.pi * (i + 0.5) / 64)) for i in range(64)]
)


@njit(inline="always")
def hash2(ix, iy, seed):
    """32 well-mixed bits from two integers and a seed."""
    h = (ix * 0x27D4EB2D + iy * 0x165667B1 + seed * 0x9E3779B1) & 0xFFFFFFFF
    h ^= h >> 15
    h = (h * 0x2C1B3C6D) & 0xFFFFFFFF
    h ^= h >> 12
    h = (h * 0x297A2D39) & 0xFFFFFFFF
    h ^= h >> 15
    return h


@njit(cache=True)
def gradient_noise(x, y, seed):
    """Noise of unit wavelength: (value, d/dx, d/dy), value about -0.7 … 0.7."""
    fx, fy = math.floor(x), math.floor(y)
    ix, iy = int(fx), int(fy)
    x -= fx
    y -= fy
    g = _GRADIENTS
    a, b = hash2(ix, iy, seed) & 63, hash2(ix + 1, iy, seed) & 63
    c, d = hash2(ix, iy + 1, seed) & 63, hash2(ix + 1, iy + 1, seed) & 63
    va = g[a, 0] * x + g[a, 1] * y
    vb = g[b, 0] * (x - 1) + g[b, 1] * y
    vc = g[c, 0] * x + g[c, 1] * (y - 1)
    vd = g[d, 0] * (x - 1) + g[d, 1] * (y - 1)
    u = x * x * x * (x * (x * 6 - 15) + 10)
    v = y * y * y * (y * (y * 6 - 15) + 10)
    du = 30 * x * x * (x * (x - 2) + 1)
    dv = 30 * y * y * (y * (y - 2) + 1)
    k = va - vb - vc + vd
    value = va + u * (vb - va) + v * (vc - va) + u * v * k
    dx = g[a, 0] + u * (g[b, 0] - g[a, 0]) + v * (g[c, 0] - g[a, 0]) + u * v * (g[a, 0] - g[b, 0] - g[c, 0] + g[d, 0])
    dy = g[a, 1] + u * (g[b, 1] - g[a, 1]) + v * (g[c, 1] - g[a, 1]) + u * v * (g[a, 1] - g[b, 1] - g[c, 1] + g[d, 1])
    return value, dx + du * (vb - va + v * k), dy + dv * (vc - va + u * k)


@njit(cache=True)
def fractal(x, y, wavelength, octaves, gain, seed):
    """Sum of octaves from `wavelength` metres down, halving each time: (value, d/dx, d/dy), first octave of amplitude 1."""
    value = dx = dy = 0.0
    amplitude, frequency = 1.0, 1.0 / wavelength
    for k in range(octaves):
        n, nx, ny = gradient_noise(x * frequency + 17.3 * k, y * frequency - 9.7 * k, seed + k)
        value += amplitude * n
        dx += amplitude * frequency * nx
        dy += amplitude * frequency * ny
        amplitude *= gain
        frequency *= 2.0
    return value, dx, dy
