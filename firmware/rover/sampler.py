"""Brings the data pool up to date: sensors, heap, counters of link and files."""

import gc
from math import atan2, pi, sqrt

from micropython import const

from rover import dictionary as d

_COLLECT_EVERY = const(4)  # samples to a collection, which takes longer than all else in one
_KNOWN_S = const(60)  # beyond the uptime: a clock that nobody has set counts from the start
_LARGEST_EVERY = const(12)  # samples to a search for the largest free block; a multiple of the above


class Sampler:
    def __init__(self, app):
        self.app = app
        self._samples = 0
        self._loop_delay = 0

    def delayed(self, ms):
        """No other task could run for so long."""
        self._loop_delay = max(self._loop_delay, ms)

    def check_heap(self):
        """Collect, and keep the least free heap seen; activities call it where they hold the most."""
        gc.collect()
        free = gc.mem_free()
        p = self.app.pool
        p.set(d.P_HEAP_FREE, free)
        if free < p.get(d.P_HEAP_MINIMUM):
            p.set(d.P_HEAP_MINIMUM, free)

    def keep_time(self):
        """For the next start, if it is the watchdog's; also when the ground has not set the clock since the last one."""
        clock = self.app.clock
        clock.update()
        if clock.seconds > clock.uptime + _KNOWN_S:
            self.app.board.keep_time(clock.seconds)

    def sample(self, full=True):
        """Everything; or only the sensors, for quick diagnostics."""
        if not full:
            self._sense()
            return
        app = self.app
        p = app.pool
        if self._samples % _COLLECT_EVERY == 0:
            self.check_heap()
        if self._samples % _LARGEST_EVERY == 0:
            p.set(d.P_HEAP_LARGEST, largest_block(p.get(d.P_HEAP_FREE)))
            p.set(d.P_FLASH_FREE, max(0, app.store.free()) >> 10)
        self._samples += 1
        self.keep_time()
        p.set(d.P_UPTIME, app.clock.uptime)
        p.set(d.P_TIME_STATUS, app.clock.synchronised)
        p.set(d.P_ARENA_OWNER, app.arena.owner)
        p.set(d.P_EVENTS_DROPPED, app.pus.dropped)
        p.set(d.P_LOOP_DELAY_MAX, self._loop_delay)
        self._loop_delay = 0
        p.set(d.P_CHIP_TEMPERATURE, app.board.chip_temperature())
        self._sense()
        down = app.downlink
        up = app.uplink
        p.set(d.P_FRAMES_SENT, down.frames)
        p.set(d.P_LINE_PROFILE, down.profile)
        p.set(d.P_UPLINK_BYTES, app.heard_bytes)
        p.set(d.P_UPLINK_FRAMES, up.accepted)
        p.set(d.P_UPLINK_CORRECTED, up.hunter.corrected)
        p.set(d.P_UPLINK_REJECTED, up.bad_frames + up.foreign)
        p.set(d.P_UPLINK_UNAUTHENTICATED, up.unauthenticated)
        p.set(d.P_UPLINK_REPLAYED, up.replayed)
        p.set(d.P_UPLINK_FLOOR, up.security.floor)
        p.set(d.P_UPLINK_CONTROL, up.frames_bc)
        p.set(d.P_UPLINK_REFUSED, up.out_of_sequence + up.waited)
        waiting = 0
        transfers = app.cfdp.transactions()
        for t in transfers:
            waiting += t[5] - t[4]
        p.set(d.P_TRANSFERS_ACTIVE, len(transfers))
        p.set(d.P_BULK_QUEUE, waiting)
        p.set(d.P_BYTES_RESENT, app.cfdp.bytes_resent)
        if app.dormancy:
            app.dormancy.check()
        if app.monitors:
            app.monitors.check()

    def _sense(self):
        """One reading of every sensor; a silent one is named once in an event and asked again every time."""
        p = self.app.pool
        board = self.app.board
        present = p.get(d.P_SENSORS_PRESENT)
        now = present & 1
        for bit, name in ((2, "weather"), (4, "power"), (8, "attitude")):
            sensor = getattr(board, name)
            if sensor is None:
                continue
            try:
                sensor.read()
                now |= bit
            except OSError:
                if present & bit:
                    p.add(d.P_SENSOR_ERRORS)
            if (now ^ present) & bit and self._samples > 1:
                self.app.events.report(d.E_SENSOR_BACK if now & bit else d.E_SENSOR_FAILED, ">B", bit)
        p.set(d.P_SENSORS_PRESENT, now)
        w = board.weather
        ok = now & 2
        p.set(d.P_AIR_TEMPERATURE, w.temperature if ok else -32768)
        p.set(d.P_AIR_PRESSURE, w.pressure if ok else 0)
        p.set(d.P_AIR_HUMIDITY, w.humidity if ok else 0)
        s = board.power
        ok = now & 4
        p.set(d.P_BUS_VOLTAGE, s.voltage if ok else 0)
        p.set(d.P_BUS_CURRENT, s.current if ok else 0)
        p.set(d.P_BUS_POWER, s.voltage * s.current // 1000 if ok else 0)
        if now & 8:
            a = board.attitude
            for i, code in enumerate((d.P_ACCELERATION_X, d.P_ACCELERATION_Y, d.P_ACCELERATION_Z)):
                p.set(code, a.acceleration[i])
            for i, code in enumerate((d.P_ROTATION_X, d.P_ROTATION_Y, d.P_ROTATION_Z)):
                p.set(code, a.rotation[i])
            x, y, z = a.acceleration
            p.set(d.P_ROLL, round(atan2(y, z) * 1800 / pi))
            p.set(d.P_PITCH, round(atan2(x, sqrt(y * y + z * z)) * 1800 / pi))


def largest_block(limit):
    """Largest free block of the heap to within 1 KB, found by trying, right after a collection."""
    low = 0
    high = limit >> 10
    gc.disable()  # a try that fails must not collect again: all of them together would outlast the line's buffer
    try:
        while low < high:
            middle = (low + high + 1) >> 1
            try:
                block = bytearray(middle << 10)
                del block
                gc.collect()
                low = middle
            except MemoryError:
                high = middle - 1
    finally:
        gc.enable()
    return low << 10
