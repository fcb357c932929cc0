"""The resident half of ST[03] and ST[05]: periodic housekeeping reports and event reports.

Their commands are in services/housekeeping.py and services/events.py, loaded when one comes.
"""

import struct
import time

from micropython import const

from rover import dictionary as d
from rover.waker import Waker

_FIRST_MS = const(300)  # after the start, whose events go out first
_FULL_MS = const(1000)  # faster reports (diagnostics) get the sensors only, not the heap and the counters
_NIGHT_MS = const(60000)  # period of reports in sleep mode
_TOGETHER_MS = const(30000)  # asleep, reports due so soon go out with the first: one sampling for all


class Events:
    """5.1-5.4: event id, then its fields. Switched off ones (parameter event_mask_low) are not sent."""

    def __init__(self, app):
        self.app = app

    def report(self, event, fmt="", *values):
        """fmt: as struct's; or "s" when all values are strings."""
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
        if app.actions:
            app.actions.on_event(event, data[1] if n > 1 else 255)


class Housekeeping:
    """structures: id → [period ms, next due (ticks_ms), enabled, array of parameter codes]."""

    def __init__(self, app):
        self.app = app
        self.structures = {}
        self._changed = Waker()

    def define(self, number, period, codes):
        """period in 0.1 s; codes: array("H"). All begin on one beat: one sampling and one frame serve those of equal period."""
        due = time.ticks_add(time.ticks_ms(), min(period * 100, _FIRST_MS))
        self.structures[number] = [period * 100, due, 1, codes]

    def changed(self):
        """Look at the structures anew."""
        self._changed.wake()

    def report(self, number):
        """Send 3.25 of one structure now."""
        data = self.app.pus.data
        data[0] = number
        self.app.pus.report(3, 25, self.app.pool.gather(self.structures[number][3], data, 1))

    async def run(self):
        app = self.app
        while True:
            now = time.ticks_ms()
            wait = _NIGHT_MS
            sampled = sampled_full = False
            sleeping = app.pool.get(d.P_MODE) == d.UNIT_MODE_SLEEP
            for number, s in self.structures.items():
                if not s[2]:
                    continue
                period = max(s[0], _NIGHT_MS) if sleeping else s[0]
                left = time.ticks_diff(s[1], now)
                if left <= (_TOGETHER_MS if sleeping else 0):
                    full = s[0] >= _FULL_MS
                    if not sampled or (full and not sampled_full):
                        app.sampler.sample(full)
                        sampled = True
                        sampled_full = full
                    self.report(number)
                    s[1] = time.ticks_add(s[1], period)
                    if sleeping:
                        s[1] = time.ticks_add(now, period)
                    if time.ticks_diff(s[1], now) <= 0:  # fell behind (flash, long activity): no burst afterwards
                        s[1] = time.ticks_add(now, period)
                    left = time.ticks_diff(s[1], now)
                wait = min(wait, left)
            self._changed.clear()
            await self._changed.wait_ms(max(wait, 1))
