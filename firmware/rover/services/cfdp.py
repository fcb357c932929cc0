"""CFDP entity of the unit (CCSDS 727.0-B-5): sends files in class 1 and 2, several at once, by priority. One file: cfdp_tx.

Class 2 pushes without handshakes and repairs from NAKs while the file is still going. A transaction is a small record
file written once by put(); nothing is written per segment. After a reset the sender does not start over: it sends
Prompt (NAK) and goes on from the reception progress that the NAK's end of scope reports. No retry limits: only an
operator cancels. Receiving (cfdp_receive), class 1 (cfdp_once), erasure repair (cfdp_repair) and digests (cfdp_digest) are imported when first needed.

PDU header: 8 bytes (entity ids of 1 byte, sequence number of 2), no PDU CRC (frames carry one), no large files.

Files in slots (picture layers): `run` bytes per PDU, runs sent in the order k → (k × stride) mod n, which spreads the
first packets over the whole picture. Metadata tells the receiver by a Message to User TLV: "rcam" 1, run u16,
stride u16. For such files every progress field (end of scope of a NAK, Keep Alive) counts bytes in sending order.

Units: bytes and milliseconds. Memory is bounded: at most _MAX_TX transactions, 64 repair requests each, _OPEN files.
"""

import os
import struct

from micropython import const

from rover.services.cfdp_tx import Tx

# Directive codes, 727.0-B-5 table 5-4
_D_EOF = const(4)
_D_FINISHED = const(5)
_D_ACK = const(6)

# Condition codes, table 5-5
_C_FILESTORE = const(4)
_C_CANCEL = const(15)

# States of a transaction and its pending directives: see cfdp_tx
_ASK = const(0)
_WAIT = const(2)
_CANCEL = const(3)
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
_OPEN = const(3)  # file handles open at once (about 700 B each on LittleFS)
_SEQ_AHEAD = const(32)  # sequence numbers reserved per write of the counter file
_FIRST_MS = const(300)  # see cfdp_tx
_LAST_MS = const(60000)


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
        self.repair = False  # the packet at hand goes to the repair APID
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
            # loaded before the first byte: later the line would fall silent for it
            __import__("rover.services.cfdp_once")
            if repair_percent:
                __import__("rover.services.cfdp_repair")
        if run and (checksum == 3 or size // run > 65535):
            run = 0  # CRC-32 needs the bytes in order
        seq = self._next_seq()
        tx = Tx(seq, path, dest_name or path, priority, cls, checksum, repair_percent, cycles, run, size)
        self._save(tx)
        self._insert(tx)
        return seq

    def suspend(self, seq: int, on: bool = True) -> bool:
        """Stops sending; kept over resets. False: no such transaction."""
        tx = self.find(seq)
        if tx is None:
            return False
        if tx.suspended != on:
            tx.suspended = on
            self._save(tx)
            if tx.cls == 1:
                from rover.services import cfdp_once

                cfdp_once.flush(tx, self)
            self._event(SUSPENDED if on else RESUMED, tx, tx.pos)
            self._close(tx)
        return True

    def resume(self, seq: int) -> bool:
        return self.suspend(seq, False)

    def cancel(self, seq: int) -> bool:
        tx = self.find(seq)
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
            if n >= enough:
                break
            if not (tx.suspended or self.frozen and tx.cls == 2):
                n += tx.backlog(enough - n)
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
        self.repair = False
        n = 0
        try:
            n = self._pdu_out(buf, limit - 6)
        except OSError:
            pass  # a directory error while cleaning up: the transaction's own errors are handled where they happen
        if n <= 0:
            return 0
        if self.repair:
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
            from rover.services import cfdp_digest

            n = cfdp_digest.out(self, self._digests, buf, room)
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
                n = tx.out(self, buf, room)
            except OSError:
                # the file is gone or unreadable (evicted from a full flash): the receiver must learn of it
                self._event(FAULT, tx, _C_FILESTORE)
                self._cancel(tx, _C_FILESTORE)
                n = tx.out(self, buf, room)
            if n:
                return n
            if tx not in self._txs:
                break  # finished in class 1: the list has changed
        return 0

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

        cfdp_digest.request(self, self._digests, mv)

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
        return self._reply(self.find(seq), mv, mv[8], first & 4, seq, dest)

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
            self.remove(tx)
            return True
        if code == _D_ACK:
            if mv[9] >> 4 != _D_EOF:
                return False
            mv[10]
            if tx and tx.state == _CANCEL:
                self.remove(tx)
            elif tx and tx.state == _WAIT:
                tx.interval = tx.timer = _LAST_MS  # its Finished will come, or its NAKs
            return True
        return tx.pdu(self, code, mv) if tx else True

    def _acknowledge(self, mode, peer, seq, code, condition, status, to_sender):
        if len(self._acks) < 8:  # more are owed again when the peer repeats itself
            self._acks.append((mode | (8 if to_sender else 0), peer, seq, code, condition, status))

    # ---- transactions ----

    def _event(self, kind, tx, value):
        if self.on_event:
            self.on_event(kind, tx.seq, tx.path, value)

    def find(self, seq):
        """The transaction with this number, or None."""
        for tx in self._txs:
            if tx.seq == seq:
                return tx
        return None

    def _insert(self, tx):
        i = len(self._txs)
        while i and self._txs[i - 1].priority > tx.priority:
            i -= 1
        self._txs.insert(i, tx)

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

    def remove(self, tx):
        """It has ended."""
        self._close(tx)
        self._forget(tx)
        if tx in self._txs:
            self._txs.remove(tx)

    def file(self, tx):
        """Its open file. Raises OSError."""
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

    def record(self, seq):
        """Path of a transaction's record."""
        return "%s/%04x.tx" % (self.folder, seq)

    def _forget(self, tx):
        try:
            os.remove(self.record(tx.seq))
        except OSError:
            pass

    def _save(self, tx):
        with open(self.record(tx.seq), "wb") as f:
            f.write(tx.record())

    def _next_seq(self):
        while True:
            if self._seq == self._seq_end:
                self._seq_end = self._seq + _SEQ_AHEAD & 0xFFFF
                with open(self.folder + "/seq", "wb") as f:
                    f.write(struct.pack("<H", self._seq_end))
            self._seq = self._seq + 1 & 0xFFFF
            if self._seq and self.find(self._seq) is None:
                return self._seq
