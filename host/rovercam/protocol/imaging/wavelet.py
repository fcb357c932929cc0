"""Inverse integer 9/7 wavelet (CCSDS 122.0-B-2 section 3), exact on integers, and the same steps in floating point.

The floating form puts the mean of the forward rounding (-1/8 in the low band, -1/32 in the high one) back instead of the
rounding itself; a picture with coarse coefficients is rebuilt with it.
"""

from __future__ import annotations

import numpy as np

from ._jit import jit


@jit
def _lines_int(band, n):  # type: ignore[no-untyped-def]
    # inverse along axis 0 of (n, m): low rows first, then high rows; returns the rows in place order
    half = n // 2
    m = band.shape[1]
    out = np.empty((n, m), np.int32)
    for j in range(half):
        k = half + (j - 1 if j else 0)
        for x in range(m):
            out[2 * j, x] = band[j, x] - ((band[k, x] + band[half + j, x] + 1) >> 2)
    for j in range(half):
        a = _mirror(j - 1, half)
        c = _mirror(j + 1, half)
        d = _mirror(j + 2, half)
        for x in range(m):
            t = 9 * (out[2 * j, x] + out[2 * c, x]) - (out[2 * a, x] + out[2 * d, x])
            out[2 * j + 1, x] = band[half + j, x] + ((t + 8) >> 4)
    return out


@jit
def _lines_float(band, n, rounded):  # type: ignore[no-untyped-def]
    half = n // 2
    m = band.shape[1]
    out = np.empty((n, m), np.float32)
    for j in range(half):
        k = half + (j - 1 if j else 0)
        for x in range(m):
            out[2 * j, x] = (
                band[j, x] - (band[k, x] + band[half + j, x]) * np.float32(0.25) + np.float32(0.125) * rounded
            )
    for j in range(half):
        a = _mirror(j - 1, half)
        c = _mirror(j + 1, half)
        d = _mirror(j + 2, half)
        for x in range(m):
            t = np.float32(9) * (out[2 * j, x] + out[2 * c, x]) - (out[2 * a, x] + out[2 * d, x])
            out[2 * j + 1, x] = band[half + j, x] + t * np.float32(0.0625) + np.float32(0.03125) * rounded
    return out


@jit
def _mirror(k, half):  # type: ignore[no-untyped-def]
    # index of an even row outside the picture: whole-sample symmetry at both ends
    while k < 0 or k >= half:
        if k < 0:
            k = -k
        if k >= half:
            k = 2 * half - 1 - k
    return k


def _lines(band: np.ndarray, n: int, whole: bool, rounded: bool) -> np.ndarray:
    if whole:
        return np.asarray(_lines_int(band, n))
    return np.asarray(_lines_float(band, n, np.float32(rounded)))


def inverse(coefficients: np.ndarray, *, rounded: bool = True) -> np.ndarray:
    """Three levels back: (H, W) nested bands, LL top left, H and W multiples of 8; int32 in and out, or float32.

    rounded: floating coefficients come from the integer transform (of a fine picture's their rounding is negligible)."""
    out = np.ascontiguousarray(coefficients)
    whole = out.dtype.kind == "i"
    out = out.astype(np.int32 if whole else np.float32, copy=True)
    height, width = out.shape
    for level in (2, 1, 0):
        h, w = height >> level, width >> level
        part = _lines(np.ascontiguousarray(out[:h, :w]), h, whole, rounded)
        out[:h, :w] = _lines(np.ascontiguousarray(part.T), w, whole, rounded).T
    return out


# place of the 63 coefficients of a block: (band row offset in units of bands, rows and columns inside the block)
def block_places(rows: int, columns: int, *, grouped: bool = True) -> np.ndarray:
    """Flat indices into the nested (8 rows, 8 columns) coefficient picture: int64 (blocks, 64), DC first, then bitplanes' 63.

    grouped False: blocks.py's 63, with the grandchildren row by row instead of group by group."""
    width = columns * 8
    r, c = np.divmod(np.arange(rows * columns), columns)
    places = np.empty((rows * columns, 64), np.int64)
    places[:, 0] = r * width + c
    for family, (down, right) in enumerate(((0, 1), (1, 0), (1, 1))):
        at = 1 + 21 * family
        places[:, at] = (r + down * rows) * width + c + right * columns
        for k in range(4):
            y = 2 * r + (k >> 1) + down * 2 * rows
            x = 2 * c + (k & 1) + right * 2 * columns
            places[:, at + 1 + k] = y * width + x
        for j in range(4):
            for k in range(4):
                dy, dx = (2 * (j >> 1) + (k >> 1), 2 * (j & 1) + (k & 1)) if grouped else (j, k)
                y = 4 * r + dy + down * 4 * rows
                x = 4 * c + dx + right * 4 * columns
                places[:, at + 5 + 4 * j + k] = y * width + x
    return places
