"""ST[21] request sequences: named lists of telecommands with relative times, files /q/NAME.

A file: "RS" 1, entries u8, then per entry: delay u32 in seconds after the start, length u8, packet; CRC-16 over all.
Starting one puts its commands into the schedule, so it survives resets and can be listed, shifted and deleted there.
"""

import struct

from rover import dictionary as d
from rover.link.coding import crc16


def execute(app, key, args):
    if not args[0] or "/" in args[0]:
        return d.F_UNKNOWN_FILE
    try:
        with open("/q/" + args[0], "rb") as f:
            data = f.read(4096)
    except OSError:
        return d.F_UNKNOWN_FILE
    if len(data) < 6 or crc16(data) or data[:3] != b"RS\1":
        return d.F_DAMAGED
    schedule = app.need_schedule()
    app.clock.update()
    start = app.clock.seconds
    entries = []
    at = 4
    for _ in range(data[3]):
        delay, n = struct.unpack_from(">IB", data, at)
        entries.append((start + max(1, delay), data[at + 5 : at + 5 + n]))
        at += 5 + n
    return schedule.insert_all(entries)
