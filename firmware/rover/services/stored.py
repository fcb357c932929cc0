"""Small tables kept over resets in two copies, each with its own CRC: path.0 and path.1.

A copy: sequence number u16, contents, CRC-16. The newest whole copy counts and the older one is written, so that one
is always whole when power fails inside a write, and a damaged one has a substitute.
"""

from rover import dictionary as d
from rover.link.coding import crc16


def read(path):
    """(newest whole copy with its sequence number in front, or None; number of damaged copies)."""
    best = None
    damaged = 0
    for end in (".0", ".1"):
        try:
            with open(path + end, "rb") as f:
                data = f.read()
        except OSError:
            continue
        if len(data) < 4 or crc16(data):
            damaged += 1
        elif best is None or 0 < ((data[0] - best[0] << 8) + data[1] - best[1]) & 0xFFFF < 0x8000:
            best = data
    return best, damaged


def load(app, path, table):
    """The contents, or None. A damaged copy is reported (table: its number in stored_table) and replaced."""
    best, damaged = read(path)
    data = memoryview(best)[2:-2] if best else None
    if damaged:
        app.pool.add(d.P_TABLES_DAMAGED, damaged)
        app.events.report(d.E_TABLE_DAMAGED, ">BB", table, damaged)
        if best:
            write(path, data)
        else:
            remove(path)
    return data


def write(path, data):
    best, _ = read(path)
    sequence = (best[0] << 8 | best[1]) + 1 & 0xFFFF if best else 1
    out = bytearray((sequence >> 8, sequence & 255))
    out += data
    crc = crc16(out)
    out += bytes((crc >> 8, crc & 255))
    with open(path + (".1" if sequence & 1 else ".0"), "wb") as f:
        f.write(out)


def remove(path):
    import os

    for end in (".0", ".1"):
        try:
            os.remove(path + end)
        except OSError:
            pass
