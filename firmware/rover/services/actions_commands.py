"""ST[19] commands: define, switch, delete, list actions. What runs them is services/actions.py."""

from micropython import const

from rover import dictionary as d

_MAX_BYTES = const(1024)
_ROOM = const(300)


def execute(app, key, args):
    actions = app.need("actions", "Actions")
    if key == d.C_LIST_ACTIONS:
        return _list(app, actions)
    at = actions.find(args[0], args[1])
    if key == d.C_ADD_ACTION:
        packet = args[2]
        if len(actions.table) + len(packet) + 4 > _MAX_BYTES:
            return d.F_TABLE_FULL
        if len(packet) < 11:
            return d.F_WRONG_LENGTH
        actions.replace(at, bytes((args[0], args[1], 1, len(packet))) + packet)
        return None
    if at < 0:
        return d.F_OUT_OF_RANGE
    entry = actions.table[at : at + 4 + actions.table[at + 3]]
    if key == d.C_DELETE_ACTION:
        actions.replace(at, b"")
    else:
        actions.replace(at, entry[:2] + (b"\1" if key == d.C_ENABLE_ACTION else b"\0") + entry[3:])
    return None


async def _list(app, actions):
    at = 0
    while True:
        await app.room_for_report()
        data = app.pus.data
        n = 1
        t = actions.table
        while at < len(t) and n + 6 < _ROOM:
            packet = at + 4
            data[n : n + 3] = t[at : at + 3]
            data[n + 3] = t[packet + 7]
            data[n + 4] = t[packet + 8]
            data[n + 5] = t[packet + 11] if t[packet + 7] == 8 and t[at + 3] > 11 else 0
            n += 6
            at += 4 + t[at + 3]
        data[0] = at >= len(t)
        app.pus.report(19, 7, n)
        if at >= len(t):
            return
