"""ST[05] events: four severities, individually enabled, mask kept over resets with the parameters."""

import struct

from rover import dictionary as d


class Events:
    def __init__(self, app):
        self.app = app

    def report(self, event, fmt="", *values):
        """5.1-5.4: event id, then its fields packed by fmt; strings go in as bytes with format "s"."""
        app = self.app
        if event < 32 and not app.pool.get(d.P_EVENT_MASK_LOW) >> event & 1:
            return
        data = app.pus.data
        data[0] = event
        n = 1
        if fmt == "s":
            for text in values:
                text = text.encode()[:100]
                data[n] = len(text)
                data[n + 1 : n + 1 + len(text)] = text
                n += 1 + len(text)
        elif fmt:
            struct.pack_into(fmt, data, 1, *values)
            n += struct.calcsize(fmt)
        app.pus.report(5, app.table.severity(event), n)


def execute(app, key, args):
    mask = app.pool.get(d.P_EVENT_MASK_LOW)
    for event in args[0]:
        if event > 31:
            return d.F_OUT_OF_RANGE
        if key == d.C_ENABLE_EVENTS:
            mask |= 1 << event
        else:
            mask &= ~(1 << event)
    app.pool.set(d.P_EVENT_MASK_LOW, mask)
    app.parameters.save()
