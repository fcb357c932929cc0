"""The firmware on flash, checked while the unit runs: a flipped bit is found, named, and mended from the other slot.

Both slots are read through, a little at a time. A file that differs from its CRC is replaced by the same file of the other slot; where
that has no such file, a damaged running slot gives way to the other one, with a restart, and any other damaged (or missing)
slot becomes a copy of the running one. The files at the root are compared with those that the running slot carries.
"""

import asyncio
import os
import struct
from binascii import crc32

from micropython import const

from rover import dictionary as d
from rover.services.modes import select_slot
from rover.services.slotfile import Head, Writer, copy, whole

_CHUNK = const(1024)
_TURN_MS = const(200)
_LATER_S = const(60)  # the unit was busy


def start(app):
    """Begin a check in the background, called while no command runs. Returns when to call again, in s."""
    period = app.pool.get(d.P_SLOT_CHECK_PERIOD)
    if not period or app.trial or app.arena.owner:
        return _LATER_S
    asyncio.create_task(_background(app))
    return period


async def _background(app):
    try:
        await check(app)
    except Exception as error:
        app.record(error, "integrity")


async def check(app):
    """0, or the failure code of a command: what is damaged and stays so."""
    if app.trial:
        return d.F_BUSY
    buf = memoryview(bytearray(_CHUNK))
    own = app.folder[1]
    other = "b" if own == "a" else "a"
    code = 0
    if not await whole(_path(own), buf):
        code = await _mend(app, own, other, own, buf)
    if not code and not await whole(_path(other), buf):
        code = await _mend(app, other, own, own, buf)
    if not code:
        await _root(app, own, buf)
    return code


def _path(slot):
    return "/" + slot + ".slot"


def _tell(app, event, slot, name):
    name = name.encode()
    app.events.report(event, ">BB%ds" % len(name), ord(slot), len(name), name)


async def _mend(app, slot, source, own, buf):
    while app.arena.take(d.HEAP_OWNER_UPDATE) is None:  # nobody else is to write to a slot meanwhile
        if app.arena.owner != d.HEAP_OWNER_UPDATE:
            return d.F_BUSY
        await asyncio.sleep_ms(_TURN_MS)  # another check is mending
    try:
        if await whole(_path(slot), buf) or await _files(app, slot, source, buf):
            return 0
        if slot == own:
            if not await whole(_path(source), buf):
                return d.F_DAMAGED
            select_slot(source)
            app.events.report(d.E_SLOT_LEFT, ">BB", ord(slot), ord(source))
            from rover.services.functions import leave

            await leave(app, 0)
            return d.F_DAMAGED
        await _whole_copy(app, own, slot, buf)
        return 0
    except OSError:
        return d.F_FLASH_FULL
    finally:
        app.arena.release()


async def _files(app, slot, source, buf):
    """Every damaged file of a slot from the other one; whether all of them are right now."""
    try:
        with open(_path(slot), "rb") as f:
            head = Head(f)
            if not head.good(buf):
                raise ValueError
            bad = []
            for i in range(head.count):
                if not await head.check(i, buf):
                    bad.append((head.name(i), head.hash(i), head.entry(i)))
            end = head.end()
    except (OSError, ValueError):
        _tell(app, d.E_SLOT_DAMAGED, slot, "the whole of it")
        app.pool.add(d.P_TABLES_DAMAGED)
        return False
    app.pool.add(d.P_TABLES_DAMAGED, len(bad) or 1)
    for name, _, _ in bad:
        _tell(app, d.E_SLOT_DAMAGED, slot, name)
    if not app.store.make_room(end):  # LittleFS writes a file anew from where it changes
        return False
    try:
        with open(_path(source), "rb") as f:
            good = Head(f)
            for name, wanted, (place, size, crc) in bad:
                at = await good.find(wanted, size, crc, buf)
                if not at:
                    return False
                f.seek(at)
                with open(_path(slot), "r+b") as g:
                    g.seek(place)
                    await copy(f, g, buf, size)
                _tell(app, d.E_SLOT_REPAIRED, slot, name)
    except (OSError, ValueError):
        return not bad
    if not await whole(_path(slot), buf):  # what lies between the files, or the CRC of all
        if not bad:
            _tell(app, d.E_SLOT_DAMAGED, slot, "checksum")
        with open(_path(slot), "r+b") as g:
            crc = await copy(g, None, buf, end)
            g.seek(end)
            g.write(struct.pack("<I", crc))
        _tell(app, d.E_SLOT_REPAIRED, slot, "checksum")
    return True


async def _whole_copy(app, source, target, buf):
    size = os.stat(_path(source))[6]
    if app.store.make_room(size):
        with open(_path(source), "rb") as f, open(_path(target), "wb") as g:
            await copy(f, Writer(g), buf, size)
        app.events.report(d.E_SLOT_COPIED, ">BB", ord(target), ord(source))


async def _root(app, own, buf):
    """boot.py and what else is started before a slot is: as the running, proven firmware has them."""
    with open(_path(own), "rb") as f:
        head = Head(f)
        for name in ("boot.py", "main.py", "slots.mpy"):
            i = head.index(crc32("/" + name).to_bytes(4, "little")[:3])
            if i < 0:
                continue
            place, size, crc = head.entry(i)
            try:
                with open("/" + name, "rb") as g:
                    if os.stat("/" + name)[6] == size and await copy(g, None, buf, size) == crc:
                        continue
            except OSError:
                pass
            _tell(app, d.E_SLOT_DAMAGED, "/", name)
            f.seek(place)
            with open("/" + name, "wb") as g:
                await copy(f, g, buf, size)
            _tell(app, d.E_SLOT_REPAIRED, "/", name)
