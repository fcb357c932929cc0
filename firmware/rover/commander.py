"""Takes telecommand packets, verifies them (ST[01]) and runs them in order, one at a time.

A service module has execute(app, key, args): it returns None when done, a failure code, or a coroutine for work
that takes long; that runs as an activity beside further commands and reports its own completion.
"""

import asyncio
import sys
import time

from micropython import const

from rover import dictionary as d
from rover.waker import Waker

_QUEUE = const(8)
_ARMED_MS = const(60000)
_DAYS_MS = const(1 << 28)
_SERVICES = {
    3: "housekeeping",
    5: "events",
    8: "functions",
    9: "timing",
    11: "schedule_commands",
    12: "monitoring_commands",
    15: "recorder_commands",
    17: "test",
    19: "actions_commands",
    20: "parameters",
    21: "sequences",
    23: "files",
}
# Stay: file transfer and what it loads; the schedule, monitors, actions, recorder and dormancy, whose objects are in use.
_KEPT = ("rover.services.cfdp",)


class Failed(Exception):
    """Raised inside a command or activity: args[0] is the failure code, args[1] its data (optional)."""


class Commander:
    """Queue: at most 8 commands; a further one is not taken, and FARM-1 makes the ground wait and send it again."""

    def __init__(self, app):
        self.app = app
        self.full = False
        self.activities = 0
        self.armed = 0  # key of the command that arm() allowed
        self.armed_at = 0
        self._queue = []
        self._requests = {}  # of running activities, by task
        self._wake = Waker()

    def on_packet(self, packet):
        """Called by the uplink with each authenticated telecommand packet for our PUS APID. False: no room now."""
        if len(self._queue) >= _QUEUE:
            self.full = True
            return False
        self._queue.append(bytes(packet))
        self._wake.wake()
        return True

    async def run(self):
        while True:
            while self._queue:
                self.execute(self._queue.pop(0))
                if self.full:
                    self.full = False
                    self.app.uplink.ready()
                await asyncio.sleep_ms(0)
            if not self.activities:
                self.unload()
            await self._wake.wait_ms(_DAYS_MS)

    def progress(self, step):
        """An activity has done step number `step`: report 1.5 where the sender asked for it."""
        request = self._requests.get(id(asyncio.current_task()))
        if request:
            self.app.pus.verify(5, request, step)

    def unload(self):
        """Let go of modules that only commands need; the heap is worth more than the 20 ms of loading them again."""
        for name in list(sys.modules):
            if name.startswith(
                ("rover.services.", "rover.camera", "rover.imaging", "rover.vehicle", "rover.board.wheels")
            ) and not name.startswith(_KEPT):
                self.forget(name)

    def forget(self, *names):
        """Let go of these modules; an activity does so with what it needs no more."""
        for name in names:
            parent, _, child = name.rpartition(".")
            sys.modules.pop(name, None)
            if parent in sys.modules and hasattr(sys.modules[parent], child):
                delattr(sys.modules[parent], child)

    def execute(self, packet):
        """Verify and run one telecommand packet."""
        app = self.app
        pus = app.pus
        request = packet[:4]
        if len(packet) < 11 or packet[6] >> 4 != 2:
            app.pool.add(d.P_COMMANDS_REFUSED)
            pus.verify(2, request, d.F_WRONG_LENGTH)
            return
        ack = packet[6]
        service = packet[7]
        subtype = packet[8]
        data = memoryview(packet)[11:]
        key = service << 16 | subtype << 8
        if service == 8 and len(data):
            key |= data[0]
            data = data[1:]
        code, args, flags = app.table.decode(key, data)
        if not code and service not in _SERVICES:
            code = d.F_UNKNOWN_COMMAND
        if not code and flags & 2 and app.pool.get(d.P_MODE):
            code = d.F_WRONG_MODE
        if not code and flags & 1:
            if key != self.armed or time.ticks_diff(time.ticks_ms(), self.armed_at) > _ARMED_MS:
                code = d.F_NOT_ARMED
            self.armed = 0
        if code:
            app.pool.add(d.P_COMMANDS_REFUSED)
            pus.verify(2, request, code, args if isinstance(args, int) else 0)
            return
        app.pool.add(d.P_COMMANDS_ACCEPTED)
        if ack & 1:
            pus.verify(1, request)
        try:
            name = "rover.services." + _SERVICES[service]
            __import__(name)
            result = sys.modules[name].execute(app, key, args)
        except Failed as e:
            pus.verify(4, request, e.args[0], e.args[1] if len(e.args) > 1 else 0)
            return
        except MemoryError:
            pus.verify(4, request, d.F_NO_MEMORY)
            return
        except Exception as e:
            app.record(e, name)
            pus.verify(4, request, d.F_INTERNAL_ERROR)
            return
        if isinstance(result, int) and result:
            pus.verify(4, request, result)
            return
        if ack & 2:
            pus.verify(3, request)
        if result is None or isinstance(result, int):
            if ack & 8:
                pus.verify(7, request)
            return
        self.activities += 1
        asyncio.create_task(self._activity(result, request, ack, name))

    async def _activity(self, work, request, ack, name):
        app = self.app
        code = extra = 0
        task = asyncio.current_task()
        if ack & 4:
            self._requests[id(task)] = request
        try:
            code = await work
            if not isinstance(code, int):
                code = 0  # an activity may return what it made, for one that calls it
        except Failed as e:
            code = e.args[0]
            extra = e.args[1] if len(e.args) > 1 else 0
        except MemoryError:
            code = d.F_NO_MEMORY
        except Exception as e:
            app.record(e, name)
            code = d.F_INTERNAL_ERROR
        self._requests.pop(id(task), None)
        self.activities -= 1
        self._wake.wake()
        if code:
            app.pus.verify(8, request, code, extra)
        elif ack & 8:
            app.pus.verify(7, request)
