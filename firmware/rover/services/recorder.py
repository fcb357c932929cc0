"""ST[15] on-board store: reports that nobody was there to hear, in a ring of files /s/NNNN, oldest overwritten.

Recording begins when the ground has been silent for parameter store_after, and at once after a reset that finds
something recorded: the ground has not fetched it, so it is not there. Packets are gathered in memory and appended
to flash in batches; what happened (events, verification) is there within half a second, so a reset loses at most that
and a batch of housekeeping. Retrieval sends them again on the live channel, paced.
"""

import os

from micropython import const

from rover import dictionary as d

FOLDER = "/s"
_BATCH = const(2048)
_FILE_SIZE = const(16384)
_RESERVE = const(16384)
_URGENT = b"\x01\x05"  # service types: verification, events


class Recorder:
    """Made when recording first begins."""

    def __init__(self, app):
        self.app = app
        self.overwritten = 0
        self._buf = None  # while nothing is recorded its memory is free
        self._used = 0
        self.urgent = False  # something gathered must not wait for the batch to be full
        names = files()
        self._number = names[-1] if names else 1

    def load(self):
        pass

    def tap(self, packet):
        """Every report goes by here while recording is on."""
        n = len(packet)
        if self._buf is None:
            try:
                self._buf = bytearray(_BATCH)
            except MemoryError:
                self.app.pool.add(d.P_EVENTS_DROPPED)
                return
        if self._used + n > _BATCH:
            self.flush()
        self._buf[self._used : self._used + n] = packet
        self._used += n
        if packet[7] in _URGENT and not self.urgent:
            self.urgent = True
            if self.app.asleep():
                self.app.beat.wake()

    def rest(self):
        """The ground is back: write what was gathered and free the memory."""
        self.flush()
        self._buf = None

    def flush(self):
        """Append what was gathered."""
        self.urgent = False
        if not self._used:
            return
        path = path_of(self._number)
        if _size(path) + self._used > _FILE_SIZE:
            self._number = self._number % 9999 + 1
            path = path_of(self._number)
        room = self.app.pool.get(d.P_STORE_SIZE) << 10
        names = files()
        while names and (len(names) * _FILE_SIZE > room or self.app.store.free() < _RESERVE):
            os.remove(path_of(names.pop(0)))
            self.overwritten += 1
        try:
            with open(path, "ab") as f:
                f.write(memoryview(self._buf)[: self._used])
        except OSError:
            self.app.pool.add(d.P_EVENTS_DROPPED)
        self._used = 0


def path_of(number):
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
