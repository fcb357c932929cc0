"""Reading and writing slots (layout: /slots.py), for update and integrity; nothing of a head stays in RAM."""

import asyncio
import os
import struct
from binascii import crc32

from micropython import const

_WHOLE = const(0x2144DF1C)  # CRC-32 of anything with its own CRC-32 behind
_PAUSE_MS = const(10)


class Head:
    """The head of a slot that begins at `start` in the open file f. Raises ValueError where there is none."""

    def __init__(self, f, start=0):
        self.f = f
        self.start = start
        f.seek(start)
        head = f.read(8)
        if head[:3] != b"RS\1":
            raise ValueError
        self.count, self.length = struct.unpack_from("<HH", head, 4)

    def good(self, buf):
        self.f.seek(self.start)
        crc = 0
        left = self.length
        while left:
            n = self.f.readinto(buf[: min(left, len(buf))])
            if not n:
                return False
            crc = crc32(buf[:n], crc)
            left -= n
        return crc == _WHOLE

    def _word(self, offset, code, size):
        self.f.seek(self.start + 8 + offset)
        return struct.unpack(code, self.f.read(size))[0]

    def hash(self, i):
        """Of the path: 3 bytes."""
        self.f.seek(self.start + 8 + 3 * i)
        return self.f.read(3)

    def index(self, wanted):
        """Number of the entry with this path hash, or -1."""
        for i in range(self.count):
            if self.hash(i) == wanted:
                return i
        return -1

    def entry(self, i):
        """(place in the slot, size, CRC-32) of the contents; place 0: a folder."""
        n = self.count
        return (
            self._word(3 * n + 2 * i, "<H", 2) << 2,
            self._word(5 * n + 4 * i, "<I", 4),
            self._word(9 * n + 4 * i, "<I", 4),
        )

    def name(self, i):
        f = self.f
        f.seek(self.start + 8 + 13 * self.count)
        for _ in range(i):
            f.seek(f.read(1)[0], 1)
        return f.read(f.read(1)[0]).decode()

    def end(self):
        """Size of the slot without its CRC."""
        end = self.length
        for i in range(self.count):
            place, size, _ = self.entry(i)
            end = max(end, place + (size + 3 & -4))
        return end

    async def find(self, wanted, size, crc, buf):
        """Place of undamaged contents of this path hash, size and CRC-32, or 0."""
        i = self.index(wanted)
        if i >= 0:
            place, found, theirs = self.entry(i)
            if (found, theirs) == (size, crc) and await self.check(i, buf):
                return place
        return 0

    async def check(self, i, buf):
        """Whether contents i are what they should be."""
        place, left, wanted = self.entry(i)
        self.f.seek(self.start + place)
        return await copy(self.f, None, buf, left) == wanted


class Writer:
    """A file that is written, with the CRC-32 of all of it."""

    def __init__(self, f):
        self.f = f
        self.crc = 0

    def write(self, data):
        self.f.write(data)
        self.crc = crc32(data, self.crc)


async def copy(source, target, buf, left):
    """`left` bytes; returns their CRC-32, or -1 when they are not there. target None: only that."""
    crc = 0
    while left:
        n = source.readinto(buf[: min(left, len(buf))])
        if not n:
            return -1
        crc = crc32(buf[:n], crc)
        if target:
            target.write(buf[:n])
        left -= n
        await asyncio.sleep_ms(_PAUSE_MS)
    return crc


async def whole(path, buf):
    """Whether the slot at `path` is there and as it was made."""
    try:
        with open(path, "rb") as f:
            return await copy(f, None, buf, os.stat(path)[6]) == _WHOLE
    except OSError:
        return False


def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass
