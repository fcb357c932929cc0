"""Slots: a whole firmware in one file, /a.slot or /b.slot, from which MicroPython imports as from a folder, /a or /b.

LittleFS gives every file whole blocks of 4 KB: as files of their own the 90 modules take 377 KB of the 848 KB, as one file
124 KB, so that two slots, an update on its way and pictures fit. /boot.py mounts the slot that is to run.

Layout, little endian: "RS" 1, board u8, entries u16, size of the head u16; hashes u24 × entries (the low bits of the CRC-32 of the path), places
u16 × entries (of the contents, in units of 4 bytes; 0 for a folder), sizes u32 × entries, CRC-32 of the contents u32 ×
entries, paths (each length u8, text), filled up to 4 bytes; CRC-32 of the head so far; the contents, each filled up; CRC-32 of all.
"""

import os
from binascii import crc32

from micropython import const

_WHOLE = const(0x2144DF1C)  # CRC-32 of anything with its own CRC-32 behind


class Slot:
    """What os.mount() and import ask for, read only. In RAM stay the hashes (keys) and the places (index), 5 bytes for each file.

    Names that MicroPython or the firmware has anyway: each new one costs heap for good.
    """

    def mount(self, readonly, mkfs):
        pass

    def find(self, path):
        """Position of the contents, 0 for a folder; raises OSError."""
        wanted = crc32(path).to_bytes(4, "little")[:3]
        at = self.keys.find(wanted)
        while at % 3:  # -1 too
            if at < 0:
                raise OSError(2)  # ENOENT
            at = self.keys.find(wanted, at + 1)
        at = at // 3 * 2
        return (self.index[at] | self.index[at + 1] << 8) << 2

    def stat(self, path):
        return (0x8000 if self.find(path) else 0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def open(self, path, mode):
        """The slot's file itself, at the place where `path` begins in it: whoever reads must know where to end."""
        at = mode == "rb" and self.find(path)
        if not at:
            raise OSError(30)  # EROFS
        f = open(self.file, mode)  # noqa: SIM115 - the caller's
        f.seek(at)
        return f


def check(file):
    """Whether a slot's file is there and as it was made."""
    buf = memoryview(bytearray(2048))
    crc = 0
    try:
        with open(file, "rb") as f:
            while True:
                n = f.readinto(buf)
                if not n:
                    return crc == _WHOLE
                crc = crc32(buf[:n], crc)
    except OSError:
        return False


def select(strapped):
    """(folder of the firmware that is to start, whether it is on trial). strapped: change nothing.

    A damaged slot gives way to the other one if that is whole; the firmware then finds what is damaged and mends it.
    """
    try:
        with open("/slot") as f:
            s = f.read()
    except OSError:
        s = ""
    first = s[:1] or "a"
    if len(s) == 3 and not strapped:
        trial = s[2] == "0" and check("/" + s[1] + ".slot")
        with open("/slot", "w") as f:  # LittleFS shows the old contents or the new ones, never a part
            f.write(s[:2] + "1" if trial else first + "!")
        if trial:
            return "/" + s[1], True
    other = "b" if first == "a" else "a"
    if not check("/" + first + ".slot") and check("/" + other + ".slot"):
        first = other
    return "/" + first, False


def mount(folder):
    """Nothing when there is no such slot: a firmware may lie in the folder as files of its own."""
    slot = Slot()
    slot.file = folder + ".slot"
    try:
        with open(slot.file, "rb") as f:
            head = f.read(8)
            if head[:3] != b"RS\1":
                return
            n = head[4] | head[5] << 8
            slot.keys = f.read(3 * n)
            slot.index = f.read(2 * n)
    except OSError:
        return
    os.mount(slot, folder)
