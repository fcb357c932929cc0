"""Samples of one source folded into columns: time and value arrays to small blobs and back.

A block holds the samples of some 1000 packets of one source. Times are whole microseconds since 1970 (int64), sorted;
values keep the packet's own number type, so no calibration is frozen in.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
"""Packets per block: 1000 bins over a year then read at most some 1000 blocks, and an hour reads one or few."""

_PLAIN, _PACKED = b"\0", b"\1"


def _pack(data: bytes) -> bytes:
    packed = zlib.compress(data, 1)
    return _PACKED + packed if len(packed) < len(data) else _PLAIN + data


def _unpack(blob: bytes) -> bytes:
    return zlib.decompress(blob[1:]) if blob[:1] == _PACKED else blob[1:]


def pack_times(times: NDArray[np.int64]) -> bytes:
    """Second differences, bytes of equal weight together: a steady period costs next to nothing."""
    first = np.diff(times, prepend=np.int64(0))
    second = np.diff(first, prepend=np.int64(0))
    return _pack(second.astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes())


def unpack_times(blob: bytes, n: int) -> NDArray[np.int64]:
    second = np.frombuffer(_unpack(blob), np.uint8).reshape(8, n).T.copy().view("<i8").reshape(n)
    times: NDArray[np.int64] = np.cumsum(np.cumsum(second, dtype=np.int64), dtype=np.int64)
    return times


def pack_values(values: NDArray[np.generic]) -> tuple[str, bytes]:
    """(number type as NumPy writes it, blob). Bytes of equal weight together, so slow values pack well."""
    little = values.astype(values.dtype.newbyteorder("<"))
    size = little.dtype.itemsize
    return little.dtype.str, _pack(little.view(np.uint8).reshape(-1, size).T.tobytes())


def unpack_values(kind: str, blob: bytes, n: int) -> NDArray[np.generic]:
    dtype = np.dtype(kind)
    return np.frombuffer(_unpack(blob), np.uint8).reshape(dtype.itemsize, n).T.copy().view(dtype).reshape(n)
