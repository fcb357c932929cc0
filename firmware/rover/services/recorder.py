"""ST[15] on-board store: reports that nobody was there to hear, in a ring of files /s/NNNN, oldest overwritten.

Recording begins when the ground has been silent for parameter store_after; packets are gathered in memory and appended
to flash in batches, so a power cut loses at most one batch. Retrieval sends them again on the live channel, paced.
"""

import asyncio
import os
import struct

from micropython import const

from rover import dictionary as d

FOLDER = "/s"
_BATCH = const(2048)
_FILE_SIZE = const(16384)
_TIME = const(13)  # where a packet has its time
_RESERVE = const(16384)


class Recorder:
    """Made when recording first begins."""

    def __init__(self, app):
        self.app = app
        self.overwritten = 0
        self._buf = bytearray(_BATCH)
        self._used = 0
        names = files()
        self._number = names[-1] if names else 1

    def load(self):
        pass

    def tap(self, packet):
        """Every report goes by here while recording is on."""
        n = len(packet)
        if self._used + n > _BATCH:
            self.flush()
        self._buf[self._used : self._used + n] = packet
        self._used += n

    def flush(self):
        """Append what was gathered."""
        if not self._used:
            return
        path = _path(self._number)
        if _size(path) + self._used > _FILE_SIZE:
            self._number = self._number % 9999 + 1
            path = _path(self._number)
        room = self.app.pool.get(d.P_STORE_SIZE) << 10
        names = files()
        while names and (len(names) * _FILE_SIZE > room or self.app.store.free() < _RESERVE):
            os.remove(_path(names.pop(0)))
            self.overwritten += 1
        try:
            with open(path, "ab") as f:
                f.write(memoryview(self._buf)[: self._used])
        except OSError:
            self.app.pool.add(d.P_EVENTS_DROPPED)
        self._used = 0


def _path(number):
    return "%s/%04d" % (FOLDER, number)


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def files():
    """Numbers of the files, oldest first (they wrap at 9999, and never are more than a few hundred)."""
    try:
        names = sorted(int(n) for n in os.listdir(FOLDER))
    except OSError:
        os.mkdir(FOLDER)
        return []
    if names and names[-1] - names[0] > 5000:
        names.sort(key=lambda n: (n + 5000) % 10000)
    return names


def _packets(first, last):
    """Every stored packet whose time is in [first, last], one at a time, in order of recording."""
    head = bytearray(19)
    for number in files():
        with open(_path(number), "rb") as f:
            while f.readinto(head) == 19:
                n = (head[4] << 8 | head[5]) + 7
                if head[0] >> 5 or not 19 <= n <= 420:
                    break  # the rest of this file cannot be trusted
                packet = bytes(head) + f.read(n - 19)
                if len(packet) == n and first <= struct.unpack_from(">I", packet, _TIME)[0] <= last:
                    yield packet


def execute(app, key, args):
    recorder = app.recorder
    if recorder:
        recorder.flush()
    if key == d.C_RETRIEVE_STORE:
        return _retrieve(app, args[0], args[1])
    if key == d.C_REPORT_STORE:
        return _report(app)
    for number in files():  # delete: whole files that hold nothing younger
        newest = 0
        with open(_path(number), "rb") as f:
            data = f.read(19)
            while len(data) == 19:
                newest = struct.unpack_from(">I", data, _TIME)[0]
                f.seek((data[4] << 8 | data[5]) + 7 - 19, 1)
                data = f.read(19)
        if newest <= args[0]:
            os.remove(_path(number))
    return None


async def _retrieve(app, first, last):
    count = 0
    tap = app.pus.tap
    for packet in _packets(first, last):
        await app.room_for_report()
        app.downlink.send(packet)
        app.wake()
        count += 1
    app.pus.tap = tap
    struct.pack_into(">I", app.pus.data, 0, count)
    app.pus.report(15, 130, 4)


async def _report(app):
    count = size = 0
    oldest = newest = 0
    for packet in _packets(0, 0xFFFFFFFF):
        t = struct.unpack_from(">I", packet, _TIME)[0]
        oldest = oldest or t
        newest = t
        count += 1
        size += len(packet)
        if count % 16 == 0:
            await asyncio.sleep_ms(0)
    struct.pack_into(
        ">IIIIH", app.pus.data, 0, count, size, oldest, newest, app.recorder.overwritten if app.recorder else 0
    )
    app.pus.report(15, 19, 18)
