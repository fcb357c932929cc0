"""CFDP on the unit: files coming up (727.0-B-5, class 2; class 1 is taken too). Imported with the first one. One file: cfdp_rx.

Times are milliseconds. Bounded: _MAX_RX files at once.
"""

import os
import struct

from micropython import const

from rover.services import cfdp
from rover.services.cfdp_rx import Rx, discard

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
_C_INACTIVITY = const(8)
_C_UNSUPPORTED = const(11)

_F_ACK = const(1)
_F_NAK = const(2)
_F_FINISHED = const(4)
_F_KEEP_ALIVE = const(8)

_MAX_RX = const(4)
_SILENT = const(64)  # backoff after six requests, or Finished, that nobody answered
_LAST_MS = const(60000)
_ENDED = const(8)  # ended transactions remembered, to answer late PDUs


class Receiver:
    """Part of a Cfdp entity, which gives it PDUs, time and room in packets."""

    def __init__(self, owner):
        self._owner = owner
        self._rxs = []
        self._ended = []  # (source, seq, condition)
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
        if rx and (rx.ended or rx.path and (rx.path != name or rx.size != size)):
            self._end(rx)  # the ground has started anew and uses the number again
            rx = None
        self._forget_old(source, seq)
        if rx is None:
            rx = self._new(source, seq, cls)
        if rx is None or rx.path:
            return True
        rx.kind = kind & 15
        if rx.kind not in (0, 3, 15):
            self._give_up(rx, _C_UNSUPPORTED)
            return True
        if not name or (rx.size >= 0 and rx.size != size) or rx.top() > size:
            self._give_up(rx, _C_SIZE if name else _C_FILESTORE)
            return True
        rx.path = name
        rx.size = size
        self._guard(rx, Rx.save)
        if not rx.ended:
            self._owner._event(cfdp.STARTED, rx, size)
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
            self._owner._event(cfdp.CANCELLED, rx, condition)
            if cls == 2:
                self._owner._acknowledge(0, source, seq, 0x40, condition, 2, True)
            self._end(rx)
        elif (rx.path and size != rx.size) or rx.top() > size:
            self._owner._event(cfdp.FAULT, rx, _C_SIZE)
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
            self._owner._event(cfdp.FAULT, rx, _C_SIZE)
            return
        if rx.since >= 0 and offset < rx.asked:
            rx.wait = min(2 * rx.since + 500, _LAST_MS)  # the answer to a request: a round trip
            rx.since = -1
        if offset <= rx.got < end:
            rx.append(data[rx.got - offset :])
            rx.backoff = 1
            rx.timer = rx.wait
        elif offset > rx.got:
            if not rx.keep(offset, end, data):
                self.dropped += 1
            self._seen(rx)
        self._check(rx)

    def _seen(self, rx):
        """A gap: ask at once for what is new in it."""
        if rx.cls == 2 and rx.gap(rx.asked)[0] < rx.limit():
            rx.flags |= _F_NAK

    def _ask_all(self, rx):
        rx.asked = 0
        rx.flags |= _F_NAK

    # ---- the end ----

    def _check(self, rx):
        if rx.ended or not rx.path or rx.sum is None or rx.got != rx.size:
            return
        if rx.whole():
            rx.deliver()
            self._owner._event(cfdp.RECEIVED, rx, rx.size)
            self._finish(rx, 0)
            return
        self._owner._event(cfdp.FAULT, rx, _C_CHECKSUM)
        if rx.cls == 2:
            self._ask_all(rx)

    def _give_up(self, rx, condition):
        self._owner._event(cfdp.FAULT, rx, condition)
        self._finish(rx, condition)

    def _finish(self, rx, condition):
        rx.ended = True
        rx.condition = condition
        rx.extents = []
        rx.close()
        if rx.cls == 1:
            self._end(rx)
            return
        rx.flags = rx.flags & _F_ACK | _F_FINISHED
        rx.backoff = 1

    def _end(self, rx):
        """The transaction is over: nothing of it stays but its number."""
        rx.forget()
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
                    elif rx.cls == 2 and (not rx.path or rx.gap(0)[0] < rx.limit()):
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
                struct.pack_into(">BI", buf, 14, _D_KEEP_ALIVE, rx.top())
                return 13
            if rx.flags & _F_NAK and room >= 25:
                return self._nak(rx, buf, room)
        return 0

    def _nak(self, rx, buf, room):
        """Gaps from `asked` on, as many as fit; the flag stays while there are more."""
        limit = rx.limit()
        scope = min(rx.asked, limit)
        p = 23
        end = 6 + min(room, 512)
        if not rx.path:
            struct.pack_into(">II", buf, p, 0, 0)
            p += 8
        while True:
            a, b = rx.gap(rx.asked)
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
        if len(self._rxs) >= _MAX_RX and not self._make_room():
            self.dropped += 1
            return None
        rx = Rx(self._owner.folder, source, seq, cls)
        if cls == 2:
            rx.timer = 500  # without metadata by then it is asked for
        self._rxs.append(rx)
        return rx

    def _make_room(self):
        """The file goes that was asked for longest without an answer: a ground that lost its archive knows nothing of it."""
        rx = max(self._rxs, key=lambda rx: rx.backoff)
        if rx.backoff < _SILENT:
            return False
        if not rx.ended:
            self._owner._event(cfdp.FAULT, rx, _C_INACTIVITY)
            rx.condition = _C_INACTIVITY
            rx.ended = True
        self._end(rx)
        return True

    def _restore(self):
        folder = self._owner.folder
        names = [e[0] for e in os.ilistdir(folder)]
        for name in names:
            if name[-3:] in (".rx", ".fx"):
                try:
                    self._load(Rx(folder, int(name[:2], 16), int(name[2:6], 16), 2), name[-2:])
                except (OSError, ValueError, IndexError):
                    discard(folder + "/" + name)
        for name in names:
            if name[-5:] in (".part", ".side") and not self._find(int(name[:2], 16), int(name[2:6], 16)):
                discard(folder + "/" + name)

    def _load(self, rx, suffix):
        if len(self._rxs) >= _MAX_RX:
            raise ValueError
        rx.restore(suffix)
        if rx.ended:
            rx.flags = _F_FINISHED
        elif rx.cls == 2:
            self._ask_all(rx)
        self._rxs.append(rx)
