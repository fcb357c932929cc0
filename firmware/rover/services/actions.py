"""ST[19] event-action: a telecommand that runs when an event occurs.

Stored table /t/actions: event u8, detail u8 (first byte of the event's fields that must match, 255 = any), enabled u8,
length u8, packet. Kept in memory as that table; one action runs at most once in 10 s, so that it cannot feed itself.
"""

import time

from micropython import const

from rover import dictionary as d
from rover.services import stored

FILE = "/t/actions"
_PAUSE_MS = const(10000)


class Actions:
    def __init__(self, app):
        self.app = app
        self.table = b""
        self._last = {}

    def load(self):
        kept = stored.load(self.app, FILE, d.STORED_TABLE_ACTIONS)
        self.table = bytes(kept) if kept else b""

    def on_event(self, event, detail):
        """Called with every event; detail: the first byte of its fields, or 255."""
        t = self.table
        at = 0
        while at < len(t):
            if t[at] == event and t[at + 2] and t[at + 1] in (detail, 255):
                now = time.ticks_ms()
                if at not in self._last or time.ticks_diff(now, self._last[at]) > _PAUSE_MS:
                    self._last[at] = now
                    self.app.commander.on_packet(t[at + 4 : at + 4 + t[at + 3]])
            at += 4 + t[at + 3]

    def find(self, event, detail):
        at = 0
        while at < len(self.table):
            if self.table[at] == event and self.table[at + 1] == detail:
                return at
            at += 4 + self.table[at + 3]
        return -1

    def replace(self, at, entry):
        """Put entry (b"" to delete) in the place of the one at `at`, or at the end for -1; kept over resets."""
        t = self.table
        self.table = t + entry if at < 0 else t[:at] + entry + t[at + 4 + t[at + 3] :]
        self._last = {}
        stored.write(FILE, self.table)
