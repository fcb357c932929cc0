"""ST[11] time-based scheduling: telecommand packets released at on-board times, kept on flash over resets.

Stored table /t/schedule: enabled u8, then entries in order of time: seconds u32, entry u16, length u8, packet. An entry
leaves the table before it runs: a reset in between may lose one command, but never runs one twice. When the newest copy
is damaged, the one before it may hold a command that has run: what is due when that is loaded is dropped, with its event.
"""

import struct

from micropython import const

from rover import dictionary as d
from rover.waker import Waker

_FILE = "/t/schedule"
_LATE = const(60)  # seconds; entries later than this (unit was off, schedule held) are dropped with an event
_MAX_BYTES = const(4096)


class Schedule:
    """next: on-board seconds of the first entry, or None. Only that is in RAM."""

    def __init__(self, app):
        self.app = app
        self.enabled = True
        self.next = None
        self._number = 0
        self._wake = Waker()

    def load(self):
        from rover.services import stored

        app = self.app
        dropped = app.pool.get(d.P_TABLES_DAMAGED)
        kept = stored.load(app, _FILE, d.STORED_TABLE_SCHEDULE)
        app.clock.update()
        now = app.clock.seconds
        entries = list(self._unpack(kept))
        if app.pool.get(d.P_TABLES_DAMAGED) != dropped:
            for seconds, number, _ in entries:
                if seconds <= now:
                    app.events.report(d.E_SCHEDULE_LATE, ">HI", number, now - seconds)
            entries = [e for e in entries if e[0] > now]
            self.write(entries)
        for entry in entries:
            if self.next is None:
                self.next = entry[0]
            self._number = max(self._number, entry[1])

    def entries(self):
        """Every (seconds, entry number, packet), in order of time."""
        from rover.services import stored

        best = stored.read(_FILE)[0]
        return list(self._unpack(memoryview(best)[2:-2])) if best else []

    def _unpack(self, data):
        if not data:
            return
        self.enabled = data[0] != 0
        at = 1
        while at + 7 <= len(data):
            seconds, number, n = struct.unpack_from(">IHB", data, at)
            at += 7
            yield seconds, number, bytes(data[at : at + n])
            at += n

    def write(self, entries):
        """Replace the table."""
        from rover.services import stored

        entries.sort()
        out = bytearray(b"\1" if self.enabled else b"\0")
        for seconds, number, packet in entries:
            out += struct.pack(">IHB", seconds, number, len(packet))
            out += packet
        stored.write(_FILE, out)
        self.next = entries[0][0] if entries else None
        self._wake.wake()

    def insert(self, seconds, packet):
        """Returns a failure code or None."""
        return self.insert_all([(seconds, packet)])

    def insert_all(self, wanted):
        """All of (seconds, packet), or nothing and a failure code."""
        clock = self.app.clock
        clock.update()
        entries = self.entries()
        for seconds, packet in wanted:
            if seconds <= clock.seconds:
                return d.F_TOO_LATE
            if len(packet) < 11:
                return d.F_WRONG_LENGTH
            self._number = (self._number + 1) & 0xFFFF
            entries.append((seconds, self._number, packet))
        if sum(len(e[2]) + 7 for e in entries) > _MAX_BYTES:
            return d.F_SCHEDULE_FULL
        self.write(entries)
        return None

    async def run(self):
        """Release what is due. Sleeps until the next entry, or until the schedule or the clock changes."""
        clock = self.app.clock
        while True:
            clock.update()
            if self.next is not None and self.next <= clock.seconds:
                self._release()
                continue
            wait = 60000 if self.next is None else min((self.next - clock.seconds) * 1000 - clock.micros // 1000, 60000)
            self._wake.clear()
            await self._wake.wait_ms(max(wait, 1))

    def clock_changed(self):
        self._wake.wake()

    def _release(self):
        app = self.app
        entries = self.entries()
        seconds, number, packet = entries.pop(0)
        self.write(entries)
        late = app.clock.seconds - seconds
        if late > _LATE or not self.enabled:
            app.events.report(d.E_SCHEDULE_LATE, ">HI", number, late)
        else:
            app.commander.on_packet(packet)
