"""Slots: the header, the CRC, and what a slot's body holds. Sans-IO; any bytes give a Slot or None, never an exception."""

from __future__ import annotations

from binascii import crc_hqx  # equal to crcmod's crc-ccitt-false when started with 0xFFFF; tested
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._jit import jit

# from the dictionary
HEAD = 9
HEAD_REFINE = 6
FIRST_REFINEMENT = 2  # layer
RAW, THUMBNAIL, BLOCKS, PARENTS = 0, 2, 4, 5
SLOT = 200  # bytes, if the encoder is not told otherwise
LONG = 3  # slots that one of a refinement is long


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One intact slot. columns, depth, count are 0 in refinements."""

    picture: int
    layer: int
    plane: int
    codec: int
    first: int
    columns: int
    depth: int
    count: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """What a slot of blocks says before its bits. quality, fine, gaps: of base slots; units 0..3."""

    count: int
    begun: int
    ended: int
    quality: int
    fine: bool
    gaps: bool
    data: np.ndarray


def split(data: bytes, start: int = 0, size: int = SLOT) -> list[bytes]:
    """The whole slots in `data`, which stands at byte `start` of a layer's file; what is none of them may be among them.

    A refinement's slot begins at a multiple of its length too, and its second byte says what it is.
    """
    found = []
    at = -start % size
    while at + size <= len(data):
        long = (start + at) % (LONG * size) == 0 and data[at + 1] >> 5 >= FIRST_REFINEMENT
        end = at + (LONG * size if long else size)
        if end <= len(data):
            found.append(data[at:end])
        at = end
    return found


def parse(slot: bytes) -> Slot | None:
    """None when it is not an intact slot."""
    if len(slot) < HEAD + 2:
        return None
    layer = slot[1] >> 5
    head = HEAD if layer < FIRST_REFINEMENT else HEAD_REFINE
    if crc_hqx(slot[head:], crc_hqx(slot[: head - 2] + b"\0\0", 0xFFFF)) != int.from_bytes(
        slot[head - 2 : head], "big"
    ):
        return None
    columns = depth = count = 0
    if layer < FIRST_REFINEMENT:
        columns = slot[4] + 1
        depth = 8 + (slot[5] >> 5)
        count = (slot[5] & 31) << 8 | slot[6]
        if depth > 12:
            return None
    return Slot(
        picture=slot[0],
        layer=layer,
        plane=slot[1] >> 3 & 3,
        codec=slot[1] & 7,
        first=slot[2] << 8 | slot[3],
        columns=columns,
        depth=depth,
        count=count,
        body=bytes(slot[head:]),
    )


def coded(slot: Slot) -> Coded:
    """The body of a slot of blocks (firmware rover/imaging/segments.py)."""
    one, two = slot.body[0], slot.body[1]
    data = np.frombuffer(slot.body, np.uint8)[2:]
    base = slot.layer == 1
    return Coded(
        count=slot.count if base else one << 4 | two >> 4,
        begun=two >> 2 & 3,
        ended=two & 3,
        quality=one if base else 0,
        fine=base and bool(two & 16),
        gaps=base and bool(two & 32),
        data=data,
    )


@jit
def _thumbnail(data, wide, count, first, shift, out, known):  # type: ignore[no-untyped-def]
    # see firmware rover/imaging/thumbnail.py; out, known by block
    at = 40
    end = 8 * len(data)
    total: Any = 4  # NumPy or Python integer, by whether this is compiled
    n = 1
    for i in range(count):
        block = first + i
        if block >= len(out):
            return
        c = block % wide
        plain = False
        predicted = 0
        if i >= wide:
            above = out[block - wide]
            predicted = above
            if c > 0:
                left = out[block - 1]
                corner = above if i == wide else out[block - wide - 1]
                lo, hi = min(left, above), max(left, above)
                if corner >= hi:
                    predicted = lo
                elif corner <= lo:
                    predicted = hi
                else:
                    predicted = left + above - corner
        elif c > 0 and i > 0:
            predicted = out[block - 1]
        else:
            plain = True
        k = 16
        q = 0
        if not plain:
            k = 0
            while (n << k) < total:
                k += 1
            while True:
                if at >= end:
                    return
                bit = (np.int64(data[at >> 3]) >> (7 - (at & 7))) & 1
                at += 1
                if bit:
                    break
                q += 1
            if q >= 20:
                q = 0
                k = 16
        if at + k > end:
            return
        m = np.int64(q)
        for _ in range(k):
            m = (m << 1) | ((np.int64(data[at >> 3]) >> (7 - (at & 7))) & 1)
            at += 1
        if plain:
            x: Any = m - 65536 if m >= 32768 else m  # NumPy or Python integer, by whether it is compiled
        else:
            total += m
            n += 1
            if n == 32:
                n = 16
                total >>= 1
            x = predicted + ((m >> 1) if m & 1 == 0 else -((m + 1) >> 1))
        x = min(max(x, -32768), 32767)
        out[block] = x
        known[block] = shift


def thumbnail_size(slot: Slot) -> tuple[int, int] | None:
    """(width, height) in pixels that a thumbnail slot states; None when absurd."""
    b = slot.body
    width, height = b[0] << 8 | b[1], b[2] << 8 | b[3]
    if not (8 <= width <= 2048 and 8 <= height <= 2048) or (width + 7) // 8 != slot.columns or b[4] > 12:
        return None
    return width, height


def thumbnail_into(slot: Slot, values: np.ndarray, shifts: np.ndarray) -> None:
    """Write LL3 values (>> shift) and shifts of the slot's blocks into int64 arrays over the picture's blocks."""
    data = np.frombuffer(slot.body, np.uint8)
    _thumbnail(data, slot.columns, slot.count, slot.first, int(slot.body[4]), values, shifts)
