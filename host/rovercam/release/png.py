"""PNG with 8 or 16 bits per channel, grey or colour, with its metadata (W3C PNG, third edition).

Pillow writes no 16-bit colour. Samples of fewer than 16 significant bits are widened to the full range by repeating their
upper bits, and the chunk sBIT says how many were there (clause 13.12).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD = b"XML:com.adobe.xmp"


def widened(pixels: NDArray[Any], depth: int) -> NDArray[Any]:
    """uint16 pixels of `depth` bits over the full range; uint8 as they are."""
    if pixels.dtype == np.uint8 or depth >= 16:
        return pixels
    wide = pixels.astype(np.uint32)
    shift = 16 - depth
    out = wide << shift
    while shift > 0:
        shift -= depth
        out |= wide << shift if shift > 0 else wide >> -shift
    return out.astype(np.uint16)


def encode(
    pixels: NDArray[Any],
    depth: int,
    *,
    text: Mapping[str, str] | None = None,
    exif: bytes = b"",
    xmp: bytes = b"",
) -> bytes:
    """pixels: (H, W) or (H, W, 3), uint8 or uint16; depth: significant bits; text: PNG keywords (Latin-1 keys)."""
    bits = 8 if pixels.dtype == np.uint8 else 16
    channels = 3 if pixels.ndim == 3 else 1
    height, width = pixels.shape[:2]
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2 if channels == 3 else 0, 0, 0, 0))]
    if depth < bits:
        parts.append(_chunk(b"sBIT", bytes([depth] * channels)))
    for key, value in (text or {}).items():
        parts.append(_chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + value.encode()))
    if xmp:
        parts.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + xmp))
    if exif:
        parts.append(_chunk(b"eXIf", exif))
    rows = widened(pixels, depth).astype(">u2" if bits == 16 else "u1").reshape(height, -1)
    data = _filtered(rows.view(np.uint8).reshape(height, -1), channels * bits // 8)
    parts += [_chunk(b"IDAT", zlib.compress(data, 9)), _chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(rows: NDArray[np.uint8], step: int) -> bytes:
    """Each row by the filter (None, Sub, Up, Average) with the least sum of absolute differences (clause 12.7)."""
    left = np.zeros_like(rows)
    left[:, step:] = rows[:, :-step]
    above = np.zeros_like(rows)
    above[1:] = rows[:-1]
    mean = ((left.astype(np.uint16) + above) >> 1).astype(np.uint8)
    tried = np.stack([rows, rows - left, rows - above, rows - mean])
    cost = np.abs(tried.view(np.int8).astype(np.int32)).sum(axis=2)
    best = cost.argmin(axis=0)
    chosen = np.take_along_axis(tried, best[None, :, None], axis=0)[0]
    return np.concatenate([best[:, None].astype(np.uint8), chosen], axis=1).tobytes()
