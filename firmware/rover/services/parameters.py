"""ST[20] parameters: typed, range-checked, kept over resets as a stored table: (id u16, length u8, value) of every settable one."""

import struct

from micropython import const

from rover import dictionary as d
from rover.services import stored

_FILE = "/t/parameters"
_F32 = const(6)
_RECORD = const(18)
_SIZES = b"\x01\x02\x04\x01\x02\x04\x04"
_FORMATS = (">B", ">H", ">I", ">b", ">h", ">i", ">f")


def parameters(table):
    """Every (id, (P_ code, settable, default, min, max)), one at a time."""
    f, n = table.open(0)
    with f:
        for _ in range(n):
            r = f.read(_RECORD)
            yield r[0] << 8 | r[1], _record(r)


def parameter(table, number):
    """(P_ code, settable, default, min, max) of a parameter id, or None."""
    for found, record in parameters(table):
        if found == number:
            return record
    return None


def _record(r):
    kind = r[2]
    code = ">f" if kind == _F32 else ">i" if kind >= 3 else ">I"
    return (
        kind << 12 | r[4] << 8 | r[5],
        r[3] & 1,
        struct.unpack_from(code, r, 6)[0],
        struct.unpack_from(code, r, 10)[0],
        struct.unpack_from(code, r, 14)[0],
    )


def structures(table):
    """Every (id, period in 0.1 s, tuple of P_ codes) of housekeeping, one at a time."""
    f, n = table.open(4)
    with f:
        for _ in range(n):
            r = f.read(4)
            yield r[0], r[2] << 8 | r[3], struct.unpack(">%dH" % r[1], f.read(2 * r[1]))


def unpack_value(p, data):
    """Value of a parameter from its bytes, or None when the length is wrong."""
    if len(data) != _SIZES[p >> 12]:
        return None
    return struct.unpack(_FORMATS[p >> 12], data)[0]


def load(app):
    """Defaults from the dictionary, then what was set by command."""
    for _, (p, settable, default, _, _) in parameters(app.table):
        if settable:
            app.pool.set(p, default)
    kept = stored.load(app, _FILE, d.STORED_TABLE_PARAMETERS)
    at = 0
    while kept and at + 3 < len(kept):
        found = parameter(app.table, kept[at] << 8 | kept[at + 1])
        n = kept[at + 2]
        at += 3
        if found and found[1]:
            v = unpack_value(found[0], kept[at : at + n])
            if v is not None and found[3] <= v <= found[4]:
                app.pool.set(found[0], v)
        at += n


def save(app):
    """Only what differs from the defaults."""
    out = bytearray()
    scratch = bytearray(4)
    for number, (p, settable, default, _, _) in parameters(app.table):
        if settable and app.pool.get(p) != default:
            n = app.pool.copy_into(p, scratch, 0)
            out += struct.pack(">HB", number, n)
            out += scratch[:n]
    stored.write(_FILE, out)


def execute(app, key, args):
    if key == d.C_REPORT_PARAMETERS:
        data = app.pus.data
        n = 0
        for number in args[0]:
            found = parameter(app.table, number)
            if not found:
                return d.F_UNKNOWN_PARAMETER
            struct.pack_into(">H", data, n, number)
            n = app.pool.copy_into(found[0], data, n + 2)
        app.pus.report(20, 2, n)
        return None
    found = parameter(app.table, args[0])
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
