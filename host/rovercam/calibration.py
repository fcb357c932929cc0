"""Correction tables of a camera, as firmware rover/imaging/correct.py reads them, from dark and flat pictures."""

from __future__ import annotations

import struct
from binascii import crc_hqx
from collections.abc import Sequence

import numpy as np

UNITY = 128  # a gain of 1
MOST = 700  # defects in a table of 4096 bytes, about


def table(
    dark: Sequence[np.ndarray], flat: Sequence[np.ndarray], *, columns: int = 17, rows: int = 13, sigma: float = 8.0
) -> bytes:
    """The table's file, from grey pictures of one shape: some with the lens covered, some of an even surface.

    A pixel is defective that lies `sigma` standard deviations beside what the others show, in the dark or the flat field.
    Raises ValueError: no pictures, of several shapes, a flat field too dark or too bright, too many defects.
    """
    if not dark or not flat or len({p.shape for p in (*dark, *flat)}) != 1 or dark[0].ndim != 2:
        raise ValueError("some dark and some flat grey pictures, all of one size, are expected")
    height, width = dark[0].shape
    black = np.mean(dark, axis=0)
    level = round(float(np.median(black)))
    light = np.mean(flat, axis=0) - level
    middle = float(np.median(light))
    if not 20 < middle + level < 235:
        raise ValueError(f"flat field of grey level {middle + level:.0f}; 20 to 235 are expected")
    nodes_y = np.linspace(0, height - 1, rows)
    nodes_x = np.linspace(0, width - 1, columns)
    gains = np.empty((rows, columns))
    reach = max(2, min(height // rows, width // columns) // 2)
    for i, y in enumerate(nodes_y):
        for k, x in enumerate(nodes_x):
            part = light[max(0, int(y) - reach) : int(y) + reach + 1, max(0, int(x) - reach) : int(x) + reach + 1]
            gains[i, k] = middle / max(1.0, float(np.median(part)))
    across = np.array([np.interp(np.arange(width), nodes_x, g) for g in gains])
    full = np.array([np.interp(np.arange(height), nodes_y, across[:, x]) for x in range(width)]).T
    wrong = _apart(black, sigma) | _apart(light * full, sigma)
    places = np.argwhere(wrong)
    if len(places) > MOST:
        raise ValueError(
            f"{len(places)} defective pixels; a table holds {MOST}: is the flat field even, sigma too small?"
        )
    out = b"RK\1" + struct.pack(">HHBBB", width, height, level, columns, rows)
    out += np.clip(np.rint(gains * UNITY), 0, 255).astype(np.uint8).tobytes()
    out += struct.pack(">H", len(places)) + places.astype(">u2").tobytes()
    return out + crc_hqx(out, 0xFFFF).to_bytes(2, "big")


def _apart(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Pixels far from the median of the picture, measured by the median of the deviations (at least half a level)."""
    off = np.abs(picture - np.median(picture))
    return off > sigma * max(0.5, 1.4826 * float(np.median(off)))
