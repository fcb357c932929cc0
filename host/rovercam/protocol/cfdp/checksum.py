"""File checksums of 727.0-B-5: modular (type 0), CRC-32 (type 3), null (type 15)."""

from __future__ import annotations

import zlib
from collections.abc import Callable

MODULAR, CRC_32, NULL = 0, 3, 15
KNOWN = (MODULAR, CRC_32, NULL)


def modular(data: bytes, offset: int = 0, total: int = 0) -> int:
    """Adds ``data``, which lies at ``offset`` of the file, to a modular checksum (4.2.2)."""
    lead = offset % 4
    padded = bytes(lead) + data + bytes(-(lead + len(data)) % 4)
    # the sum of big-endian words, byte column by byte column
    return (total + sum(sum(padded[i::4]) << (24 - 8 * i) for i in range(4))) & 0xFFFFFFFF


def of_file(kind: int, read: Callable[[int, int], bytes], size: int, step: int = 65536) -> int:
    """Checksum of ``size`` bytes got by read(offset, length). Raises ValueError for an unknown kind."""
    if kind not in KNOWN:
        raise ValueError(f"checksum type {kind}, known are {KNOWN}")
    total = 0
    for offset in range(0, size, step):
        data = read(offset, min(step, size - offset))
        if kind == MODULAR:
            total = modular(data, offset, total)
        elif kind == CRC_32:
            total = zlib.crc32(data, total)
    return total
