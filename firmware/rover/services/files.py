"""ST[23] files: list, attributes, delete; downlink as CFDP transactions; the product catalogue."""

import asyncio
import os
import struct

from micropython import const

from rover import dictionary as d
from rover import store
from rover.services import stored

_ROOM = const(320)
_PROTECTED = "/t/protected"  # stored table: paths, each with a line feed
# Without these there is no way back.
_OURS = ("/key.bin", "/boot.py", "/main.py", "/slots.mpy", "/config.json", "/slot", "/a.slot", "/b.slot")
_SLOTS = ("/a", "/b")


def _size(path):
    """Size of a file; -1 when there is none, -2 for a folder."""
    if path in _SLOTS or path.startswith(("/a/", "/b/")):
        return -1  # there is only one file, the slot
    try:
        s = os.stat(path)
    except OSError:
        return -1
    return -2 if s[0] & 0x4000 else s[6]


def execute(app, key, args):
    if key == d.C_LIST_FILES:
        return _list(app, args[0])
    if key == d.C_REPORT_FILE:
        return _attributes(app, args[0])
    if key == d.C_LIST_PRODUCTS:
        return _catalogue(app, args[0])
    if key == d.C_DELETE_FILE:
        if _size(args[0]) < 0:
            return d.F_UNKNOWN_FILE
        if _refused(app, args[0]):
            return d.F_PROTECTED
        os.remove(args[0])
        return None
    if key in (d.C_PROTECT_FILE, d.C_RELEASE_FILE):
        return _protect(app, args[0], key == d.C_PROTECT_FILE)
    if key == d.C_COPY_FILE:
        if args[0] == "/key.bin" or _size(args[0]) < 0:
            return d.F_UNKNOWN_FILE
        if _refused(app, args[1]):
            return d.F_PROTECTED
        return _copy(app, args[0], args[1])
    if key == d.C_DOWNLINK_FILE:
        if args[0] == "/key.bin" or _size(args[0]) < 0:
            return d.F_UNKNOWN_FILE
        # Blind, part of a file may be all that comes: a picture's layer goes slot by slot, spread over the picture.
        spread = args[2] == d.CFDP_CLASS_UNACKNOWLEDGED and args[0].startswith("/p/")
        app.send_file(args[0], args[1] * 16, args[2], args[3], spread, args[4])
        return None
    if key == d.C_DOWNLINK_PRODUCT:
        return None if app.products.add(args[0], args[2], args[1], args[3]) else d.F_UNKNOWN_FILE
    if key == d.C_DELETE_PRODUCT:
        app.products.forget(args[0])
        return None if app.store.delete(args[0]) else d.F_UNKNOWN_FILE
    if key == d.C_PROTECT_PRODUCT:
        return None if app.store.change(args[0], protected=args[1]) else d.F_UNKNOWN_FILE
    if key == d.C_SUSPEND_TRANSFER:
        return None if app.cfdp.suspend(args[0]) else d.F_UNKNOWN_TRANSFER
    if key == d.C_RESUME_TRANSFER:
        return None if app.cfdp.resume(args[0]) else d.F_UNKNOWN_TRANSFER
    if key == d.C_CANCEL_TRANSFER:
        return None if app.cfdp.cancel(args[0]) else d.F_UNKNOWN_TRANSFER
    return d.F_UNSUPPORTED


def _refused(app, path):
    return path in _OURS or path.startswith(("/a/", "/b/")) or path in _protected(app)


def _protected(app):
    kept = stored.load(app, _PROTECTED, d.STORED_TABLE_PROTECTED)
    return bytes(kept).decode().split("\n")[:-1] if kept else []


def _protect(app, path, on):
    paths = _protected(app)
    if on:
        if _size(path) < 0:
            return d.F_UNKNOWN_FILE
        if path not in paths:
            paths.append(path)
        if len(paths) > 32:
            return d.F_TABLE_FULL
    elif path in paths:
        paths.remove(path)
    else:
        return d.F_UNKNOWN_FILE
    stored.write(_PROTECTED, "".join(p + "\n" for p in paths).encode())
    return None


async def _copy(app, source, target):
    """Whole or not at all: under another name first."""
    if app.store.free() < _size(source):
        return d.F_FLASH_FULL
    part = target + "~"
    buf = memoryview(bytearray(1024))
    try:
        with open(source, "rb") as f, open(part, "wb") as g:
            while True:
                n = f.readinto(buf)
                if not n:
                    break
                g.write(buf[:n])
                await asyncio.sleep_ms(0)
        os.rename(part, target)
    except OSError:
        try:
            os.remove(part)
        except OSError:
            pass
        return d.F_UNKNOWN_FILE  # no such folder
    return None


def _text(data, n, text):
    raw = text.encode()
    data[n] = len(raw)
    data[n + 1 : n + 1 + len(raw)] = raw
    return n + 1 + len(raw)


async def _attributes(app, path):
    size = _size(path)
    if size < 0:
        return d.F_UNKNOWN_FILE
    total = 0  # CFDP's modular checksum: big-endian words, last one padded with zeros
    buf = bytearray(256)
    with open(path, "rb") as f:
        while True:
            n = f.readinto(buf)
            if not n:
                break
            for i in range(n, (n + 3) & ~3):
                buf[i] = 0
            for i in range(0, n, 4):
                total = (total + struct.unpack_from(">I", buf, i)[0]) & 0xFFFFFFFF
            await asyncio.sleep_ms(0)
    data = app.pus.data
    n = _text(data, 0, path)
    struct.pack_into(">II", data, n, size, total)
    app.pus.report(23, 4, n + 8)


async def _list(app, path):
    if _size(path) != -2 and path != "/":
        return d.F_UNKNOWN_FILE
    buf = bytearray(_ROOM)  # not pus.data: other reports use that while this one waits
    start = n = _text(buf, 0, path) + 1
    for entry in os.ilistdir(path):
        if n + 6 + len(entry[0]) > _ROOM:
            await _send(app, buf, n, 13)
            n = start
        n = _text(buf, n, entry[0])
        struct.pack_into(">BI", buf, n, 1 if entry[1] & 0x4000 else 0, entry[3] if len(entry) > 3 else 0)
        n += 5
    buf[start - 1] = 1
    await _send(app, buf, n, 13)


async def _send(app, buf, n, subtype):
    await app.room_for_report()
    app.pus.data[:n] = memoryview(buf)[:n]
    app.pus.report(23, subtype, n)


async def _catalogue(app, first):
    numbers = app.store.numbers(first)
    while True:
        await app.room_for_report()
        data = app.pus.data
        n = 1
        while numbers and n + 15 <= _ROOM:
            number = numbers.pop(0)
            record = app.store.read(number)
            if record:
                r = store.unpack(record)
                struct.pack_into(">HBBBBBII", data, n, number, r[2], r[3], r[4], r[5], r[6], r[16], r[19])
                n += 15
        data[0] = 0 if numbers else 1
        app.pus.report(23, 133, n)
        if not numbers:
            return
