"""Firmware update: a bundle that came as a file is checked, authenticated and installed into the slot not in use.

Bundle: "RB" 1, target board u8 (0 = RP2040), files u16, then per file: length u8, path inside the slot, kind u8, size u32, CRC-32 u32, and for
kind 1 the contents; kind 0 is taken from the running slot, if it is the same there. At the end HMAC-SHA-256 of all
before it under the unit's key. Nothing is believed, and no file written, before that has been verified.
"""

import asyncio
import binascii
import hashlib
import os
import struct

from micropython import const

from rover import dictionary as d
from rover.commander import Failed

_MAC = const(32)
_CHUNK = const(2048)


def execute(app, path):
    return _install(app, path)


async def _install(app, path):
    arena = app.arena.take(d.HEAP_OWNER_UPDATE)
    if arena is None:
        raise Failed(d.F_BUSY, app.arena.owner)
    buf = arena[:_CHUNK]
    try:
        size = await _authenticate(app, path, buf)
        target = "/b" if app.folder == "/a" else "/a"
        app.select_slot(app.folder[1])  # a trial that was prepared before is off
        await _remove(target)
        app.commander.progress(2)
        with open(path, "rb") as f:
            count = await _unpack(app, f, target, buf, size)
        app.commander.progress(3)
        app.select_slot(app.folder[1] + target[1] + "0")
        app.events.report(d.E_UPDATE_INSTALLED, ">BH", ord(target[1]), count)
    except OSError as e:
        raise Failed(d.F_FLASH_FULL if e.args[0] == 28 else d.F_UNKNOWN_FILE, e.args[0]) from None
    finally:
        app.arena.release()


async def _authenticate(app, path, buf):
    """Size of the bundle without its code; raises Failed."""
    size = os.stat(path)[6] - _MAC
    if size < 6:
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
    return size


async def _unpack(app, f, target, buf, size):
    head = f.read(6)
    if head[:4] != b"RB\1\0":
        raise Failed(d.F_DAMAGED)
    count = head[4] << 8 | head[5]
    if not app.store.make_room(size + count * 2048):
        raise Failed(d.F_FLASH_FULL)
    for _ in range(count):
        name = f.read(f.read(1)[0]).decode()
        kind, length, crc = struct.unpack(">BII", f.read(9))
        _folders(target, name)
        if kind:
            got = await _copy(f, target + "/" + name, buf, length)
        else:
            with open(app.folder + "/" + name, "rb") as old:
                got = await _copy(old, target + "/" + name, buf, length)
        if got != crc:
            raise Failed(d.F_DAMAGED)
        await asyncio.sleep_ms(0)
    return count


async def _copy(source, path, buf, left):
    crc = 0
    with open(path, "wb") as f:
        while left:
            n = source.readinto(buf[: min(left, _CHUNK)])
            if not n:
                break
            f.write(buf[:n])
            crc = binascii.crc32(buf[:n], crc)
            left -= n
            await asyncio.sleep_ms(0)
    return crc


def _folders(target, name):
    at = -1
    path = target
    while True:
        try:
            os.mkdir(path)
        except OSError:
            pass
        at = name.find("/", at + 1)
        if at < 0:
            return
        path = target + "/" + name[:at]


async def _remove(path):
    """A folder with all that is in it; deepest first, so that a cut leaves nothing out of reach."""
    try:
        entries = list(os.ilistdir(path))
    except OSError:
        return
    for entry in entries:
        full = path + "/" + entry[0]
        if entry[1] & 0x4000:
            await _remove(full)
        else:
            os.remove(full)
            await asyncio.sleep_ms(0)
    os.rmdir(path)
