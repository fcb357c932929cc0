"""One file being sent (see cfdp): its order of sending and checksum, what was asked for again, its record on flash."""

import binascii
import struct
from array import array

import micropython
from micropython import const

_PUSH = const(1)  # states and directives due: see cfdp
_F_META = const(1)
_FIRST_MS = const(300)
_RING = const(64)  # repair requests kept per transaction
_HEAD = "<BBBBBBHI"  # record: version, priority, class | checksum << 4, suspended, percent, cycles, run, size


@micropython.viper
def modular(buf: ptr8, start: int, n: int, offset: int, total: int) -> uint:
    """Adds n bytes at buf[start:], which lie at `offset` of the file, to a modular checksum (727.0-B-5 4.2.2.3)."""
    acc = uint(total)
    i = start
    end = start + n
    o = offset
    while i < end:
        acc += uint(buf[i]) << ((3 - (o & 3)) << 3)
        i += 1
        o += 1
    return acc & uint(0xFFFFFFFF)


def add_checksum(kind: int, buf, start: int, n: int, offset: int, total: int) -> int:
    """kind 0 modular, 3 CRC-32 (bytes must come in order), 15 none."""
    if kind == 0:
        # as a signed word: viper takes no integers beyond 31 bits on the board without an allocation
        return modular(buf, start, n, offset, total)
    if kind == 3:
        return binascii.crc32(buf[start : start + n], total)
    return 0


def stride_for(n: int) -> int:
    """Step of the sending order: near the golden ratio of n and coprime to it, so that any first part spreads evenly."""
    s = (n * 79 >> 7) | 1
    while True:
        a, b = n, s
        while b:
            a, b = b, a % b
        if a <= 1:
            return s
        s += 2


@micropython.viper
def _queued(rq: ptr32, head: int, count: int, start: int, end: int) -> int:
    """`start` moved past what the ring holds of [start, end); `end` when it holds all."""
    i = 0
    while i < count:
        k = (head + i) % _RING * 2
        if int(rq[k]) <= start and start < int(rq[k + 1]):  # noqa: PLR1716 - viper chains badly
            start = int(rq[k + 1])
            i = -1  # what follows may be queued as well
        i += 1
    if start > end:
        return end
    return start


class Tx:
    """One transaction being sent. `pos`: next byte in sending order. `rq`: ring of (start, end) asked for again."""

    def __init__(self, seq, path, dest, priority, cls, kind, percent, cycles, run, size):
        self.seq = seq
        self.path = path
        self.dest = dest
        self.priority = priority
        self.cls = cls
        self.kind = kind
        self.percent = percent
        self.cycles = cycles
        self.run = run
        self.size = size
        self.full = size // run if run else 0  # whole runs; the short rest is sent last
        self.stride = stride_for(self.full) if self.full else 0
        self.state = _PUSH
        self.flags = _F_META
        self.suspended = False
        self.pos = 0
        self.sum = 0
        self.summed = 0  # bytes, in sending order, that `sum` covers
        self.timer = 0
        self.interval = _FIRST_MS
        self.tries = 0
        self.rq = None
        self.head = 0
        self.count = 0
        self.resent = 0
        self.file = None
        self.condition = 0
        self.mark = 0
        self.cycle = 0
        self.repair = None
        self.started = False

    def place(self, x: int) -> int:
        """Offset in the file of byte x of the sending order."""
        run = self.run
        if not run or x >= self.full * run:
            return x
        return x // run * self.stride % self.full * run + x % run

    def again(self, start: int, end: int) -> bool:
        """Queues a range for repetition, skipping what is queued already. False: ring full, the receiver asks again."""
        if self.rq is None:
            self.rq = array("I", bytes(8 * _RING))
        rq = self.rq
        start = _queued(rq, self.head, self.count, start, end)
        if start >= end:
            return True
        if self.count == _RING:
            return False
        k = (self.head + self.count) % _RING * 2
        rq[k] = start
        rq[k + 1] = end
        self.count += 1
        return True

    def record(self) -> bytes:
        """What is kept on flash."""
        path = self.path.encode()
        dest = self.dest.encode()
        head = struct.pack(
            _HEAD,
            1,
            self.priority,
            self.cls | self.kind << 4,
            self.suspended,
            self.percent,
            self.cycles,
            self.run,
            self.size,
        )
        return head + bytes((len(path), len(dest))) + path + dest
