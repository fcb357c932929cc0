"""CFDP on the unit: files coming up (727.0-B-5, class 2; class 1 is taken too). Imported with the first one.

Bytes are appended to <folder>/<id>.part as they come in order, synced every _SYNC bytes, because a flash file rewritten
in the middle costs its whole tail. What comes beyond a gap is appended to <id>.side and moved when the gap closes: it
is written twice, but never asked for twice. A reset keeps all that was synced. When the checksum over the flash is
right, the part is renamed to its destination; the record stays (as .fx) until the ground has acknowledged Finished.

Times are milliseconds. Bounded: _MAX_RX files at once, _EXTENTS pieces beyond gaps each; more pieces are dropped and
asked for again.
"""

import os
import struct

from micropython import const

from rover.services import cfdp
from rover.services.cfdp_tx import add_checksum

_D_EOF = const(4)
_D_FINISHED = const(5)
_D_ACK = const(6)
_D_METADATA = const(7)
_D_NAK = const(8)
_D_PROMPT = const(9)
_D_KEEP_ALIVE = const(12)

_C_FILESTORE = const(4)
_C_CHECKSUM = const(5)
_C_SIZE = const(6)
_C_UNSUPPORTED = const(11)

_F_ACK = const(1)
_F_NAK = const(2)
_F_FINISHED = const(4)
_F_KEEP_ALIVE = const(8)

_MAX_RX = const(4)
_EXTENTS = const(32)
_SYNC = const(4096)
_RTT = const(6000)  # before one was measured
_LAST_MS = const(60000)
_ENDED = const(8)  # ended transactions remembered, to answer late PDUs


class _Rx:
    """got: bytes in order. extents: sorted (start, end) of what the side file holds. asked: gaps below are asked for."""

    def __init__(self, source, seq, cls):
        self.source = source
        self.seq = seq
        self.cls = cls
        self.name = None  # destination; None until the metadata came
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


class Receiver:
    """Part of a Cfdp entity, which gives it PDUs, time and room in packets."""

    def __init__(self, owner):
        self._owner = owner
        self._rxs = []
        self._ended = []  # (source, seq, condition)
        self._buf = bytearray(256)
        self.dropped = 0  # PDUs refused because a bound was reached
        self._restore()

    # ---- in ----

    def pdu(self, mv, first, lengths, source, seq) -> bool:
        """One PDU for this unit as receiver. False: malformed."""
        cls = 1 if first & 4 else 2
        rx = self._find(source, seq)
        if first & 0x10:
            p = 8
            if lengths & 8:  # segment metadata, not used
                p += 1 + (mv[8] & 0x3F)
            offset = struct.unpack_from(">I", mv, p)[0]
            p += 4
            if p >= len(mv):
                return False
            if rx is None:
                if self._old(source, seq) is not None:
                    return True
                rx = self._new(source, seq, cls)
            if rx and not rx.ended:
                self._guard(rx, self._data, offset, mv[p:])
            return True
        code = mv[8]
        if code == _D_ACK:
            mv[10]
            if rx and rx.ended:
                self._end(rx)
            return mv[9] >> 4 == _D_FINISHED
        if code == _D_METADATA:
            return self._metadata(rx, mv, source, seq, cls)
        if code == _D_EOF:
            condition, total, size = struct.unpack_from(">BII", mv, 9)
            return self._eof(rx, condition >> 4, total, size, source, seq, cls)
        if code == _D_PROMPT:
            keep_alive = mv[9] & 0x80
            if rx is None:
                rx = self._late(source, seq, cls)
            if rx is None:
                pass
            elif rx.ended:
                rx.flags |= _F_FINISHED
            elif keep_alive:
                rx.flags |= _F_KEEP_ALIVE
            else:
                self._ask_all(rx)
            return True
        return False

    def _metadata(self, rx, mv, source, seq, cls):
        kind, size, n = struct.unpack_from(">BIB", mv, 9)
        p = 15 + n
        m = mv[p]
        if p + 1 + m > len(mv):
            return False
        name = str(
            bytes(mv[p + 1 : p + 1 + m] or mv[15 : 15 + n]), "utf-8"
        )  # a bad one raises UnicodeError, a ValueError
        if rx and rx.ended:
            self._end(rx)  # the ground has started anew and uses the number again
            rx = None
        self._forget_old(source, seq)
        if rx is None:
            rx = self._new(source, seq, cls)
        if rx is None or rx.name is not None:
            return True
        rx.kind = kind & 15
        if rx.kind not in (0, 3, 15):
            self._give_up(rx, _C_UNSUPPORTED)
            return True
        if not name or (rx.size >= 0 and rx.size != size) or self._top(rx) > size:
            self._give_up(rx, _C_SIZE if name else _C_FILESTORE)
            return True
        rx.name = name
        rx.size = size
        self._guard(rx, self._save)
        if not rx.ended:
            self._owner._event(cfdp.STARTED, _Named(rx), size)
            self._guard(rx, self._check)
        return True

    def _eof(self, rx, condition, total, size, source, seq, cls):
        if rx is None:
            if condition:
                self._owner._acknowledge(0 if cls == 2 else 4, source, seq, 0x40, condition, 3, True)
                return True
            rx = self._late(source, seq, cls)
            if rx is None:
                return True
        rx.eof_condition = condition
        if cls == 2:
            rx.flags |= _F_ACK
        if rx.ended:
            rx.flags |= _F_FINISHED
        elif condition:
            self._owner._event(cfdp.CANCELLED, _Named(rx), condition)
            if cls == 2:
                self._owner._acknowledge(0, source, seq, 0x40, condition, 2, True)
            self._end(rx)
        elif (rx.name is not None and size != rx.size) or self._top(rx) > size:
            self._owner._event(cfdp.FAULT, _Named(rx), _C_SIZE)
        else:
            first = rx.sum is None
            rx.sum = total
            rx.size = size
            if first:
                self._seen(rx)
            self._guard(rx, self._check)
        return True

    def _guard(self, rx, call, *args):
        """A full or broken file system ends the reception with Finished (filestore rejection), not the unit."""
        try:
            call(rx, *args)
        except OSError:
            self._give_up(rx, _C_FILESTORE)

    def _data(self, rx, offset, data):
        end = offset + len(data)
        if rx.size >= 0 and end > rx.size:
            self._owner._event(cfdp.FAULT, _Named(rx), _C_SIZE)
            return
        if rx.since >= 0 and offset < rx.asked:
            rx.wait = min(2 * rx.since + 500, _LAST_MS)  # the answer to a request: a round trip
            rx.since = -1
        if offset <= rx.got < end:
            f = self._open(rx)
            f.write(data[rx.got - offset :])
            self._count(rx, end - rx.got)
            rx.got = end
            self._drain(rx)
            rx.backoff = 1
            rx.timer = rx.wait
        elif offset > rx.got:
            self._keep(rx, offset, end, data)
            self._seen(rx)
        self._check(rx)

    def _keep(self, rx, start, end, data):
        """A piece beyond a gap goes to the side file, unless it is there."""
        for a, b in rx.extents:
            if a <= start and end <= b:
                return
        if len(rx.extents) >= _EXTENTS:
            self.dropped += 1
            return
        if rx.side is None:
            rx.side = open(self._path(rx, "side"), "r+b" if rx.side_end else "w+b")
        f = rx.side
        f.seek(rx.side_end)
        f.write(struct.pack(">IH", start, end - start))
        f.write(data)
        rx.side_end += 6 + end - start
        self._extend(rx, start, end)
        self._count(rx, end - start)

    def _extend(self, rx, start, end):
        """Adds a range to the sorted, joined extents."""
        i = 0
        extents = rx.extents
        while i < len(extents) and extents[i][1] < start:
            i += 1
        while i < len(extents) and extents[i][0] <= end:
            a, b = extents.pop(i)
            start = min(start, a)
            end = max(end, b)
        extents.insert(i, (start, end))

    def _drain(self, rx):
        """Moves pieces that now follow what is there."""
        while rx.extents and rx.extents[0][0] <= rx.got:
            end = rx.extents.pop(0)[1]
            while rx.got < end:
                self._move_pieces(rx)
        if not rx.extents and rx.side_end:
            rx.side_end = 0  # the next piece starts the file anew
            if rx.side:
                rx.side.close()
                rx.side = None
            self._remove(self._path(rx, "side"))

    def _move_pieces(self, rx):
        """One pass over the side file. Raises OSError when it holds nothing that follows."""
        if rx.side is None:
            rx.side = open(self._path(rx, "side"), "r+b")
        before = rx.got
        mv = memoryview(self._buf)
        at = 0
        while at < rx.side_end:
            rx.side.seek(at)
            start, n = struct.unpack(">IH", rx.side.read(6))
            if start <= rx.got < start + n:
                rx.side.seek(at + 6 + rx.got - start)
                left = start + n - rx.got
                while left:
                    k = rx.side.readinto(mv[: min(left, len(mv))])
                    if not k:
                        raise OSError(5)
                    rx.file.write(mv[:k])
                    left -= k
                rx.got = start + n
            at += 6 + n
        if rx.got == before:
            raise OSError(5)

    def _count(self, rx, n):
        rx.loose += n
        if rx.loose >= _SYNC:
            rx.loose = 0
            if rx.file:
                rx.file.flush()
            if rx.side:
                rx.side.flush()

    def _seen(self, rx):
        """A gap: ask at once for what is new in it."""
        if rx.cls == 2 and self._gap(rx, rx.asked)[0] < self._limit(rx):
            rx.flags |= _F_NAK

    def _ask_all(self, rx):
        rx.asked = 0
        rx.flags |= _F_NAK

    def _top(self, rx):
        return max(rx.got, rx.extents[-1][1] if rx.extents else 0)

    def _limit(self, rx):
        """Below this, what is missing was sent and lost."""
        return rx.size if rx.sum is not None else self._top(rx)

    def _gap(self, rx, at):
        """First gap at or after `at`: (start, end); start is the limit when there is none."""
        at = max(at, rx.got)
        limit = self._limit(rx)
        for a, b in rx.extents:
            if at < a:
                return at, a
            at = max(at, b)
        return min(at, limit), limit

    # ---- the end ----

    def _check(self, rx):
        if rx.ended or rx.name is None or rx.sum is None or rx.got != rx.size:
            return
        f = self._open(rx)
        f.close()
        rx.file = None
        total = 0
        at = 0
        path = self._path(rx, "part")
        with open(path, "rb") as f:
            while rx.kind != 15:
                n = f.readinto(self._buf)
                if not n:
                    break
                total = add_checksum(rx.kind, self._buf if n == 256 else self._buf[:n], 0, n, at, total)
                at += n
        if total != rx.sum and rx.kind != 15:
            self._owner._event(cfdp.FAULT, _Named(rx), _C_CHECKSUM)
            self._remove(path)
            rx.got = 0
            if rx.cls == 2:
                self._ask_all(rx)
            return
        self._move(path, rx.name)
        self._owner._event(cfdp.RECEIVED, _Named(rx), rx.size)
        if rx.cls == 2:
            os.rename(self._path(rx, "rx"), self._path(rx, "fx"))
        self._finish(rx, 0)

    def _move(self, path, name):
        at = name.find("/", 1)
        while at > 0:
            try:
                os.mkdir(name[:at])
            except OSError:
                pass  # exists; if it cannot be made, rename says so
            at = name.find("/", at + 1)
        os.rename(path, name)

    def _give_up(self, rx, condition):
        self._owner._event(cfdp.FAULT, _Named(rx), condition)
        self._finish(rx, condition)

    def _finish(self, rx, condition):
        rx.ended = True
        rx.condition = condition
        rx.extents = []
        self._close(rx)
        if rx.cls == 1:
            self._end(rx)
            return
        rx.flags = rx.flags & _F_ACK | _F_FINISHED
        rx.backoff = 1

    def _end(self, rx):
        """The transaction is over: nothing of it stays but its number."""
        self._close(rx)
        for suffix in ("rx", "fx", "part", "side"):
            self._remove(self._path(rx, suffix))
        if rx in self._rxs:
            self._rxs.remove(rx)
        if rx.ended:
            self._ended.append((rx.source, rx.seq, rx.condition))
            if len(self._ended) > _ENDED:
                self._ended.pop(0)

    # ---- out ----

    def tick(self, elapsed):
        for rx in self._rxs:
            if rx.since >= 0:
                rx.since += elapsed
            if rx.timer > 0:
                rx.timer -= elapsed
                if rx.timer <= 0:
                    if rx.ended:
                        rx.flags |= _F_FINISHED
                    elif rx.cls == 2 and (rx.name is None or self._gap(rx, 0)[0] < self._limit(rx)):
                        self._ask_all(rx)
                        rx.backoff *= 2

    def out(self, buf, room):
        """One directive, its length or 0."""
        for rx in self._rxs:
            if not rx.flags:
                continue
            owner = self._owner
            if rx.flags & _F_ACK and room >= 11:
                rx.flags &= ~_F_ACK
                status = 2 if rx.ended else 1
                return owner._directive(buf, 8, rx.source, rx.seq, _D_ACK, 2, 0x40, rx.eof_condition << 4 | status)
            if rx.flags & _F_FINISHED and room >= 10:
                rx.flags &= ~_F_FINISHED
                rx.timer = min(rx.wait * rx.backoff, _LAST_MS)
                rx.backoff *= 2
                # complete and retained, or incomplete and discarded by the file system
                value = 2 if rx.condition == 0 else rx.condition << 4 | 4 | (rx.condition == _C_FILESTORE)
                return owner._directive(buf, 8, rx.source, rx.seq, _D_FINISHED, 1, value)
            if rx.flags & _F_KEEP_ALIVE and room >= 13:
                rx.flags &= ~_F_KEEP_ALIVE
                owner._header(buf, 0x28, 5, rx.source, rx.seq, owner.id)
                struct.pack_into(">BI", buf, 14, _D_KEEP_ALIVE, self._top(rx))
                return 13
            if rx.flags & _F_NAK and room >= 25:
                return self._nak(rx, buf, room)
        return 0

    def _nak(self, rx, buf, room):
        """Gaps from `asked` on, as many as fit; the flag stays while there are more."""
        limit = self._limit(rx)
        scope = min(rx.asked, limit)
        p = 23
        end = 6 + min(room, 512)
        if rx.name is None:
            struct.pack_into(">II", buf, p, 0, 0)
            p += 8
        while True:
            a, b = self._gap(rx, rx.asked)
            if a >= limit:
                rx.asked = limit
                rx.flags &= ~_F_NAK
                break
            if p + 8 > end:
                limit = rx.asked
                break
            struct.pack_into(">II", buf, p, a, b)
            p += 8
            rx.asked = b
        self._owner._header(buf, 0x28, p - 14, rx.source, rx.seq, self._owner.id)
        struct.pack_into(">BII", buf, 14, _D_NAK, scope, limit)
        rx.timer = min(rx.wait * rx.backoff, _LAST_MS)
        rx.since = 0
        return p - 6

    # ---- transactions ----

    def _find(self, source, seq):
        for rx in self._rxs:
            if rx.seq == seq and rx.source == source:
                return rx
        return None

    def _old(self, source, seq):
        for old in self._ended:
            if old[0] == source and old[1] == seq:
                return old
        return None

    def _forget_old(self, source, seq):
        old = self._old(source, seq)
        if old:
            self._ended.remove(old)

    def _late(self, source, seq, cls):
        """EOF or Prompt of an unknown transaction: one that ended, or one whose beginning was lost."""
        old = self._old(source, seq)
        rx = self._new(source, seq, cls)
        if rx and old:
            self._ended.remove(old)
            rx.ended = True
            rx.condition = old[2]
        return rx

    def _new(self, source, seq, cls):
        if len(self._rxs) >= _MAX_RX:
            self.dropped += 1
            return None
        rx = _Rx(source, seq, cls)
        if cls == 2:
            rx.timer = 500  # without metadata by then it is asked for
        self._rxs.append(rx)
        return rx

    def _open(self, rx):
        if rx.file is None:
            rx.file = open(self._path(rx, "part"), "ab" if rx.got else "wb")
        return rx.file

    def _close(self, rx):
        for f in (rx.file, rx.side):
            if f:
                f.close()
        rx.file = rx.side = None

    def _path(self, rx, suffix):
        return "%s/%02x%04x.%s" % (self._owner.folder, rx.source, rx.seq, suffix)

    def _remove(self, path):
        try:
            os.remove(path)
        except OSError:
            pass

    def _save(self, rx):
        with open(self._path(rx, "rx"), "wb") as f:
            f.write(struct.pack("<BBBI", 1, rx.cls, rx.kind, rx.size) + rx.name.encode())

    def _restore(self):
        folder = self._owner.folder
        names = [e[0] for e in os.ilistdir(folder)]
        for name in names:
            if name[-3:] in (".rx", ".fx"):
                try:
                    with open(folder + "/" + name, "rb") as f:
                        self._load(int(name[:2], 16), int(name[2:6], 16), name[-3:] == ".fx", f.read())
                except (OSError, ValueError, IndexError):
                    self._remove(folder + "/" + name)
        for name in names:
            if name[-5:] in (".part", ".side") and not self._find(int(name[:2], 16), int(name[2:6], 16)):
                self._remove(folder + "/" + name)

    def _load(self, source, seq, ended, data):
        version, cls, kind, size = struct.unpack_from("<BBBI", data, 0)
        rx = _Rx(source, seq, cls)
        rx.kind = kind
        rx.size = size
        rx.name = str(data[7:], "utf-8")
        if version != 1 or not rx.name or len(self._rxs) >= _MAX_RX:
            raise ValueError
        if ended:
            rx.ended = True
            rx.flags = _F_FINISHED
        else:
            try:
                rx.got = min(os.stat(self._path(rx, "part"))[6], size)
            except OSError:
                pass  # nothing was synced
            self._load_side(rx)
            if cls == 2:
                self._ask_all(rx)
        self._rxs.append(rx)

    def _load_side(self, rx):
        try:
            with open(self._path(rx, "side"), "rb") as f:
                length = f.seek(0, 2)
                at = 0
                while at + 6 <= length:
                    f.seek(at)
                    start, n = struct.unpack(">IH", f.read(6))
                    if at + 6 + n > length or start + n > rx.size:
                        break
                    self._extend(rx, start, start + n)
                    at += 6 + n
                rx.side_end = at
        except OSError:
            return  # there is none
        while rx.extents and rx.extents[0][1] <= rx.got:
            rx.extents.pop(0)


class _Named:
    """What Cfdp._event wants to know of a transaction."""

    def __init__(self, rx):
        self.seq = rx.seq
        self.path = rx.name or ""
