"""Baseline TIFF 6.0, 8 or 16 bits per channel, grey or colour, one deflated strip; Pillow writes no 16-bit colour."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

ASCII, SHORT, LONG, RATIONAL, BYTE = 2, 3, 4, 5, 1
DEFLATE = 8  # Adobe's deflate, TIFF Technical Note 2


def encode(pixels: NDArray[Any], *, ascii_tags: dict[int, str] | None = None, xmp: bytes = b"") -> bytes:
    """pixels: (H, W) or (H, W, 3), uint8 or uint16, over the full range; ascii_tags: tag number → text."""
    height, width = pixels.shape[:2]
    channels = 3 if pixels.ndim == 3 else 1
    bits = 8 if pixels.dtype == np.uint8 else 16
    strip = zlib.compress(pixels.astype("<u2" if bits == 16 else "u1").tobytes(), 9)
    header = 8
    tags: dict[int, tuple[int, int, bytes]] = {
        256: (LONG, 1, struct.pack("<I", width)),
        257: (LONG, 1, struct.pack("<I", height)),
        258: (SHORT, channels, struct.pack(f"<{channels}H", *[bits] * channels)),
        259: (SHORT, 1, struct.pack("<H", DEFLATE)),
        262: (SHORT, 1, struct.pack("<H", 2 if channels == 3 else 1)),  # RGB, or black is zero
        273: (LONG, 1, struct.pack("<I", header)),
        274: (SHORT, 1, struct.pack("<H", 1)),
        277: (SHORT, 1, struct.pack("<H", channels)),
        278: (LONG, 1, struct.pack("<I", height)),
        279: (LONG, 1, struct.pack("<I", len(strip))),
        282: (RATIONAL, 1, struct.pack("<II", 72, 1)),
        283: (RATIONAL, 1, struct.pack("<II", 72, 1)),
        284: (SHORT, 1, struct.pack("<H", 1)),
        296: (SHORT, 1, struct.pack("<H", 2)),
    }
    for tag, text in (ascii_tags or {}).items():
        data = text.encode("ascii", "replace") + b"\0"
        tags[tag] = (ASCII, len(data), data)
    if xmp:
        tags[700] = (BYTE, len(xmp), xmp)
    return _laid_out(tags, strip, header)


def _laid_out(tags: dict[int, tuple[int, int, bytes]], strip: bytes, header: int) -> bytes:
    """Header, strip, long values, directory; values begin on even offsets, tags ascend (TIFF 6.0, section 2)."""
    body = bytearray(strip)
    if len(body) % 2:
        body += b"\0"
    entries = []
    for tag in sorted(tags):
        kind, count, data = tags[tag]
        if len(data) > 4:
            where = header + len(body)
            body += data + b"\0" * (len(data) % 2)
            data = struct.pack("<I", where)
        entries.append(struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0"))
    start = header + len(body)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, start) + bytes(body) + directory
