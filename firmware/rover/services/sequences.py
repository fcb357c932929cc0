"""ST[21] request sequences: named lists of telecommands with relative times, files /q/NAME.

A file: "RS" 1, entries u8, then per entry: delay u32 in seconds after the start, length u8, packet; CRC-16 over all.
Starting one puts its commands into the schedule, so it survives resets and can be listed, shifted and deleted there;
aborting it takes out of the schedule what has not run yet: the same packets.
"""

import struct

from rover import dictionary as d
from rover.link.coding import crc16


def execute(app, key, args):
    entries = _load(args[0])
    if isinstance(entries, int):
        return entries
    schedule = app.need_schedule()
    if key == d.C_ABORT_SEQUENCE:
        packets = [e[1] for e in entries]
        scheduled = schedule.entries()
        left = [e for e in scheduled if e[2] not in packets]
        if len(left) == len(scheduled):
            return d.F_OUT_OF_RANGE
        schedule.write(left)
        return None
    app.clock.update()
    start = app.clock.seconds
    return schedule.insert_all([(start + max(1, delay), packet) for delay, packet in entries])


def _load(name):
    """[(delay, packet)] of a sequence's file, or a failure code."""
    if not name or "/" in name:
        return d.F_UNKNOWN_FILE
    try:
        with open("/q/" + name, "rb") as f:
            data = f.read(4096)
    except OSError:
        return d.F_UNKNOWN_FILE
    if len(data) < 6 or crc16(data) or data[:3] != b"RS\1":
        return d.F_DAMAGED
    entries = []
    at = 4
    for _ in range(data[3]):
        delay, n = struct.unpack_from(">IB", data, at)
        entries.append((delay, data[at + 5 : at + 5 + n]))
        at += 5 + n
    return entries
