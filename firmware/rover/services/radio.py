"""The short-range radio: frames of another unit, stored and forwarded; telecommands for it, passed on. Loaded by start_radio.

The other unit sends its ordinary frames in one profile (2: 255 bytes, no code). A frame is believed after its check sequence
and never changed: authentication, COP-1 and file transfer run end to end between that unit and the ground.

Down: while the ground is there, frames of live reports and control words (channels 0 and 7) go on at once, each in a packet
of APID_RELAY. Frames of files, and live ones that find no room or no ground, are kept: /r/NNNN holds at most 64 frames, is
sent as a file (class 2) and deleted when it is down. Idle frames are not kept. When the store is full, frames are dropped
and counted; the other unit still has what they held.
Up: bytes of APID_RELAY packets go to the radio in order; none is lost, FARM-1 makes the ground wait.
"""

import asyncio
import os
import time

from micropython import const

from rover import dictionary as d
from rover.link import coding, spacepacket

FOLDER = "/r"
KEPT = "/t/radio"  # there while the radio is to be on, also after a reset
_BAUD = const(230400)  # between bridge and modem; on the air it is 57,600, so that a stall is soon made up for
_FRAME = const(255)
_LINE = const(259)
_ROOM = const(2 * 259 + 64)
_PER_FILE = const(64)  # frames: 16,320 bytes
_FILES = const(24)
_RESERVE = const(32768)  # bytes of flash left for the unit's own products
_TRANSFERS = const(4)  # transactions of the store at once
_PRIORITY = const(64)
_AGE_MS = const(1500)  # an unfinished file is sent when it is older and no other is under way
_FULL_MS = const(5000)  # a full store is looked at again after so long
_UP = const(1024)
_BUSY_MS = const(9)  # 52 bytes on the air: the bridge stops the modem at 60
_BEHIND_MS = const(2)
_BEHIND = const(56)
_IDLE_MS = const(50)
_LIVE = (0, 7)


class Radio:
    """bridge: rover.board.bridge.Bridge. Runs from load() to stop()."""

    def __init__(self, app):
        self._app = app
        self._bridge = app.board.radio()
        self._buf = bytearray(_ROOM)
        self._view = memoryview(self._buf)
        self._n = 0
        self._packet = bytearray(6 + _FRAME)
        self._count = 0
        self._up = b""
        self._file = None
        self._frames = 0  # in the open file
        self._opened = 0
        self._full = False
        self._on = True

    def load(self):
        """Begin; OSError when there is no radio. Files that were waiting are sent again."""
        if self._bridge is None:
            raise OSError(19)
        self._bridge.begin(_BAUD)
        try:
            os.mkdir(FOLDER)
        except OSError:
            pass
        names = os.listdir(FOLDER)
        for name in names:
            if name[-1] == "~":
                os.remove(FOLDER + "/" + name)  # its end was not written: the other unit sends it again
        self._next = max([int(name[:4]) for name in names] or (0,)) % 9999 + 1
        with open(KEPT, "w"):
            pass
        asyncio.create_task(self._run())

    def stop(self):
        """Off, also after a reset; what is stored still goes down."""
        self._on = False
        self._app.radio = None
        self._close()
        self._send_files()
        os.remove(KEPT)

    def uplink(self, data):
        """Bytes of an APID_RELAY packet; False: no room now."""
        if len(self._up) + len(data) > _UP:
            return False
        self._up += data
        return True

    async def _run(self):
        looked = time.ticks_ms()
        while self._on:
            try:
                busy = self._step()
                now = time.ticks_ms()
                if time.ticks_diff(now, looked) > 500:
                    looked = now
                    self._look(now)
            except Exception as error:
                self._app.record(error, "radio")
                self._n = 0
                await asyncio.sleep_ms(500)
                continue
            if busy:
                wait = _BEHIND_MS if busy > _BEHIND else _BUSY_MS
            else:
                wait = _IDLE_MS * (8 if self._app.asleep() else 1)
            await asyncio.sleep_ms(wait)

    def _step(self):
        """Move what there is; returns about how much it was."""
        got = self._bridge.readinto(self._buf, self._n, _ROOM)
        if got:
            self._n += got
            self._hunt()
        if self._up:
            sent = self._bridge.write(self._up)
            self._up = self._up[sent:]
            if not self._up:
                self._app.uplink.ready()
            return got or sent
        return got

    def _hunt(self):
        """Find frames in the buffer; the rest moves to its front."""
        b = self._buf
        at = 0
        n = self._n
        while n - at >= _LINE:
            if b[at] != 0x1A or b[at + 1] != 0xCF or b[at + 2] != 0xFC or b[at + 3] != 0x1D:
                at += 1
                continue
            start = at + 4
            end = at + _LINE
            coding.randomise(b, start, end)
            if coding.crc16(b, end, start):
                coding.randomise(b, start, end)
                self._app.pool.add(d.P_RADIO_BAD)
                at += 1
                continue
            self._take(self._view[start:end])
            at = end
        self._n = n - at
        if at:
            b[: self._n] = b[at:n]

    def _take(self, frame):
        app = self._app
        app.pool.add(d.P_RADIO_FRAMES)
        live = frame[1] >> 1 & 7 in _LIVE
        if live and app.in_contact():
            packet = self._packet
            spacepacket.put_header(packet, 0, app.apid + d.APID_RELAY, self._count, len(packet))
            packet[6:] = frame
            if app.send(packet):
                self._count = self._count + 1 & 0x3FFF
                return
        if frame[1] >> 1 & 7 != 7:
            self._store(frame)

    def _store(self, frame):
        if self._file is None:
            if not self._room():
                self._app.pool.add(d.P_RADIO_DROPPED)
                return
            self._file = open("%s/%04d~" % (FOLDER, self._next), "wb")
            self._frames = 0
            self._opened = time.ticks_ms()
        self._file.write(frame)
        self._frames += 1
        if self._frames == _PER_FILE:
            self._close()

    def _room(self):
        """Whether another file may be begun; own products give way that the ground has already."""
        now = time.ticks_ms()
        if self._full and time.ticks_diff(now, self._opened) < _FULL_MS:
            return False
        self._opened = now
        store = self._app.store
        few = len(os.listdir(FOLDER)) < _FILES
        self._full = not few or store.free() < _RESERVE and not store.make_room(_RESERVE, False)
        return not self._full

    def _close(self):
        """End the open file; whole files have names without ~."""
        if self._file:
            self._file.close()
            self._file = None
            name = "%s/%04d" % (FOLDER, self._next)
            os.rename(name + "~", name)
            self._next = self._next % 9999 + 1

    def _look(self, now):
        if not self._send_files() and self._file and time.ticks_diff(now, self._opened) > _AGE_MS:
            if self._app.in_contact():
                self._close()

    def _send_files(self):
        """Hand whole files to the file transfer; returns how many are not down yet."""
        app = self._app
        busy = [t[1] for t in app.cfdp.transactions()]
        found = waiting = 0
        for name in sorted(os.listdir(FOLDER)):
            path = FOLDER + "/" + name
            if name[-1] == "~":
                continue
            found += 1
            if path not in busy:
                if len(busy) < _TRANSFERS:
                    app.send_file(path, _PRIORITY)
                    busy.append(path)
                else:
                    waiting += 1
        app.pool.set(d.P_RADIO_WAITING, waiting + (self._file is not None))
        return found
