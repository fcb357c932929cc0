"""One file being received (see cfdp_receive): its bytes on flash, its gaps, its record.

Bytes are appended to <folder>/<id>.part as they come in order, synced every _SYNC bytes, because a flash file rewritten
in the middle costs its whole tail. What comes beyond a gap is appended to <id>.side and moved when the gap closes: it
is written twice, but never asked for twice. A reset keeps all that was synced. When the checksum over the flash is
right, the part is renamed to its destination; the record <id>.rx stays (as .fx) until the ground has acknowledged Finished.

Bounded: _EXTENTS pieces beyond gaps; more pieces are dropped and asked for again.
"""

import os
import struct

from micropython import const

from rover.services.cfdp_sum import add_checksum

_EXTENTS = const(32)
_SYNC = const(4096)
_RTT = const(6000)  # ms, before one was measured
_NULL = const(15)  # checksum type


def discard(path):
    """Removes a file that may not be there."""
    try:
        os.remove(path)
    except OSError:
        pass


class Rx:
    """path: destination, empty until the metadata came. got: bytes in order. extents: sorted (start, end) of what the side file holds.

    asked: gaps below are asked for. Methods raise OSError when the file system is full or broken.
    """

    def __init__(self, folder, source, seq, cls):
        self.base = "%s/%02x%04x." % (folder, source, seq)
        self.source = source
        self.seq = seq
        self.cls = cls
        self.path = ""
        self.kind = 0
        self.size = -1
        self.sum = None  # from the EOF
        self.got = 0
        self.extents = []
        self.asked = 0
        self.flags = 0
        self.timer = 0
        self.wait = _RTT
        self.backoff = 1
        self.since = -1
        self.ended = False
        self.condition = 0
        self.eof_condition = 0
        self.file = None
        self.side = None
        self.side_end = 0
        self.loose = 0  # bytes not synced

    # ---- bytes ----

    def append(self, data):
        """Bytes that follow what is there, and then what had come beyond them."""
        self._open().write(data)
        self._count(len(data))
        self.got += len(data)
        self._drain()

    def keep(self, start, end, data) -> bool:
        """A piece beyond a gap goes to the side file, unless it is there. False: too many pieces."""
        for a, b in self.extents:
            if a <= start and end <= b:
                return True
        if len(self.extents) >= _EXTENTS:
            return False
        if self.side is None:
            self.side = open(self.base + "side", "r+b" if self.side_end else "w+b")
        f = self.side
        f.seek(self.side_end)
        f.write(struct.pack(">IH", start, end - start))
        f.write(data)
        self.side_end += 6 + end - start
        self._extend(start, end)
        self._count(end - start)
        return True

    def whole(self) -> bool:
        """Everything has come: whether the checksum over the flash is right. If it is not, nothing is here any more."""
        self._open()
        self.close()
        buf = bytearray(256)
        total = 0
        at = 0
        with open(self.base + "part", "rb") as f:
            while self.kind != _NULL:
                n = f.readinto(buf)
                if not n:
                    break
                total = add_checksum(self.kind, buf if n == 256 else buf[:n], 0, n, at, total)
                at += n
        if total == self.sum or self.kind == _NULL:
            return True
        discard(self.base + "part")
        self.got = 0
        return False

    def deliver(self):
        """The part becomes the file; folders on the way are made."""
        path = self.path
        at = path.find("/", 1)
        while at > 0:
            try:
                os.mkdir(path[:at])
            except OSError:
                pass  # exists; if it cannot be made, rename says so
            at = path.find("/", at + 1)
        os.rename(self.base + "part", path)
        if self.cls == 2:
            os.rename(self.base + "rx", self.base + "fx")

    def close(self):
        for f in (self.file, self.side):
            if f:
                f.close()
        self.file = self.side = None

    def _open(self):
        if self.file is None:
            self.file = open(self.base + "part", "ab" if self.got else "wb")
        return self.file

    def _extend(self, start, end):
        """Adds a range to the sorted, joined extents."""
        i = 0
        extents = self.extents
        while i < len(extents) and extents[i][1] < start:
            i += 1
        while i < len(extents) and extents[i][0] <= end:
            a, b = extents.pop(i)
            start = min(start, a)
            end = max(end, b)
        extents.insert(i, (start, end))

    def _drain(self):
        """Moves pieces that now follow what is there."""
        while self.extents and self.extents[0][0] <= self.got:
            end = self.extents.pop(0)[1]
            while self.got < end:
                self._move_pieces()
        if not self.extents and self.side_end:
            self.side_end = 0  # the next piece starts the file anew
            if self.side:
                self.side.close()
                self.side = None
            discard(self.base + "side")

    def _move_pieces(self):
        """One pass over the side file. Raises OSError when it holds nothing that follows."""
        if self.side is None:
            self.side = open(self.base + "side", "r+b")
        before = self.got
        mv = memoryview(bytearray(256))
        at = 0
        while at < self.side_end:
            self.side.seek(at)
            start, n = struct.unpack(">IH", self.side.read(6))
            if start <= self.got < start + n:
                self.side.seek(at + 6 + self.got - start)
                left = start + n - self.got
                while left:
                    k = self.side.readinto(mv[: min(left, len(mv))])
                    if not k:
                        raise OSError(5)
                    self.file.write(mv[:k])
                    left -= k
                self.got = start + n
            at += 6 + n
        if self.got == before:
            raise OSError(5)

    def _count(self, n):
        self.loose += n
        if self.loose >= _SYNC:
            self.loose = 0
            if self.file:
                self.file.flush()
            if self.side:
                self.side.flush()

    # ---- gaps ----

    def top(self):
        """One past the last byte that is here."""
        return max(self.got, self.extents[-1][1] if self.extents else 0)

    def limit(self):
        """Below this, what is missing was sent and lost."""
        return self.size if self.sum is not None else self.top()

    def gap(self, at):
        """First gap at or after `at`: (start, end); start is the limit when there is none."""
        at = max(at, self.got)
        limit = self.limit()
        for a, b in self.extents:
            if at < a:
                return at, a
            at = max(at, b)
        return min(at, limit), limit

    # ---- record ----

    def save(self):
        with open(self.base + "rx", "wb") as f:
            f.write(struct.pack("<BBBI", 1, self.cls, self.kind, self.size) + self.path.encode())

    def restore(self, suffix):
        """From the record with this suffix and what else a reset left. Raises ValueError when it is torn."""
        with open(self.base + suffix, "rb") as f:
            data = f.read()
        version, self.cls, self.kind, self.size = struct.unpack_from("<BBBI", data, 0)
        self.path = str(data[7:], "utf-8")
        if version != 1 or not self.path:
            raise ValueError
        if suffix == "fx":
            self.ended = True
            return
        try:
            self.got = min(os.stat(self.base + "part")[6], self.size)
        except OSError:
            pass  # nothing was synced
        self._load_side()

    def _load_side(self):
        try:
            with open(self.base + "side", "rb") as f:
                length = f.seek(0, 2)
                at = 0
                while at + 6 <= length:
                    f.seek(at)
                    start, n = struct.unpack(">IH", f.read(6))
                    if at + 6 + n > length or start + n > self.size:
                        break
                    self._extend(start, start + n)
                    at += 6 + n
                self.side_end = at
        except OSError:
            return  # there is none
        while self.extents and self.extents[0][1] <= self.got:
            self.extents.pop(0)

    def forget(self):
        """Nothing of it stays on flash but what was delivered."""
        self.close()
        for suffix in ("rx", "fx", "part", "side"):
            discard(self.base + suffix)
