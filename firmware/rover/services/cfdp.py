"""CFDP entity of the unit (CCSDS 727.0-B-5): sends files in class 1 and 2, several at once, by priority.

Class 2 pushes without handshakes and repairs from NAKs while the file is still going. A transaction is a small record
file written once by put(); nothing is written per segment. After a reset the sender does not start over: it sends
Prompt (NAK) and goes on from the reception progress that the NAK's end of scope reports. No retry limits: only an
operator cancels. Receiving (cfdp_receive), erasure repair (cfdp_repair) and digests (cfdp_digest) are imported when first needed.

PDU header: 8 bytes (entity ids of 1 byte, sequence number of 2), no PDU CRC (frames carry one), no large files.

Files in slots (picture layers): `run` bytes per PDU, runs sent in the order k → (k × stride) mod n, which spreads the
first packets over the whole picture. Metadata tells the receiver by a Message to User TLV: "rcam" 1, run u16,
stride u16. For such files every progress field (end of scope of a NAK, Keep Alive) counts bytes in sending order.

Units: bytes and milliseconds. Memory is bounded: at most _MAX_TX transactions, _RING repair requests each, _OPEN files.
"""

import os
import struct

from micropython import const

from rover.services.cfdp_tx import Tx, add_checksum

# Directive codes, 727.0-B-5 table 5-4
_D_EOF = const(4)
_D_FINISHED = const(5)
_D_ACK = const(6)
_D_METADATA = const(7)
_D_NAK = const(8)
_D_PROMPT = const(9)
_D_KEEP_ALIVE = const(12)

# Condition codes, table 5-5
_C_FILESTORE = const(4)
_C_CANCEL = const(15)

# Sender states
_ASK = const(0)  # after a reset: what does the receiver have?
_PUSH = const(1)  # first pass over the file
_WAIT = const(2)  # all sent, EOF repeated until Finished
_CANCEL = const(3)  # EOF (cancel) repeated until its ACK
_REPAIR = const(4)  # class 1: repair packets of this cycle

# Pending directives of a sender
_F_META = const(1)
_F_EOF = const(2)
_F_PROMPT = const(4)

# Kinds of on_event(kind, transaction, path, value); from the dictionary
STARTED = const(1)  # value: size
FINISHED = const(2)  # value: bytes sent more than once
CANCELLED = const(3)  # value: condition code
FAULT = const(4)  # value: condition code
SUSPENDED = const(5)
RESUMED = const(6)
RECEIVED = const(7)  # value: size; path is the new file

_MAX_TX = const(16)
_RING = const(64)  # repair requests kept per transaction
_MAX_DIGESTS = const(4)
_OPEN = const(3)  # file handles open at once (about 700 B each on LittleFS)
_SEQ_AHEAD = const(32)  # sequence numbers reserved per write of the counter file
_MIN_DATA = const(16)  # less file data than this in a PDU is not worth its 18 bytes of headers
_FIRST_MS = const(300)  # EOF and Prompt are repeated this often …
_STEADY = const(20)  # … so many times, then ever more slowly …
_LAST_MS = const(60000)  # … up to this
# Class 1: progress is kept on flash every so many bytes; each time the line falls silent for a sector's erasure.
_MARK = const(49152)
_META_EVERY = const(32)  # class 1: metadata is repeated every so many PDUs …
_META_RUNS = const(8)  # … or so many of a file with runs: without its name, no part of a picture can be shown


class Cfdp:
    """entity_id: number of the unit. folder: where transaction records live, ends without slash.

    frozen: set it while there is no ground (727.0-B-5 freeze): class 2 and its timers stand still, class 1 goes on. heard() ends it.
    on_event(kind, transaction, path, value) is called from next_packet, pdu_in and the operator's calls.
    Counters: pdus_in, pdus_bad, pdus_out, bytes_out, bytes_resent, naks_dropped.
    """

    def __init__(self, entity_id: int, folder: str = "/t", on_event=None, apid: int = 0):
        self.id = entity_id
        self.folder = folder
        self.on_event = on_event
        self.apid = apid or 0x100 + 16 * entity_id + 1
        self.frozen = False
        self.pdus_in = self.pdus_bad = self.pdus_out = 0
        self.bytes_out = self.bytes_resent = self.naks_dropped = 0
        self._count = 0  # packet sequence counts of the two APIDs
        self._repair_count = 0
        self._repairing = False
        self._txs: list = []
        self._digests: list = []  # asked for: [transaction, first place, end, block length], see cfdp_digest
        self._acks: list = []  # ACK PDUs owed: (second byte of header flags, peer, seq, code << 4 | subtype, condition, status)
        self._receiver = None
        from rover.services.transfers import load

        self._seq, receiving = load(folder, _MAX_TX, self._insert)
        self._seq_end = self._seq
        if receiving:
            from rover.services.cfdp_receive import Receiver

            self._receiver = Receiver(self)

    # ---- operator ----

    def put(self, path, dest_name=None, priority=1, cls=2, repair_percent=0, run=0, cycles=1, checksum=0) -> int:
        """Starts sending the file `path`; lower priority numbers go first. Returns the transaction number.

        run: bytes per PDU of a file in slots, 0 for sequential files. Class 1 only: repair_percent of the blocks are
        added as repair packets, `cycles` passes are made (0: until cancelled).
        Raises OSError: no such file (2), too many transactions (11).
        """
        if len(self._txs) >= _MAX_TX:
            raise OSError(11)
        size = os.stat(path)[6]
        if cls == 1:
            checksum = 0  # repair packets carry the modular one
        if run and (checksum == 3 or size // run > 65535):
            run = 0  # CRC-32 needs the bytes in order
        seq = self._next_seq()
        tx = Tx(seq, path, dest_name or path, priority, cls, checksum, repair_percent, cycles, run, size)
        self._save(tx)
        self._insert(tx)
        return seq

    def suspend(self, seq: int) -> bool:
        """Stops sending; kept over resets. False: no such transaction."""
        return self._suspend(seq, True)

    def resume(self, seq: int) -> bool:
        return self._suspend(seq, False)

    def cancel(self, seq: int) -> bool:
        tx = self._find(seq)
        if tx is None:
            return False
        self._cancel(tx, _C_CANCEL)
        return True

    def heard(self) -> None:
        """The ground is there (again): waiting questions are asked at once instead of after their back-off."""
        self.frozen = False
        for tx in self._txs:
            tx.interval = _FIRST_MS
            tx.tries = 0
            if tx.timer > _FIRST_MS:
                tx.timer = _FIRST_MS

    def transactions(self):
        """(number, path, priority, state, bytes sent of the first pass, size, suspended) of each, in sending order."""
        return [(t.seq, t.path, t.priority, t.state, t.pos, t.size, t.suspended) for t in self._txs]

    def backlog(self, enough: int) -> int:
        """Bytes of packets that are ready, roughly; counted up to `enough`."""
        n = 12 * len(self._acks) + 100 * len(self._digests)
        for tx in self._txs:
            if tx.suspended or self.frozen and tx.cls == 2:
                continue
            if tx.flags:
                n += 48
            for i in range(tx.count):
                k = (tx.head + i) % _RING * 2
                n += tx.rq[k + 1] - tx.rq[k] + 18
                if n >= enough:
                    return n
            if tx.state == _REPAIR or tx.run and tx.state == _PUSH:
                return enough  # many packets, each with its headers
            if tx.state == _PUSH:
                n += tx.size - tx.pos + 24  # and EOF
            if n >= enough:
                return n
        return n

    # ---- time ----

    def tick(self, elapsed: int) -> None:
        """elapsed: milliseconds since the last call; every 20 to 250 ms is good."""
        if self.frozen:
            return
        for tx in self._txs:
            if tx.timer > 0:
                tx.timer -= elapsed
                if tx.timer <= 0:
                    tx.flags |= _F_PROMPT if tx.state == _ASK else _F_EOF
        if self._receiver:
            self._receiver.tick(elapsed)

    # ---- packets out ----

    def next_packet(self, buf, limit: int) -> int:
        """Writes one space packet of at most `limit` bytes into buf; its length, 0 when there is nothing (that fits)."""
        self._repairing = False
        n = 0
        try:
            n = self._pdu_out(buf, limit - 6)
        except OSError:
            pass  # a directory error while cleaning up: the transaction's own errors are handled where they happen
        if n <= 0:
            return 0
        if self._repairing:
            apid = self.apid + 1
            count = self._repair_count
            self._repair_count = count + 1 & 0x3FFF
        else:
            apid = self.apid
            count = self._count
            self._count = count + 1 & 0x3FFF
        struct.pack_into(">HHH", buf, 0, apid, 0xC000 | count, n - 1)
        self.pdus_out += 1
        return n + 6

    def _pdu_out(self, buf, room):
        if self._acks and room >= 11:
            flags, peer, seq, code, condition, status = self._acks.pop(0)
            return self._directive(buf, flags, peer, seq, _D_ACK, 2, code, condition << 4 | status)
        if self._digests:
            n = self._digest_out(buf, room)
            if n:
                return n
        if self._receiver and not self.frozen:
            n = self._receiver.out(buf, room)
            if n:
                return n
        for tx in self._txs:
            if tx.suspended or self.frozen and tx.cls == 2:
                continue
            try:
                n = self._tx_out(tx, buf, room)
            except OSError:
                # the file is gone or unreadable (evicted from a full flash): the receiver must learn of it
                self._event(FAULT, tx, _C_FILESTORE)
                self._cancel(tx, _C_FILESTORE)
                n = self._tx_out(tx, buf, room)
            if n:
                return n
            if tx not in self._txs:
                break  # finished in class 1: the list has changed
        return 0

    def _tx_out(self, tx, buf, room):
        """One PDU of this transaction, its length or 0. Order: metadata, prompt, repetitions, new data, EOF."""
        if tx.flags & _F_META:
            n = self._metadata(tx, buf, room)
            if n:
                tx.flags &= ~_F_META
                if not tx.started:
                    tx.started = True
                    self._event(STARTED, tx, tx.size)
            return n
        if tx.flags & _F_PROMPT:
            if room < 10:
                return 0
            tx.flags &= ~_F_PROMPT
            self._again_later(tx)
            return self._directive(buf, 0, 0, tx.seq, _D_PROMPT, 1, 0)
        if tx.state == _ASK:
            return 0
        if tx.count:
            k = tx.head * 2
            start = tx.rq[k]
            end = tx.rq[k + 1]
            n = self._data(tx, buf, room, start, end - start)
            if n:
                n -= 12
                tx.resent += n
                self.bytes_resent += n
                start += n
                tx.rq[k] = start
                if start >= end:
                    tx.head = (tx.head + 1) % _RING
                    tx.count -= 1
                    if not tx.count and tx.state == _WAIT:
                        tx.flags |= _F_EOF  # tells the receiver at once that nothing more is on its way
                n += 12
            return n
        if tx.state == _PUSH:
            if tx.pos < tx.size:
                return self._push(tx, buf, room)
            if not self._finish_sum(tx, buf):
                return 0
            tx.state = _WAIT
            tx.flags |= _F_EOF
            tx.interval = _FIRST_MS
        if tx.state == _REPAIR:
            n = tx.repair.out(buf, room)
            if n > 0:
                self._repairing = True
                self.bytes_out += n
            elif n < 0:
                self._cycle_done(tx)
            return n if n > 0 else 0
        if tx.flags & _F_EOF:
            n = self._eof(tx, buf, room)
            if n:
                tx.flags &= ~_F_EOF
                self._again_later(tx)
                if tx.cls == 1:
                    self._one_way(tx)
            return n
        return 0

    def _push(self, tx, buf, room):
        x = tx.pos
        offset = tx.place(x)
        run = tx.run
        want = tx.size - x
        if run and x < tx.full * run:
            want = run - x % run
        n = self._data(tx, buf, room, offset, want)
        if n:
            n -= 12
            if tx.summed == x:
                tx.sum = add_checksum(tx.kind, buf, 18, n, offset, tx.sum)
                tx.summed = x + n
            tx.pos = x + n
            if tx.cls == 1:
                tx.timer = 0
                tx.mark += n
                tx.interval += 1  # counts PDUs: class 1 has no EOF timer
                if tx.interval % (_META_RUNS if run else _META_EVERY) == 0:
                    tx.flags |= _F_META
                if tx.mark >= _MARK:
                    self._mark(tx)
            n += 12
        return n

    def _data(self, tx, buf, room, offset, want):
        """File Data PDU with up to `want` bytes from `offset`; its length, 0 when the room is too small."""
        n = room - 12
        if n > 65531:
            n = 65531
        if n >= want:
            n = want
        elif n < _MIN_DATA:
            return 0
        f = self._file(tx)
        f.seek(offset)
        if f.readinto(buf[18 : 18 + n]) != n:
            raise OSError(5)
        self._header(buf, 0x30 if tx.cls == 2 else 0x34, n + 4, self.id, tx.seq, 0)
        struct.pack_into(">I", buf, 14, offset)
        self.bytes_out += n
        return n + 12

    def _metadata(self, tx, buf, room):
        source = tx.path.encode()
        dest = tx.dest.encode()
        n = 8 + 1 + 5 + 2 + len(source) + len(dest)
        tlv = tx.full > 1
        if tlv:
            n += 11
        if n > room:
            return 0
        self._header(buf, 0x20 if tx.cls == 2 else 0x24, n - 8, self.id, tx.seq, 0)
        struct.pack_into(">BBIB", buf, 14, _D_METADATA, tx.kind, tx.size, len(source))
        p = 21
        buf[p : p + len(source)] = source
        p += len(source)
        buf[p] = len(dest)
        p += 1
        buf[p : p + len(dest)] = dest
        if tlv:
            struct.pack_into(">BB5sHH", buf, p + len(dest), 2, 9, b"rcam\x01", tx.run, tx.stride)
        return n

    def _eof(self, tx, buf, room):
        n = 18
        if tx.condition:
            n += 3
        if room < n:
            return 0
        size = tx.size if not tx.condition else tx.pos
        self._header(buf, 0x20 if tx.cls == 2 else 0x24, n - 8, self.id, tx.seq, 0)
        struct.pack_into(">BBII", buf, 14, _D_EOF, tx.condition << 4, tx.sum, size)
        if tx.condition:
            struct.pack_into(">BBB", buf, 24, 6, 1, self.id)  # fault location: entity id TLV
        return n

    def _again_later(self, tx):
        tx.timer = tx.interval
        tx.tries += 1
        if tx.tries > _STEADY:
            tx.interval = min(tx.interval * 2, _LAST_MS)

    def _header(self, buf, first, length, source, seq, dest):
        struct.pack_into(">BHBBHB", buf, 6, first, length, 1, source, seq, dest)

    def _directive(self, buf, flags, peer, seq, code, length, a, b=0):
        """Small directive with one or two parameter bytes. flags: header bits, 8 = towards the sender `peer`."""
        if flags & 8:
            self._header(buf, 0x20 | flags, length + 1, peer, seq, self.id)
        else:
            self._header(buf, 0x20 | flags, length + 1, self.id, seq, peer)
        buf[14] = code
        buf[15] = a
        if length > 1:
            buf[16] = b
        return 9 + length

    def _finish_sum(self, tx, buf):
        """After a resumption the checksum lacks what was sent before the reset; at most 8 KiB are read per call. False: not done yet."""
        left = 8192
        f = None
        step = min(len(buf), 1024)
        while tx.summed < tx.size:
            if left <= 0:
                return False
            x = tx.summed
            offset = tx.place(x)
            n = min(step, tx.size - x)
            if tx.run and x < tx.full * tx.run:
                n = min(n, tx.run - x % tx.run)
            if f is None:
                f = self._file(tx)
            f.seek(offset)
            if f.readinto(buf[:n]) != n:
                raise OSError(5)
            tx.sum = add_checksum(tx.kind, buf, 0, n, offset, tx.sum)
            tx.summed = x + n
            left -= n
        return True

    # ---- class 1 ----

    def _one_way(self, tx):
        """After an EOF of class 1: three of them, then repair packets, then the next cycle or the end."""
        if tx.state == _CANCEL:
            self._remove(tx)
            return
        tx.timer = 0
        tx.mark += 1
        if tx.mark % 3:
            tx.flags |= _F_EOF
        elif tx.percent and tx.size:
            if tx.repair is None:
                from rover.services.cfdp_repair import Repair

                tx.repair = Repair(self.id, tx, self._file)
            tx.repair.start(tx.cycle)
            tx.state = _REPAIR
        else:
            self._cycle_done(tx)

    def _cycle_done(self, tx):
        tx.cycle += 1
        if tx.cycles and tx.cycle >= tx.cycles:
            self._event(FINISHED, tx, tx.resent)
            self._remove(tx)
            return
        tx.pos = 0
        tx.mark = tx.interval = 0
        tx.state = _PUSH
        tx.flags |= _F_META
        self._mark(tx)

    def _mark(self, tx):
        """Appends (cycle, position) to the record: where a reset goes on. The last whole mark counts."""
        tx.mark = 0
        try:
            with open(self._record(tx.seq), "ab") as f:
                f.write(struct.pack("<II", tx.cycle, tx.pos))
        except OSError:
            pass  # a full flash costs repeated bytes after a reset, nothing else

    # ---- PDUs in ----

    def pdu_in(self, mv) -> None:
        """A PDU from the ground, without its space packet header. Never raises on its content; bad ones are counted."""
        self.pdus_in += 1
        try:
            good = self._pdu(memoryview(mv))
        except (ValueError, IndexError):
            good = False  # shorter than its own fields say
        if not good:
            self.pdus_bad += 1

    def request_in(self, mv) -> None:
        """A digest request from the ground, without its space packet header (cfdp_digest). Never raises on its content."""
        from rover.services import cfdp_digest

        asked = cfdp_digest.request(mv)
        tx = self._find(asked[0]) if asked else None
        # The ground asks for the bytes when no answer comes.
        if tx and tx.cls == 2 and tx.state != _CANCEL and asked[2] <= tx.size and len(self._digests) < _MAX_DIGESTS:
            asked[0] = tx
            self._digests.append(asked)

    def _digest_out(self, buf, room):
        from rover.services import cfdp_digest

        asked = self._digests[0]
        n = -1
        if asked[0] in self._txs:
            try:
                n = cfdp_digest.out(asked, self._file(asked[0]), buf, room)
            except OSError:
                pass  # the transaction itself finds out
        if n < 0 or asked[1] >= asked[2]:
            self._digests.pop(0)
        if n > 0:
            self._repairing = True
        return max(n, 0)

    def _pdu(self, mv):
        n = len(mv)
        if n < 9:
            return False
        first, length, lengths, source, seq, dest = struct.unpack_from(">BHBBHB", mv, 0)
        if first >> 5 != 1 or first & 1 or lengths & 0x77 != 1 or length + 8 != n:
            return False
        if first & 2:
            from rover.link.coding import crc16

            if n < 11 or crc16(mv, n):
                return False
            mv = mv[: n - 2]
        if not first & 8:
            if dest != self.id:
                return False
            if self._receiver is None:
                from rover.services.cfdp_receive import Receiver

                self._receiver = Receiver(self)
            return self._receiver.pdu(mv, first, lengths, source, seq)
        if source != self.id or first & 0x10:
            return False
        return self._reply(self._find(seq), mv, mv[8], first & 4, seq, dest)

    def _reply(self, tx, mv, code, mode, seq, dest):
        """A directive from the receiver of a file of ours."""
        if code == _D_FINISHED:
            condition = mv[9] >> 4
            # 1. acknowledged whether the transaction is still known (active 1) or ended long ago (unrecognised 3)
            self._acknowledge(mode, dest, seq, 0x51, condition, 1 if tx else 3, False)
            if tx is None:
                return True
            if tx.state == _CANCEL:
                pass  # 2. its cancellation was announced before
            elif condition == 0:
                self._event(FINISHED, tx, tx.resent)  # 3. delivered
            else:
                self._event(CANCELLED, tx, condition)  # 4. the receiver gave up
            self._remove(tx)
            return True
        if code == _D_ACK:
            if mv[9] >> 4 != _D_EOF:
                return False
            mv[10]
            if tx and tx.state == _CANCEL:
                self._remove(tx)
            elif tx and tx.state == _WAIT:
                tx.interval = tx.timer = _LAST_MS  # its Finished will come, or its NAKs
            return True
        if code == _D_KEEP_ALIVE:
            self._progress(tx, struct.unpack_from(">I", mv, 9)[0])
            return True
        if code != _D_NAK:
            return False
        start, end = struct.unpack_from(">II", mv, 9)
        if (len(mv) - 17) % 8:
            return False
        if tx and tx.state == _ASK and start and tx.tries <= _STEADY:
            return True  # not the answer to our Prompt (its scope begins at 0) but one from before the reset
        self._progress(tx, end)
        if tx is None or tx.state == _CANCEL or tx.cls == 1:
            return True
        for p in range(17, len(mv), 8):
            a, b = struct.unpack_from(">II", mv, p)
            if a == 0 and b == 0:
                tx.flags |= _F_META
            else:
                if b > tx.size:
                    b = tx.size
                if tx.state == _PUSH and not tx.run and b > tx.pos:
                    b = tx.pos  # comes anyway
                if a < b and not tx.again(a, b):
                    self.naks_dropped += 1
        if tx.state == _WAIT and (end < tx.size or len(mv) == 17):
            tx.interval = _FIRST_MS  # the receiver has no EOF (a new ground, or it was lost)
            tx.flags |= _F_EOF
        return True

    def _progress(self, tx, end):
        """The receiver has, or asks for, everything below `end` (in sending order): go on from there."""
        if tx is None or tx.cls == 1:
            return
        if tx.state == _ASK:
            tx.state = _PUSH
            tx.timer = 0
        if tx.state == _PUSH and end > tx.pos:
            tx.pos = min(end, tx.size)

    def _acknowledge(self, mode, peer, seq, code, condition, status, to_sender):
        if len(self._acks) < 8:  # more are owed again when the peer repeats itself
            self._acks.append((mode | (8 if to_sender else 0), peer, seq, code, condition, status))

    # ---- transactions ----

    def _event(self, kind, tx, value):
        if self.on_event:
            self.on_event(kind, tx.seq, tx.path, value)

    def _find(self, seq):
        for tx in self._txs:
            if tx.seq == seq:
                return tx
        return None

    def _insert(self, tx):
        i = len(self._txs)
        while i and self._txs[i - 1].priority > tx.priority:
            i -= 1
        self._txs.insert(i, tx)

    def _suspend(self, seq, on):
        tx = self._find(seq)
        if tx is None:
            return False
        if tx.suspended != on:
            tx.suspended = on
            self._save(tx)
            if tx.cls == 1:
                self._mark(tx)
            self._event(SUSPENDED if on else RESUMED, tx, tx.pos)
            self._close(tx)
        return True

    def _cancel(self, tx, condition):
        self._close(tx)
        tx.condition = condition
        tx.state = _CANCEL
        tx.flags = _F_EOF
        tx.count = 0
        tx.suspended = False
        tx.interval = _FIRST_MS
        self._forget(tx)  # over a reset nothing is left to do: an unknown transaction is answered as such
        if condition == _C_CANCEL:
            self._event(CANCELLED, tx, condition)

    def _remove(self, tx):
        self._close(tx)
        self._forget(tx)
        if tx in self._txs:
            self._txs.remove(tx)

    def _file(self, tx):
        if tx.file is None:
            n = 0
            for other in self._txs:
                if other.file is not None:
                    n += 1
                    if n >= _OPEN:
                        self._close(other)
            tx.file = open(tx.path, "rb")
        return tx.file

    def _close(self, tx):
        if tx.file is not None:
            tx.file.close()
            tx.file = None

    # ---- records on flash ----

    def _record(self, seq):
        return "%s/%04x.tx" % (self.folder, seq)

    def _forget(self, tx):
        try:
            os.remove(self._record(tx.seq))
        except OSError:
            pass

    def _save(self, tx):
        with open(self._record(tx.seq), "wb") as f:
            f.write(tx.record())

    def _next_seq(self):
        while True:
            if self._seq == self._seq_end:
                self._seq_end = self._seq + _SEQ_AHEAD & 0xFFFF
                with open(self.folder + "/seq", "wb") as f:
                    f.write(struct.pack("<H", self._seq_end))
            self._seq = self._seq + 1 & 0xFFFF
            if self._seq and self._find(self._seq) is None:
                return self._seq
