"""ST[12] commands: define, switch, delete, list monitors. Their evaluation is services/monitoring.py."""

import struct

from micropython import const

from rover import dictionary as d

_ENTRY = ">BBHBBii"  # as services/monitoring.py stores it
_SIZE = const(14)
_ROOM = const(300)


def execute(app, key, args):
    monitors = app.need("monitoring", "Monitors")
    if key == d.C_ADD_MONITOR:
        if args[4] > args[5]:
            return d.F_OUT_OF_RANGE
        if args[2] == d.MONITOR_CHECK_EXPECTED:
            args[5] = args[4]
        failed = monitors.add((args[0], 1, args[1], args[2], args[3], args[4], args[5]))
        if failed:
            return failed
    elif key == d.C_LIST_MONITORS:
        return _list(app, monitors)
    else:
        found = [e for e in monitors.entries if e[0] == args[0]]
        if not found:
            return d.F_OUT_OF_RANGE
        if key == d.C_DELETE_MONITOR:
            monitors.entries.remove(found[0])
        else:
            found[0][1] = 1 if key == d.C_ENABLE_MONITOR else 0
            found[0][8] = found[0][9] = 0
    monitors.save()
    return None


async def _list(app, monitors):
    at = 0
    while True:
        await app.room_for_report()
        data = app.pus.data
        n = 1
        while at < len(monitors.entries) and n + _SIZE < _ROOM:
            e = monitors.entries[at]
            struct.pack_into(_ENTRY, data, n, *e[:7])
            data[n + _SIZE] = e[9]
            n += _SIZE + 1
            at += 1
        data[0] = at >= len(monitors.entries)
        app.pus.report(12, 9, n)
        if at >= len(monitors.entries):
            return
