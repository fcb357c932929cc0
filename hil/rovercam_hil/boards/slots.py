"""Slot files: the whole firmware in one file of the unit, written and read. Layout: firmware/slots.py.

The files at the root (boot.py, main.py, slots.mpy) are in it too: a unit mends its own by them.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Mapping

from rovercam_hil.boards.base import BoardError

RP2040 = 0
WHOLE = 0x2144DF1C
"""CRC-32 of anything with its own CRC-32 behind."""
_UNIT = 4
"""Contents begin at multiples of so many bytes; their places are 16 bits."""


def head(files: Mapping[str, bytes], board: int = RP2040) -> bytes:
    """What comes before the contents, filled up; raises BoardError when the firmware does not fit the layout."""
    entries = sorted({*files, *_folders(files)})
    hashes = [struct.pack("<I", crc32(b"/" + name.encode()))[:3] for name in entries]
    if len(set(hashes)) != len(hashes):
        raise BoardError("two paths of the firmware have the same hash; rename one")
    names = b"".join(bytes([len(name)]) + name.encode() for name in entries)
    names += bytes(-(8 + 13 * len(entries) + len(names)) % _UNIT)
    size = at = 8 + 13 * len(entries) + len(names) + 4
    places = []
    for name in entries:
        places.append(at // _UNIT if name in files else 0)
        at += len(files.get(name, b"")) + -len(files.get(name, b"")) % _UNIT
    if max(places) > 0xFFFF:
        raise BoardError(f"the firmware has {at} bytes, a slot holds {0x10000 * _UNIT}")
    n = len(entries)
    out = struct.pack("<2sBBHH", b"RS", 1, board, n, size)
    out += b"".join(hashes) + struct.pack(f"<{n}H", *places)
    out += struct.pack(f"<{n}I", *(len(files.get(name, b"")) for name in entries))
    out += struct.pack(f"<{n}I", *(crc32(files.get(name, b"")) for name in entries)) + names
    return out + struct.pack("<I", crc32(out))


def build(files: Mapping[str, bytes], board: int = RP2040) -> bytes:
    """``files`` (path inside the slot -> contents) as a slot file."""
    out = bytearray(head(files, board))
    for name in sorted(files):
        out += files[name] + bytes(-len(files[name]) % _UNIT)
    return bytes(out) + struct.pack("<I", crc32(out))


def read(data: bytes) -> dict[str, bytes]:
    """The files of a slot file; raises BoardError naming what is damaged."""
    found = {}
    for name, (at, size, crc) in table(data).items():
        found[name] = data[at : at + size]
        if crc32(found[name]) != crc:
            raise BoardError(f"{name} in the slot file is damaged")
    if crc32(data) != WHOLE:
        raise BoardError("the slot file's own CRC is wrong")
    return found


def table(data: bytes) -> dict[str, tuple[int, int, int]]:
    """Path -> (place of the contents in the slot file, size, CRC-32); raises BoardError when the head is damaged."""
    magic, version, _, n, size = struct.unpack_from("<2sBBHH", data)
    if (magic, version) != (b"RS", 1) or len(data) < size:
        raise BoardError("this is no slot file")
    places = struct.unpack_from(f"<{n}H", data, 8 + 3 * n)
    sizes = struct.unpack_from(f"<{n}I", data, 8 + 5 * n)
    sums = struct.unpack_from(f"<{n}I", data, 8 + 9 * n)
    at = 8 + 13 * n
    found = {}
    for k in range(n):
        name = data[at + 1 : at + 1 + data[at]].decode(errors="replace")
        at += 1 + data[at]
        if places[k]:
            found[name] = (places[k] * _UNIT, sizes[k], sums[k])
    if crc32(data[:size]) != WHOLE:
        raise BoardError("the slot file's head is damaged")
    return found


def _folders(files: Mapping[str, bytes]) -> set[str]:
    return {"/".join(name.split("/")[:k]) for name in files for k in range(1, name.count("/") + 1)}
