"""ST[20] parameters: typed, range-checked, kept over resets as a stored table: (id u16, length u8, value) of every settable one."""

import struct

from rover import dictionary as d
from rover.pool import unpack_value
from rover.services import stored

_FILE = "/t/parameters"


def load(app):
    """Defaults from the dictionary, then what was set by command."""
    for _, (p, settable, default, _, _) in app.table.parameters():
        if settable:
            app.pool.set(p, default)
    kept = stored.load(app, _FILE, d.STORED_TABLE_PARAMETERS)
    at = 0
    while kept and at + 3 < len(kept):
        found = app.table.parameter(kept[at] << 8 | kept[at + 1])
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
    for number, (p, settable, default, _, _) in app.table.parameters():
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
