"""A board's CFDP entity (firmware in the unix port) and the ground's, joined by a line in virtual time.

Frames of a fixed capacity leave the board at the pace of the baud rate and are lost as a whole; PDUs to the board are
lost one by one. Every byte of file data that left the board is accounted for: delivered, lost, or sent again.
"""

from __future__ import annotations

import heapq
import random
import struct
from collections.abc import Callable
from pathlib import Path

from rovercam.places import firmware_dir
from rovercam.protocol.cfdp import Entity, Event, FileStore, Finished, Settings, TransactionId
from rovercam.protocol.events import Fragment

from rovercam_hil.micropython.worker import Worker

UNIT = 1
BOARD = """
import gc, os, vfs
from rover.services.cfdp import Cfdp

class Disk:
    # LittleFS on memory, as on the board's flash. A reset leaves the old one dead: what was not synced is lost.
    def __init__(self, data):
        self.data = data
        self.dead = False
        self.erased = 0
    def readblocks(self, block, buf, offset=0):
        at = block * 4096 + offset
        buf[:] = memoryview(self.data)[at : at + len(buf)]
    def writeblocks(self, block, buf, offset=0):
        at = block * 4096 + offset
        self.data[at : at + len(buf)] = buf
    def ioctl(self, op, arg):
        if op == 4:
            return len(self.data) // 4096
        if op == 5:
            return 4096
        if op == 6:
            self.erased += not self.dead
            return 0

events = []
_buf = memoryview(bytearray(4096))
disk = c = None
_space = bytearray(4096 * 212)
_clean = bytes(4096)
_nowhere = bytearray(4096 * 212)
def crash():
    # power goes: nothing reaches the disk any more, though what is written can be read back, or every other block would be tried;
    # handles are closed here, not by a finaliser later
    global c
    disk.dead = True
    _nowhere[:] = _space
    disk.data = memoryview(_nowhere)
    if c:
        for x in c._txs + (c._receiver._rxs if c._receiver else []):
            for f in (x.file, getattr(x, "side", None)):
                if f:
                    try:
                        f.close()
                    except OSError:
                        pass
    c = None
    vfs.umount("/f")
    gc.collect()
def new_disk(blocks=212):
    global disk
    if disk:
        crash()
    data = memoryview(_space)[: 4096 * blocks]
    for i in range(blocks):
        data[4096 * i : 4096 * i + 4096] = _clean
    disk = Disk(data)
    vfs.VfsLfs2.mkfs(disk)
    vfs.mount(vfs.VfsLfs2(disk), "/f")
def boot():
    global c, disk
    data, n = disk.data, disk.erased
    crash()
    disk = Disk(data)
    disk.erased = n
    vfs.mount(vfs.VfsLfs2(disk), "/f")
    c = Cfdp(1, "/f/t", lambda *a: events.append(a))
def store(name, data):
    with open(name, "wb") as f:
        f.write(data)
def load(name):
    try:
        with open(name, "rb") as f:
            return f.read()
    except OSError:
        return None
def frame(space, elapsed):
    c.tick(elapsed)
    n = 0
    while True:
        k = c.next_packet(_buf[n:], space - n)
        assert 0 <= k <= space - n
        if not k:
            return _buf[:n]
        n += k
def take():
    out = events[:]
    events.clear()
    return out
"""


def new_board() -> Worker:
    worker = Worker([firmware_dir()], heap="8m")
    worker.run(BOARD)
    return worker


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """(apid, data field) of space packets one after the other."""
    out = []
    at = 0
    while at < len(data):
        first, _, length = struct.unpack_from(">HHH", data, at)
        out.append((first & 0x7FF, data[at + 6 : at + 7 + length]))
        at += 7 + length
    assert at == len(data)
    return out


def _file_data(data: bytes) -> int:
    """Bytes of file data in the packets of a frame."""
    return sum(len(p) - 12 for apid, p in packets(data) if apid & 0xF == 1 and p[0] & 0xF0 == 0x30)


class Line:
    """baud 8N1; capacity: packet bytes per frame, overhead: bytes around them; delay: seconds one way."""

    def __init__(
        self,
        worker: Worker,
        folder: Path,
        *,
        seed: int = 0,
        baud: int = 115200,
        capacity: int = 1000,
        overhead: int = 16,
        delay: float = 0.0,
        lose: Callable[[float], bool] | None = None,
        lose_up: Callable[[float], bool] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.worker, self.folder = worker, folder
        self.random = random.Random(seed)
        self.capacity, self.delay = capacity, delay
        self.frame_time = (capacity + overhead) * 10 / baud
        self.lose = lose or (lambda now: False)
        self.lose_up = lose_up or (lambda now: False)
        self.settings = settings
        self.now = 0.0
        self.events: list[Event] = []
        self.board_events: list[tuple] = []
        self.data_sent = self.data_lost = self.up_sent = self.up_lost = self.frames = 0
        self.first_at: float | None = None
        self.up: list[tuple[float, int, tuple[str, bytes]]] = []  # the board's function, its argument
        self.down: list[tuple[float, int, bytes | Fragment]] = []
        self._n = 0
        self.remains: Callable[[bytes], bytes | None] = lambda data: None
        """What comes of a frame that is lost, right or wrong."""
        self._fragments: list[Fragment] = []
        self.mangle: Callable[[int, bytes], list[tuple[int, bytes]]] = lambda apid, pdu: [(apid, pdu)]
        self.ground: Entity | None = None
        self.start_ground()
        self.worker.call("new_disk")
        self.boot()

    # ---- ends ----

    def boot(self) -> None:
        """Also a reset: what was not synced to flash is gone."""
        self.worker.call("boot")

    def start_ground(self) -> None:
        self.store = FileStore(self.folder / "ground")
        self.ground = Entity(0, self.store, self.now, self.settings)
        self.ground.round_trip(UNIT, 2 * self.delay + self.frame_time)  # as telecommands measure it

    def kill_ground(self) -> None:
        self.store.close()
        self.ground = None

    def get(self, name: str, data: bytes, **options: object) -> TransactionId:
        """Puts a file on the board and starts its transfer."""
        self.worker.call("store", f"/f/{name}", data)
        text = "".join(f", {k}={v!r}" for k, v in options.items())
        return TransactionId(UNIT, self.worker.eval(f"c.put('/f/{name}', {name!r}{text})"))

    def board_file(self, name: str) -> bytes | None:
        return self.worker.call("load", f"/f/{name}")

    # ---- time ----

    def _later(self, queue: list, at: float, payload: object) -> None:
        self._n += 1
        heapq.heappush(queue, (at, self._n, payload))

    def _poll(self) -> None:
        if self.ground is None:
            return
        for unit, pdu in self.ground.poll(self.now):
            assert unit == UNIT
            assert len(pdu) <= self.ground.settings.pdu_limit
            if pdu[0] & 0xF0 == 0x30:
                self.up_sent += len(pdu) - 12
            if self.lose_up(self.now):
                self.up_lost += len(pdu) - 12 if pdu[0] & 0xF0 == 0x30 else 0
            else:
                self._later(self.up, self.now + self.delay + 0.01, ("c.pdu_in", pdu))
        for _, request in self.ground.requests():
            if not self.lose_up(self.now):
                self._later(self.up, self.now + self.delay + 0.01, ("c.request_in", request))
        self.events += self.ground.events()

    def step(self) -> None:
        """One frame time."""
        while self.up and self.up[0][0] <= self.now:
            self.worker.call(*heapq.heappop(self.up)[2])
        data = self.worker.call("frame", self.capacity, int(self.frame_time * 1000))
        self.now += self.frame_time
        if data:
            self.frames += 1
            if self.first_at is None:
                self.first_at = self.now - self.frame_time
            amount = _file_data(data)
            self.data_sent += amount
            if self.lose(self.now):
                self.data_lost += amount
                rest = self.remains(data)
                if rest is not None:
                    self._later(self.down, self.now + self.delay, Fragment(data=rest, tail=False, now=self.now))
            else:
                self._later(self.down, self.now + self.delay, data)
        while self.down and self.down[0][0] <= self.now:
            self._deliver(heapq.heappop(self.down)[2])
        self._poll()

    def _deliver(self, data: bytes | Fragment) -> None:
        if isinstance(data, Fragment):
            self._fragments.append(data)
            return
        fragments, self._fragments = self._fragments, []
        if self.ground is None:
            self.data_lost += _file_data(data)
            return
        self.ground.fragments(UNIT, fragments)
        for packet in packets(data):
            for apid, pdu in self.mangle(*packet):
                if apid & 0xF == 1:
                    self.events += self.ground.pdu_in(UNIT, pdu, self.now)
                else:
                    self.events += self.ground.repair_in(UNIT, pdu, self.now)

    def run(self, until: Callable[[], bool], limit: float = 600.0) -> bool:
        end = self.now + limit
        while not until():
            if self.now > end:
                return False
            self.step()
        return True

    # ---- facts ----

    def got(self, transaction: TransactionId) -> bytes | None:
        """The received file once it is whole."""
        for event in self.events:
            if isinstance(event, Finished) and event.transaction == transaction:
                return event.path.read_bytes() if event.path else b""
        return None

    def idle(self) -> bool:
        """The board has nothing left to send."""
        return self.worker.eval("len(c.transactions())") == 0

    def efficiency(self, size: int, baud: int = 115200) -> float:
        """Share of the raw line, from the first byte on it until now."""
        assert self.first_at is not None
        return size * 10 / baud / (self.now - self.first_at)
