"""ST[03] housekeeping: periodic reports of pool values; definitions made by command are kept over resets."""

import asyncio
import struct
import time
from array import array

from rover import dictionary as d

_FILE = "/t/structures"


class Housekeeping:
    """structures: id → [period ms, next due (ticks_ms), enabled, array of parameter codes]."""

    def __init__(self, app):
        self.app = app
        self.structures = {}
        self._changed = asyncio.Event()

    def load(self):
        for number, period, codes in self.app.table.structures():
            self.define(number, period, codes)
        try:
            with open(_FILE, "rb") as f:
                while True:
                    head = f.read(5)
                    if len(head) < 5:
                        break
                    number, enabled, period, n = struct.unpack(">BBHB", head)
                    if n:
                        self.define(number, period, self.codes(struct.unpack(">%dH" % n, f.read(2 * n))))
                    elif number in self.structures:
                        self.structures[number][0] = period * 100
                    self.structures[number][2] = enabled
        except (OSError, ValueError, KeyError):
            pass

    def codes(self, ids):
        """P_ codes of parameter ids; raises KeyError for an unknown one."""
        codes = array("H")
        for i in ids:
            found = self.app.table.parameter(i)
            if not found:
                raise KeyError(i)
            codes.append(found[0])
        return codes

    def define(self, number, period, codes):
        """period in 0.1 s; first reports are spread over the first second."""
        due = time.ticks_add(time.ticks_ms(), min(period * 100, 300 * number))
        self.structures[number] = [period * 100, due, 1, array("H", codes)]

    def save(self):
        """Periods and switches of all structures, parameters of those that were made by command (ids from 4)."""
        ids = {}
        for number, found in self.app.table.parameters():
            ids[found[0]] = number
        with open(_FILE, "wb") as f:
            for number, (period, _, enabled, codes) in self.structures.items():
                own = [ids[c] for c in codes] if number > 3 else ()
                f.write(struct.pack(">BBHB", number, enabled, period // 100, len(own)))
                f.write(struct.pack(">%dH" % len(own), *own))

    def report(self, number):
        """Send 3.25 of one structure now."""
        data = self.app.pus.data
        data[0] = number
        n = 1
        for code in self.structures[number][3]:
            n = self.app.pool.copy_into(code, data, n)
        self.app.pus.report(3, 25, n)

    async def run(self):
        app = self.app
        while True:
            now = time.ticks_ms()
            wait = 60000
            sampled = False
            for number, s in self.structures.items():
                if not s[2]:
                    continue
                left = time.ticks_diff(s[1], now)
                if left <= 0:
                    if not sampled:
                        app.sample()
                        sampled = True
                    self.report(number)
                    s[1] = time.ticks_add(s[1], s[0])
                    if time.ticks_diff(s[1], now) <= 0:  # fell behind (flash, long activity): no burst afterwards
                        s[1] = time.ticks_add(now, s[0])
                    left = time.ticks_diff(s[1], now)
                wait = min(wait, left)
            self._changed.clear()
            try:
                await asyncio.wait_for_ms(self._changed.wait(), max(wait, 1))
            except asyncio.TimeoutError:
                pass

    def changed(self):
        self.save()
        self._changed.set()


def execute(app, key, args):
    hk = app.housekeeping
    number = args[0]
    if key == d.C_CREATE_HOUSEKEEPING:
        if len(args[2]) == 0:
            return d.F_OUT_OF_RANGE
        try:
            hk.define(number, args[1], hk.codes(args[2]))
        except KeyError:
            return d.F_UNKNOWN_PARAMETER
        hk.changed()
        return None
    if number not in hk.structures:
        return d.F_UNKNOWN_STRUCTURE
    if key == d.C_REPORT_HOUSEKEEPING:
        app.sample()
        hk.report(number)
        return None
    s = hk.structures[number]
    if key == d.C_DELETE_HOUSEKEEPING:
        del hk.structures[number]
    elif key == d.C_SET_HOUSEKEEPING_PERIOD:
        s[0] = args[1] * 100
        s[1] = time.ticks_add(time.ticks_ms(), s[0])
    else:
        s[2] = 1 if key == d.C_ENABLE_HOUSEKEEPING else 0
        s[1] = time.ticks_add(time.ticks_ms(), s[0])
    hk.changed()
    return None
