"""ST[12] on-board monitoring: limits on a parameter's value or on its change between two samples, or an expected value.

Stored table /t/monitors, 17 bytes each: monitor u8, enabled u8, parameter u16, check u8, repeats u8, low i32, high i32,
code u16 (P_ constant), state u8 (not kept). Loaded when there are definitions; evaluated after every full sample.
"""

import struct

from micropython import const

from rover import dictionary as d
from rover.services import stored

FILE = "/t/monitors"
_ENTRY = ">BBHBBii"
_SIZE = const(14)
_MAX = const(32)


class Monitors:
    """entries: [monitor, enabled, parameter, check, repeats, low, high, P_ code, violations in a row, state, last value]."""

    def __init__(self, app):
        self.app = app
        self.entries = []

    def load(self):
        kept = stored.load(self.app, FILE, d.STORED_TABLE_MONITORS)
        for at in range(0, len(kept) if kept else 0, _SIZE):
            self.add(struct.unpack_from(_ENTRY, kept, at))

    def add(self, fields):
        """fields as stored; replaces the monitor of the same number. Returns a failure code or None."""
        from rover.services.parameters import parameter

        found = parameter(self.app.table, fields[2])
        if not found:
            return d.F_UNKNOWN_PARAMETER
        kept = [e for e in self.entries if e[0] != fields[0]]
        if len(kept) >= _MAX:
            return d.F_TABLE_FULL
        kept.append(list(fields) + [found[0], 0, 0, None])
        self.entries = kept
        return None

    def save(self):
        out = bytearray()
        for e in self.entries:
            out += struct.pack(_ENTRY, *e[:7])
        stored.write(FILE, out)

    def check(self):
        """After a sample. An event when a check has failed `repeats` times in a row, and when it is met again."""
        pool = self.app.pool
        for e in self.entries:
            if not e[1]:
                continue
            value = int(pool.get(e[7]))
            checked = value
            if e[3] == d.MONITOR_CHECK_DELTA:
                checked = value - e[10] if e[10] is not None else 0
                e[10] = value
            state = 1 if checked < e[5] else 2 if checked > e[6] else 0
            if state == e[9]:
                e[8] = 0
                continue
            e[8] += 1
            if e[8] >= e[4] or not state:
                e[8] = 0
                e[9] = state
                value = max(-0x7FFFFFFF, min(0x7FFFFFFF, checked))
                self.app.events.report(
                    d.E_MONITOR_OUT if state else d.E_MONITOR_BACK, ">BHiB", e[0], e[2], value, state
                )
