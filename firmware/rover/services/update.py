"""Firmware update: a bundle that came as a file is checked, authenticated and installed into the slot not in use.

Bundle: "RB" 2, target board u8 (0 = RP2040), the head of the slot to be made (firmware/slots.py), then for each of its files, in its
order: kind u8, size u32, contents. Kind 0: none, the file is taken from the running slot; 1: as it is; 2: deflated (zlib, window 4 KB
at most). At the end HMAC-SHA-256 of all before it under the unit's key. Nothing is believed, and no file written, before that has
been verified; the finished slot is read back before it is tried.
"""

import asyncio
import hashlib
import os
import struct

from micropython import const

from rover import dictionary as d
from rover.commander import Failed
from rover.services.modes import select_slot
from rover.services.slotfile import Head, Writer, copy, remove, whole

_MAC = const(32)
_CHUNK = const(2048)
_RUNNING = const(0)
_DEFLATED = const(2)


def execute(app, path):
    return _install(app, path)


async def _install(app, path):
    arena = app.arena.take(d.HEAP_OWNER_UPDATE)
    if arena is None:
        raise Failed(d.F_BUSY, app.arena.owner)
    buf = arena[:_CHUNK]
    other = "b" if app.folder == "/a" else "a"
    target = "/" + other + ".slot"
    try:
        await _authenticate(app, path, buf)
        select_slot(app.folder[1])  # a trial that was prepared before is off
        remove(target)
        app.commander.progress(2)
        with open(path, "rb") as f:
            count = await _unpack(app, f, target, buf)
        app.commander.progress(3)
        select_slot(app.folder[1] + other + "0")
        app.events.report(d.E_UPDATE_INSTALLED, ">BH", ord(other), count)
    except OSError as e:
        if e.args[0] == 28:
            remove(target)  # no room for all of it
        raise Failed(d.F_FLASH_FULL if e.args[0] == 28 else d.F_UNKNOWN_FILE, e.args[0]) from None
    finally:
        app.arena.release()


async def _authenticate(app, path, buf):
    """Raises Failed when the bundle does not come from who has the key."""
    size = os.stat(path)[6] - _MAC
    if size < 16:
        raise Failed(d.F_DAMAGED)
    pad = bytearray(64)
    key = app.uplink.security.key() or bytes(32)
    for i in range(64):
        pad[i] = (key[i] if i < 32 else 0) ^ 0x36
    inner = hashlib.sha256(pad)
    left = size
    with open(path, "rb") as f:
        while left:
            n = f.readinto(buf[: min(left, _CHUNK)])
            inner.update(buf[:n])
            left -= n
            await asyncio.sleep_ms(0)
        tag = f.read(_MAC)
    for i in range(64):
        pad[i] ^= 0x36 ^ 0x5C
    outer = hashlib.sha256(pad)
    outer.update(inner.digest())
    wrong = 0
    for a, b in zip(outer.digest(), tag):
        wrong |= a ^ b
    if wrong:
        raise Failed(d.F_UNAUTHENTICATED)
    app.commander.progress(1)


async def _unpack(app, f, target, buf):
    """The new slot, whole; returns its number of files. Raises Failed, with what was written removed."""
    if f.read(4) != b"RB\2\0":
        raise Failed(d.F_DAMAGED)
    try:
        new = Head(f, 4)
    except ValueError:
        raise Failed(d.F_DAMAGED) from None
    if not app.store.make_room(new.end() + 4):
        raise Failed(d.F_FLASH_FULL)
    count = 0
    at = 4 + new.length
    with open(target, "wb") as g, open(app.folder + ".slot", "rb") as running:
        out = Writer(g)
        f.seek(4)
        await copy(f, out, buf, new.length)
        old = Head(running)
        for i in range(new.count):
            place, size, crc = new.entry(i)
            if place:
                wanted = new.hash(i)
                f.seek(at)
                kind, packed = struct.unpack("<BI", f.read(5))
                at += 5 + packed
                source = f
                if kind == _DEFLATED:
                    from deflate import ZLIB, DeflateIO

                    source = DeflateIO(f, ZLIB)
                elif kind == _RUNNING:
                    source = running
                    running.seek(await old.find(wanted, size, crc, buf))
                if await copy(source, out, buf, size) != crc:
                    count = 0
                    break
                out.write(bytes(-size & 3))
                count += 1
        g.write(struct.pack("<I", out.crc))
    if not count or not await whole(target, buf):
        remove(target)
        raise Failed(d.F_DAMAGED)
    return count
