"""Wires a Board to link and services, and runs the tasks.

receive   line → uplink (TC frames, authentication, FARM-1) → commander or file transfer
transmit  downlink (live packets first, then files) → line
housekeeping, commander, files (timers of file transfers), health; each restarted, with an event, if it fails.
"""

import asyncio
import gc
import io
import os
import sys
import time

from micropython import const

from rover import dictionary as d
from rover.clock import Clock
from rover.commander import Commander
from rover.link.downlink import Downlink
from rover.link.uplink import Uplink
from rover.pool import Pool, Table
from rover.products import Queue
from rover.pus import Pus
from rover.reporter import Events, Housekeeping
from rover.sampler import Sampler
from rover.services import cfdp
from rover.store import Store
from rover.waker import Waker

_RX = const(256)
_VC0 = const(1536)  # bytes of live reports that may wait
_LONG_REPORT = const(420)
_NIGHT = const(30)  # in sleep mode the beat of idle frames is so many times slower
# Bytes allocated between collections: more often costs more, at some 10 ms each; less often, and free memory is in pieces.
_COLLECT_EVERY = const(24576)
_QUIET_MS = const(400)  # no command for this long: a good moment to write to flash, which makes the chip deaf
_LONGEST_MS = const(1 << 28)  # silence is counted so far, three days: differences of ticks turn negative after six
_AWAY_MS = const(5000)  # silence after which file transfers ask at once instead of waiting for their timers
_BEAT_MS = const(500)
_HEALTHY_S = const(60)  # uptime after which earlier failures are forgotten
_FIRST_CHECK_S = const(40)  # uptime at which the firmware on flash is checked for the first time
_SLOT = const(200)  # bytes; slots of picture layers are kept whole in PDUs
_TRACE_FILE = "/t/exception"


class App:
    """config: the contents of /config.json; keys: FlashKeys or the like."""

    def __init__(self, board, arena, config, keys, folder):
        self.board = board
        self.arena = arena
        self.folder = folder
        self.trial = False
        unit = config.get("unit", 1)
        apid = d.APID_BASE + d.APID_PER_UNIT * unit
        scid = d.UNIT_SCID_BASE + unit
        self.pool = Pool()
        self.table = Table(folder + "/rover/dictionary.bin")
        self.clock = Clock()
        profile = config.get("profile", 0)  # to begin with, and to fall back to
        self.downlink = Downlink(scid, profile, _VC0, fallback=profile)
        self.downlink.mixed = config.get("role") != "remote"
        self.pus = Pus(apid, self.clock, self.send)
        self.events = Events(self)
        self.housekeeping = Housekeeping(self)
        self.store = Store(self)
        self.commander = Commander(self)
        self.uplink = Uplink(scid, keys, self._on_packet)
        self.cfdp = cfdp.Cfdp(unit, "/t", self._on_transfer, apid + d.APID_CFDP)
        self.products = Queue(self)
        self.downlink.bulk = self.cfdp
        self.downlink.set_clcw(self.uplink.clcw)
        self.apid = apid
        self._pus_apid = apid + d.APID_PUS
        self._tasks = []
        self._restart = None
        self.sampler = Sampler(self)
        self.heard_bytes = 0
        self._last_heard = time.ticks_ms()
        self._wake = Waker()  # transmit
        self._work = Waker()  # files
        self._schedule_wanted = Waker()
        self.beat = Waker()  # health, which writes to flash what must not be lost
        self._end = Waker()
        self.dormancy = None
        self.schedule = self.monitors = self.actions = self.recorder = self.radio = None
        self.vehicle = None  # the Move under way
        self._check_due = _FIRST_CHECK_S  # uptime
        from rover.services.start import start

        gc.collect()  # what start() makes and keeps is to lie low
        start(self, config)
        self.apply_parameters()
        self.commander.unload()
        arena.settle()
        self.sampler.check_heap()

    # ---------------------------------------------------------------- what services ask for

    def apply_parameters(self):
        self.clock.drift_ppb = self.pool.get(d.P_CLOCK_DRIFT)
        if not self.pool.get(d.P_DORMANCY):
            self.dormancy = None
        elif self.dormancy is None:
            from rover.services.dormancy import Dormancy

            self.dormancy = Dormancy(self)

    def record(self, error, task):
        """An exception that a task did not expect: traceback to flash, event, counter."""
        text = io.StringIO()
        sys.print_exception(error, text)
        try:
            with open(_TRACE_FILE, "w") as f:
                f.write(task + "\n" + text.getvalue())
        except OSError:
            pass
        self.pool.add(d.P_ERRORS)
        self.events.report(d.E_TASK_FAILED, "s", task, repr(error))

    def asleep(self):
        return self.pool.get(d.P_MODE) == d.UNIT_MODE_SLEEP

    async def room_for_report(self):
        """Wait until the live queue has room for a long report."""
        while _VC0 - self.downlink.pending() < _LONG_REPORT:
            await asyncio.sleep_ms(20)

    def send_file(self, path, priority, cls=2, repair=0, slots=0, passes=1):
        """Queue a file for downlink; slots: of a picture's layer, to be kept together; they are sent spatially
        interleaved. Returns the transaction."""
        number = self.cfdp.put(path, None, priority, cls, repair, slots * _SLOT, passes)
        self.wake()
        return number

    def set_profile(self, number):
        self.downlink.set_profile(number)
        self.events.report(d.E_PROFILE_CHANGED, ">BB", number, 0)

    def stop(self, restart=False):
        """End run(): to MicroPython's prompt, or with a restart of the chip."""
        self.sampler.keep_time()
        self._restart = restart
        self._end.wake()

    # ---------------------------------------------------------------- link

    def send(self, packet):
        """Queue a space packet on the live channel; False: no room."""
        taken = self.downlink.send(packet)
        self._wake.wake()
        return taken

    def _on_packet(self, packet, bypass):
        apid = (packet[0] << 8 | packet[1]) & 0x7FF
        if apid == self._pus_apid:
            return self.commander.on_packet(packet)
        if apid == self.apid + d.APID_CFDP:
            self.cfdp.pdu_in(packet[6:])
        elif apid == self.apid + d.APID_REPAIR:
            self.cfdp.request_in(packet[6:])
        elif apid == self.apid + d.APID_RELAY and self.radio:
            return self.radio.uplink(packet[6:])
        return True

    def _heard(self):
        """An authenticated frame came in."""
        now = time.ticks_ms()
        if time.ticks_diff(now, self._last_heard) > _AWAY_MS:
            self.cfdp.heard()
            self._work.wake()
        self._last_heard = now
        self.downlink.heard(now)

    def alone(self):
        """The ground is away, for as long as can be counted: reports are recorded from now on."""
        self._last_heard = time.ticks_add(time.ticks_ms(), -_LONGEST_MS)
        self.pus.tap = self.need("recorder", "Recorder").tap

    def in_contact(self):
        """The ground was heard not long ago (parameter store_after)."""
        after = self.pool.get(d.P_STORE_AFTER) * 1000
        return not after or time.ticks_diff(time.ticks_ms(), self._last_heard) <= after

    def _on_transfer(self, kind, number, path, value):
        """Events of file transfers."""
        if kind == cfdp.RECEIVED:
            text = path.encode()
            self.events.report(d.E_FILE_RECEIVED, ">B%dsI" % len(text), len(text), text, value)
        elif kind == cfdp.FINISHED:
            self.events.report(d.E_TRANSFER_FINISHED, ">HI", number, value)
            if path.startswith("/p/"):
                self.products.finished(path)
            elif path.startswith("/r/"):
                os.remove(path)  # frames of another unit: the ground has them
        elif kind in (cfdp.CANCELLED, cfdp.FAULT):
            self.events.report(d.E_TRANSFER_ENDED, ">HB", number, value)
        self._wake.wake()

    async def _receive(self):
        line = self.board.line
        buf = bytearray(_RX)
        while True:
            await line.wait_input()
            await asyncio.sleep_ms(4)  # gather: one wake-up per byte would cost more than the byte
            while True:
                n = line.readinto(buf)
                if not n:
                    break
                self.heard_bytes += n
                before = self.uplink.accepted
                self.uplink.feed(buf, n)
                if self.uplink.accepted != before:
                    self._heard()
            self._wake.wake()  # an answer may be due, or the control word has changed

    async def _transmit(self):
        line = self.board.line
        down = self.downlink
        last = time.ticks_ms()
        while True:
            self._wake.clear()
            frame = down.next_frame()
            if frame is None:
                left = self.pool.get(d.P_KEEP_ALIVE_PERIOD) * (_NIGHT if self.asleep() else 1) * 1000 - time.ticks_diff(
                    time.ticks_ms(), last
                )
                if left > 0:
                    await self._wake.wait_ms(left)
                    continue
                frame = down.next_frame(True)
            at = 0
            n = len(frame)
            while at < n:
                at += line.write(frame[at:])
                if at < n:  # sleep until the line's buffer has room for the rest
                    await asyncio.sleep_ms(line.drain_ms(n - at))
            last = time.ticks_ms()
            await asyncio.sleep_ms(0)

    async def _files(self):
        """Timers of file transfers; quick only while there are any, or somebody there to ask for one."""
        last = time.ticks_ms()
        while True:
            if self.products.feed():
                self._wake.wake()
            busy = self.cfdp.transactions()
            silence = time.ticks_diff(last, self._last_heard)
            quiet = silence > _AWAY_MS
            self.cfdp.frozen = silence > self.downlink.silence_ms  # nobody would ask for what is lost
            await self._work.wait_ms(100 if busy else 500 if not quiet else 30000 if self.asleep() else 5000)
            now = time.ticks_ms()
            self.cfdp.tick(time.ticks_diff(now, last))
            last = now
            if busy:
                self._wake.wake()
            if time.ticks_diff(now, self._last_heard) > _QUIET_MS:
                self.uplink.maintain()

    def wake(self):
        """There is something to send, or to hand over to file transfer."""
        self._wake.wake()
        self._work.wake()

    def need(self, service, name):
        """An object that is made when there is something for it to do: Monitors, Actions, Recorder."""
        attribute = name.lower()
        found = getattr(self, attribute)
        if found is None:
            full = "rover.services." + service
            __import__(full)
            found = getattr(sys.modules[full], name)(self)
            setattr(self, attribute, found)
            found.load()
        return found

    def _record(self):
        """Reports go to the on-board store while the ground is silent."""
        if not self.in_contact():
            if not self.pus.tap:
                self.pus.tap = self.need("recorder", "Recorder").tap
            elif self.recorder.urgent:
                self.recorder.flush()
        elif self.pus.tap:
            self.pus.tap = None
            self.recorder.rest()

    def need_schedule(self):
        """The schedule, loaded when there is something in it or a command of its service comes."""
        if self.schedule is None:
            from rover.services.schedule import Schedule

            self.schedule = Schedule(self)
            self.schedule.load()
            self._schedule_wanted.wake()
        return self.schedule

    async def _schedule(self):
        while self.schedule is None:
            await self._schedule_wanted.wait_ms(_LONGEST_MS)
        await self.schedule.run()

    async def _health(self):
        """Loop delay, watchdog, and the fall-back to the robust profile when the ground is silent."""
        while True:
            t = time.ticks_ms()
            wait = 6000 if self.asleep() else _BEAT_MS  # the watchdog waits 8.3 s
            await self.beat.wait_ms(wait)
            now = time.ticks_ms()
            late = time.ticks_diff(now, t) - wait
            if late < -_BEAT_MS:  # woken from the long wait of sleep: what else belongs to it is written together
                await asyncio.sleep_ms(_BEAT_MS)
                now = time.ticks_ms()
            self.sampler.delayed(late)
            for task in self._tasks:
                if task.done():
                    break  # no more food: the chip starts anew
            else:
                self.board.feed_watchdog()
            if self.clock.uptime > _HEALTHY_S and (self.trial or self.pool.get(d.P_FAILED_STARTS)):
                self._once("modes", "healthy")
            # not even loaded beside a drive, whose loop it would hold up for some 150 ms
            if self.clock.uptime >= self._check_due and not self.commander.activities:
                self._check_due = self.clock.uptime + self._once("integrity", "start")
            self.downlink.silence_ms = self.pool.get(d.P_GROUND_SILENCE) * 1000
            if time.ticks_diff(now, self._last_heard) > _LONGEST_MS:
                self.alone()
            self._record()
            if self.asleep():
                self.sampler.keep_time()  # samples are a minute apart
            if self.downlink.tick(now):
                self.events.report(d.E_PROFILE_CHANGED, ">BB", self.downlink.profile, 1)

    def _once(self, service, name):
        """Call a function of a service module that is not kept."""
        full = "rover.services." + service
        __import__(full)
        return getattr(sys.modules[full], name)(self)

    async def _guard(self, name, make):
        """Run make() for ever; an exception is recorded and the task starts anew."""
        while self._restart is None:
            try:
                await make()
            except Exception as error:
                self.record(error, name)
                await asyncio.sleep_ms(500)

    async def run(self):
        """Until stop(); returns True when the chip is to restart."""
        for name, make in (
            ("receive", self._receive),
            ("transmit", self._transmit),
            ("commander", self.commander.run),
            ("housekeeping", self.housekeeping.run),
            ("schedule", self._schedule),
            ("files", self._files),
            ("health", self._health),
        ):
            self._tasks.append(asyncio.create_task(self._guard(name, make)))
        while self._restart is None:
            await self._end.wait_ms(_LONGEST_MS)
        for task in self._tasks:
            task.cancel()
        return self._restart


def main(folder, arena):
    """Entry point from /main.py; folder: the slot that holds this firmware. Returns to the prompt when asked to."""
    import json

    with open("/config.json") as f:
        config = json.load(f)
    if config.get("board") == "esp32s3":
        from rover.board.esp32 import Esp32Board as ThisBoard
    else:
        from rover.board.pico import PicoBoard as ThisBoard
    from rover.keys import FlashKeys

    board = ThisBoard(config)
    try:
        app = App(board, arena, config, FlashKeys(config.get("insecure", False)), folder)
        if config.get("watchdog", True):
            board.start_watchdog()
        else:
            board.stop_watchdog()
        del json, config
        gc.collect()
        gc.threshold(_COLLECT_EVERY)
        if asyncio.run(app.run()):
            board.restart()
    finally:
        board.stop_watchdog()
        asyncio.new_event_loop()
