"""One file being sent (see cfdp, its entity): order of sending and checksum, PDUs out, what is asked for again, its record on flash.

A PDU is written behind the 6 bytes of the space packet header. In class 1 metadata is repeated on the way; what follows its EOF: cfdp_once.
"""

import struct
from array import array

import micropython
from micropython import const

from rover.services.cfdp_sum import add_checksum, stride_for

# Directive codes, 727.0-B-5 table 5-4
_D_EOF = const(4)
_D_METADATA = const(7)
_D_NAK = const(8)
_D_PROMPT = const(9)
_D_KEEP_ALIVE = const(12)

# States of a transaction
_ASK = const(0)  # after a reset: what does the receiver have?
_PUSH = const(1)  # first pass over the file
_WAIT = const(2)  # all sent, EOF repeated until Finished
_CANCEL = const(3)  # EOF (cancel) repeated until its ACK
_REPAIR = const(4)  # class 1: repair packets of this cycle

# Its pending directives
_F_META = const(1)
_F_EOF = const(2)
_F_PROMPT = const(4)

_STARTED = const(1)  # event: see cfdp

_RING = const(64)  # repair requests kept per transaction
_MIN_DATA = const(16)  # less file data than this in a PDU is not worth its 18 bytes of headers
_FIRST_MS = const(300)  # EOF and Prompt are repeated this often …
_STEADY = const(20)  # … so many times, then ever more slowly …
_LAST_MS = const(60000)  # … up to this
_MARK = const(49152)  # class 1: bytes after which the position is kept on flash
_META_EVERY = const(32)  # class 1: metadata is repeated every so many PDUs …
_META_RUNS = const(8)  # … or so many of a file with runs: without its name, no part of a picture can be shown
_HEAD = "<BBBBBBHI"  # record: version, priority, class | checksum << 4, suspended, percent, cycles, run, size


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

    def backlog(self, enough: int) -> int:
        """Bytes of packets that are ready, roughly; counted up to `enough`."""
        n = 48 if self.flags else 0
        for i in range(self.count):
            k = (self.head + i) % _RING * 2
            n += self.rq[k + 1] - self.rq[k] + 18
            if n >= enough:
                return n
        if self.state == _REPAIR or self.run and self.state == _PUSH:
            return max(n, enough)  # many packets, each with its headers
        if self.state == _PUSH:
            n += self.size - self.pos + 24  # and EOF
        return n

    # ---- PDUs out ----

    def out(self, c, buf, room) -> int:
        """One PDU for the entity `c`, its length or 0. Order: metadata, prompt, repetitions, new data, EOF."""
        if self.flags & _F_META:
            n = self._metadata(c, buf, room)
            if n:
                self.flags &= ~_F_META
                if not self.started:
                    self.started = True
                    c._event(_STARTED, self, self.size)
            return n
        if self.flags & _F_PROMPT:
            if room < 10:
                return 0
            self.flags &= ~_F_PROMPT
            self._again_later()
            return c._directive(buf, 0, 0, self.seq, _D_PROMPT, 1, 0)
        if self.state == _ASK:
            return 0
        if self.count:
            k = self.head * 2
            start = self.rq[k]
            end = self.rq[k + 1]
            n = self._data(c, buf, room, start, end - start)
            if n:
                n -= 12
                self.resent += n
                c.bytes_resent += n
                start += n
                self.rq[k] = start
                if start >= end:
                    self.head = (self.head + 1) % _RING
                    self.count -= 1
                    if not self.count and self.state == _WAIT:
                        self.flags |= _F_EOF  # tells the receiver at once that nothing more is on its way
                n += 12
            return n
        if self.state == _PUSH:
            if self.pos < self.size:
                return self._push(c, buf, room)
            if not self._finish_sum(c, buf):
                return 0
            self.state = _WAIT
            self.flags |= _F_EOF
            self.interval = _FIRST_MS
        if self.state == _REPAIR:
            n = self.repair.out(buf, room)
            if n > 0:
                c.repair = True
                c.bytes_out += n
            elif n < 0:
                from rover.services import cfdp_once

                cfdp_once.start(self, c)
            return n if n > 0 else 0
        if self.flags & _F_EOF:
            n = self._eof(c, buf, room)
            if n:
                self.flags &= ~_F_EOF
                self._again_later()
                if self.cls == 1:
                    from rover.services import cfdp_once

                    cfdp_once.ended(self, c)
            return n
        return 0

    def _push(self, c, buf, room):
        x = self.pos
        offset = self.place(x)
        run = self.run
        want = self.size - x
        if run and x < self.full * run:
            want = run - x % run
        n = self._data(c, buf, room, offset, want)
        if n:
            n -= 12
            if self.summed == x:
                self.sum = add_checksum(self.kind, buf, 18, n, offset, self.sum)
                self.summed = x + n
            self.pos = x + n
            if self.cls == 1:
                self.timer = 0
                self.mark += n
                self.interval += 1  # counts PDUs: class 1 has no EOF timer
                if self.interval % (_META_RUNS if run else _META_EVERY) == 0:
                    self.flags |= _F_META
                if self.mark >= _MARK:
                    from rover.services import cfdp_once

                    cfdp_once.flush(self, c)
            n += 12
        return n

    def _data(self, c, buf, room, offset, want):
        """File Data PDU with up to `want` bytes from `offset`; its length, 0 when the room is too small."""
        n = room - 12
        if n > 65531:
            n = 65531
        if n >= want:
            n = want
        elif n < _MIN_DATA:
            return 0
        f = c.file(self)
        f.seek(offset)
        if f.readinto(buf[18 : 18 + n]) != n:
            raise OSError(5)
        c._header(buf, 0x30 if self.cls == 2 else 0x34, n + 4, c.id, self.seq, 0)
        struct.pack_into(">I", buf, 14, offset)
        c.bytes_out += n
        return n + 12

    def _metadata(self, c, buf, room):
        source = self.path.encode()
        dest = self.dest.encode()
        n = 8 + 1 + 5 + 2 + len(source) + len(dest)
        tlv = self.full > 1
        if tlv:
            n += 11
        if n > room:
            return 0
        c._header(buf, 0x20 if self.cls == 2 else 0x24, n - 8, c.id, self.seq, 0)
        struct.pack_into(">BBIB", buf, 14, _D_METADATA, self.kind, self.size, len(source))
        p = 21
        buf[p : p + len(source)] = source
        p += len(source)
        buf[p] = len(dest)
        p += 1
        buf[p : p + len(dest)] = dest
        if tlv:
            struct.pack_into(">BB5sHH", buf, p + len(dest), 2, 9, b"rcam\x01", self.run, self.stride)
        return n

    def _eof(self, c, buf, room):
        n = 18
        if self.condition:
            n += 3
        if room < n:
            return 0
        size = self.size if not self.condition else self.pos
        c._header(buf, 0x20 if self.cls == 2 else 0x24, n - 8, c.id, self.seq, 0)
        struct.pack_into(">BBII", buf, 14, _D_EOF, self.condition << 4, self.sum, size)
        if self.condition:
            struct.pack_into(">BBB", buf, 24, 6, 1, c.id)  # fault location: entity id TLV
        return n

    def _again_later(self):
        self.timer = self.interval
        self.tries += 1
        if self.tries > _STEADY:
            self.interval = min(self.interval * 2, _LAST_MS)

    def _finish_sum(self, c, buf):
        """After a resumption the checksum lacks what was sent before the reset; at most 8 KiB are read per call. False: not done yet."""
        left = 8192
        f = None
        step = min(len(buf), 1024)
        while self.summed < self.size:
            if left <= 0:
                return False
            x = self.summed
            offset = self.place(x)
            n = min(step, self.size - x)
            if self.run and x < self.full * self.run:
                n = min(n, self.run - x % self.run)
            if f is None:
                f = c.file(self)
            f.seek(offset)
            if f.readinto(buf[:n]) != n:
                raise OSError(5)
            self.sum = add_checksum(self.kind, buf, 0, n, offset, self.sum)
            self.summed = x + n
            left -= n
        return True

    # ---- replies ----

    def pdu(self, c, code, mv) -> bool:
        """A directive from the file's receiver other than Finished. False: malformed."""
        if code == _D_KEEP_ALIVE:
            self._progress(struct.unpack_from(">I", mv, 9)[0])
            return True
        if code != _D_NAK or (len(mv) - 17) % 8:
            return False
        start, end = struct.unpack_from(">II", mv, 9)
        if self.state == _ASK and start and self.tries <= _STEADY:
            return True  # not the answer to our Prompt (its scope begins at 0) but one from before the reset
        self._progress(end)
        if self.state == _CANCEL or self.cls == 1:
            return True
        for p in range(17, len(mv), 8):
            a, b = struct.unpack_from(">II", mv, p)
            if a == 0 and b == 0:
                self.flags |= _F_META
            else:
                if b > self.size:
                    b = self.size
                if self.state == _PUSH and not self.run and b > self.pos:
                    b = self.pos  # comes anyway
                if a < b and not self.again(a, b):
                    c.naks_dropped += 1
        if self.state == _WAIT and (end < self.size or len(mv) == 17):
            self.interval = _FIRST_MS  # the receiver has no EOF (a new ground, or it was lost)
            self.flags |= _F_EOF
        return True

    def _progress(self, end):
        """The receiver has, or asks for, everything below `end` (in sending order): go on from there."""
        if self.cls == 1:
            return
        if self.state == _ASK:
            self.state = _PUSH
            self.timer = 0
        if self.state == _PUSH and end > self.pos:
            self.pos = min(end, self.size)

    # ---- record ----

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
