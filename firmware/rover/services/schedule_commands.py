"""ST[11] commands: insert, delete, shift, hold, list. The schedule itself is services/schedule.py."""

import struct

from micropython import const

from rover import dictionary as d

_ROOM = const(300)


def execute(app, key, args):
    schedule = app.need_schedule()
    if key == d.C_INSERT_SCHEDULE:
        return schedule.insert(args[0], args[1])
    entries = schedule.entries()
    if key in (d.C_ENABLE_SCHEDULE, d.C_DISABLE_SCHEDULE):
        schedule.enabled = key == d.C_ENABLE_SCHEDULE
    elif key == d.C_RESET_SCHEDULE:
        entries = []
    elif key == d.C_DELETE_SCHEDULE:
        kept = [e for e in entries if e[1] != args[0]]
        if len(kept) == len(entries):
            return d.F_OUT_OF_RANGE
        entries = kept
    elif key == d.C_SHIFT_ENTRY:
        if args[0] not in [e[1] for e in entries]:
            return d.F_OUT_OF_RANGE
        entries = [(max(0, s + args[1]) if n == args[0] else s, n, p) for s, n, p in entries]
    elif key == d.C_SHIFT_SCHEDULE:
        entries = [(max(0, s + args[0]), n, p) for s, n, p in entries]
    elif key == d.C_LIST_SCHEDULE:
        return _list(app, entries)
    schedule.write(entries)
    return None


async def _list(app, entries):
    while True:
        await app.room_for_report()
        data = app.pus.data
        n = 2
        while entries and n + 9 <= _ROOM:
            seconds, number, packet = entries.pop(0)
            function = packet[11] if packet[7] == 8 and len(packet) > 11 else 0
            struct.pack_into(">HIBBB", data, n, number, seconds, packet[7], packet[8], function)
            n += 9
        data[0] = app.schedule.enabled
        data[1] = 0 if entries else 1
        app.pus.report(11, 13, n)
        if not entries:
            return
