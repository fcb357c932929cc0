"""ST[20] parameters: typed, range-checked, kept over resets in two copies, each with its own CRC.

A copy: sequence number u16, then (id u16, length u8, value) of every settable parameter, then CRC-16. One is always whole
when power fails inside a write, and the newest whole one wins (sequence number in front).
"""

import struct

from rover import dictionary as d
from rover.link.coding import crc16
from rover.pool import unpack_value

_FILES = ("/t/parameters.0", "/t/parameters.1")


def load(app):
    """Defaults from the dictionary, then the newest whole copy. Returns the number of damaged copies."""
    for _, (p, settable, default, _, _) in app.table.parameters():
        if settable:
            app.pool.set(p, default)
    best, damaged = _newest()
    if best:
        at = 2
        while at + 3 < len(best) - 2:
            found = app.table.parameter(best[at] << 8 | best[at + 1])
            n = best[at + 2]
            at += 3
            if found and found[1]:
                v = unpack_value(found[0], best[at : at + n])
                if v is not None and found[3] <= v <= found[4]:
                    app.pool.set(found[0], v)
            at += n
    return damaged


def _newest():
    """(newest whole copy or None, number of damaged ones); sequence numbers are compared modulo 65536."""
    best = None
    damaged = 0
    for path in _FILES:
        try:
            with open(path, "rb") as f:
                data = f.read()
        except OSError:
            continue
        if len(data) < 4 or crc16(data):
            damaged += 1
        elif best is None or 0 < ((data[0] - best[0] << 8) + data[1] - best[1]) & 0xFFFF < 0x8000:
            best = data
    return best, damaged


def save(app):
    """Write the older copy; the newer one stays until this one is complete."""
    best, _ = _newest()
    sequence = (best[0] << 8 | best[1]) + 1 & 0xFFFF if best else 1
    out = bytearray(struct.pack(">H", sequence))
    scratch = bytearray(4)
    for number, (p, settable, _, _, _) in app.table.parameters():
        if settable:
            n = app.pool.copy_into(p, scratch, 0)
            out += struct.pack(">HB", number, n)
            out += scratch[:n]
    out += struct.pack(">H", crc16(out))
    with open(_FILES[sequence & 1], "wb") as f:
        f.write(out)


def execute(app, key, args):
    if key == d.C_REPORT_PARAMETERS:
        data = app.pus.data
        n = 0
        for number in args[0]:
            found = app.table.parameter(number)
            if not found:
                return d.F_UNKNOWN_PARAMETER
            struct.pack_into(">H", data, n, number)
            n = app.pool.copy_into(found[0], data, n + 2)
        app.pus.report(20, 2, n)
        return None
    found = app.table.parameter(args[0])
    if not found:
        return d.F_UNKNOWN_PARAMETER
    p, settable, _, low, high = found
    if not settable:
        return d.F_NOT_SETTABLE
    value = unpack_value(p, args[1])
    if value is None:
        return d.F_WRONG_LENGTH
    if not low <= value <= high:
        return d.F_OUT_OF_RANGE
    app.pool.set(p, value)
    save(app)
    app.apply_parameters()
    return None
