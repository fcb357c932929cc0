"""One file being received: its PDUs, its state, its end. What of it is missing and asked for: missing.py; class 1's repair packets: repair.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from spacepackets.cfdp.pdu import DirectiveType, EofPdu, MetadataPdu, PromptPdu
from spacepackets.cfdp.pdu.prompt import ResponseRequired

from ..events import Fragment
from . import checksum as checksums
from .events import (
    Cancelled,
    Direction,
    Event,
    Fault,
    Finished,
    Progress,
    SegmentReceived,
    Started,
    TransactionId,
)
from .missing import Missing
from .pdus import Builder, Parsed, sending_order
from .peer import Peer, Settings
from .ranges import Ranges, SendingOrder
from .repair import Blocks
from .salvage import Digest
from .store import Snapshot, Store

CHECKSUM_FAILURE, SIZE_ERROR, UNSUPPORTED_CHECKSUM, CANCEL = 5, 6, 11, 15
NEVER = float("inf")
MOST_RUNS = 0xFFFF  # in files with runs, as the unit has it: more of them would be a run from wrong bytes


class Receiver:
    """State: 'receiving', 'finished' (Finished not acknowledged), 'closed', 'cancelled'."""

    def __init__(
        self,
        transaction: TransactionId,
        local: int,
        cls: int,
        store: Store,
        settings: Settings,
        peer: Peer,
        emit: Callable[[Event], None],
    ) -> None:
        self.id = transaction
        self.cls = cls
        self.unit = transaction.source
        self.state = "receiving"
        self.suspended = False
        self.name = self.source_name = ""
        self.size: int | None = None
        self.known = False  # metadata came
        self.kind = checksums.MODULAR
        self.eof: tuple[int, int] | None = None  # checksum, size
        self.condition = 0
        self.duplicates = 0  # bytes that came more than once
        self.last_at = NEVER
        self._store, self._settings, self._peer, self._emit = store, settings, peer, emit
        self._build = Builder(transaction.source, transaction.number, local, cls)
        self._missing = Missing(self._build, peer, settings)
        self._out: list[bytes] = []
        self._finish_at = NEVER  # when Finished is said (again)
        self._backoff = 1.0
        self._blocks: Blocks | None = None

    @property
    def have(self) -> Ranges:
        """What came of the file."""
        return self._missing.have

    # ---- kept state ----

    def record(self) -> dict[str, Any]:
        order = self._missing.order or SendingOrder(0)
        return {
            "direction": "down", "state": self.state, "cls": self.cls, "name": self.name, "source": self.source_name,
            "size": self.size, "known": self.known, "kind": self.kind, "run": order.run,
            "stride": order.stride, "eof": self.eof, "condition": self.condition, "suspended": self.suspended,
        }  # fmt: skip

    def restore(self, snapshot: Snapshot, now: float) -> None:
        """Takes up a transaction of an earlier process."""
        r = snapshot.record
        self.state, self.name, self.source_name = r["state"], r["name"], r["source"]
        self.size, self.known, self.kind, self.condition = r["size"], r["known"], r["kind"], r["condition"]
        self.suspended = r["suspended"]
        self.eof = (r["eof"][0], r["eof"][1]) if r["eof"] else None
        missing = self._missing
        missing.have, missing.ended = snapshot.ranges, self.eof is not None
        if self.known and self.size is not None:
            missing.order = SendingOrder(self.size, r["run"], r["stride"])
        if snapshot.repair and self.size is not None:
            self._blocks = Blocks(self.size, len(next(iter(snapshot.repair.values()))))
            for (generation, index), block in snapshot.repair.items():
                self._blocks.add(generation, index, block)
        self.last_at = now
        if self.state == "receiving" and self.cls == 2:
            missing.took_up(now)
        if self.state == "finished":
            self._finish_at = now

    def _save(self) -> None:
        self._store.save(self.id, self.record())

    # ---- PDUs in ----

    def pdu(self, parsed: Parsed, now: float, fragments: Sequence[Fragment] = ()) -> None:
        """fragments: of frames that were lost right before the one this came in."""
        self.last_at = now
        self._missing.fragments = fragments
        directive = parsed.directive
        if directive is None:
            self._data(parsed.offset, parsed.data, now)
        elif isinstance(directive, MetadataPdu):
            self._metadata(directive, now)
        elif isinstance(directive, EofPdu):
            self._eof(directive, now)
        elif isinstance(directive, PromptPdu):
            self._prompt(directive, now)
        elif directive.directive_type == DirectiveType.ACK_PDU and self.state == "finished":  # of our Finished
            self.state = "closed"
            self._finish_at = NEVER
            self._save()

    def is_other(self, parsed: Parsed) -> bool:
        """True when this PDU can only belong to a new file under an old number (the unit's flash was erased)."""
        directive = parsed.directive
        if self.state == "receiving" or parsed.towards_sender:
            return False
        if isinstance(directive, MetadataPdu):
            if self.state == "closed" and self.cls == 2:
                return True  # a sender that got our Finished never repeats metadata
            same = (directive.file_size, directive.dest_file_name or "") == (self.size, self.name)
            return self.known and not same
        if isinstance(directive, EofPdu) and self.eof and not int(directive.condition_code):
            return (int.from_bytes(directive.file_checksum, "big"), directive.file_size) != self.eof
        return False

    def _metadata(self, directive: MetadataPdu, now: float) -> None:
        if self.known or self.state != "receiving":
            return
        size = directive.file_size
        if self.have.end > size or (self.eof and self.eof[1] != size):
            self._fault(SIZE_ERROR, f"metadata says {size} bytes, {self.have.end} came")
            return
        if size > self._settings.largest_file:
            self._give_up(SIZE_ERROR, f"{size} bytes announced, {self._settings.largest_file} allowed", now)
            return
        self.kind = int(directive.checksum_type)
        if self.kind not in checksums.KNOWN:
            self._give_up(UNSUPPORTED_CHECKSUM, f"checksum type {self.kind}", now)
            return
        self.name = directive.dest_file_name or directive.source_file_name or ""
        self.source_name = directive.source_file_name or ""
        self.size, self.known = size, True
        order = self._order(directive)
        self._missing.order = order
        self._save()
        self._emit(Started(**self._who(), size=size, source_name=self.source_name, run=order.run))
        if self.cls == 2:
            self._missing.knows(order, now)
        self._check(now)

    def _order(self, directive: MetadataPdu) -> SendingOrder:
        """From first to last when what the metadata say is no order."""
        size = directive.file_size
        run, stride = sending_order(directive)
        if run and size // run <= MOST_RUNS:
            order = SendingOrder(size, run, stride)
            with contextlib.suppress(ValueError):  # a stride without inverse: not from our sender
                order.place(0)
                return order
        return SendingOrder(size)

    def _data(self, offset: int, data: bytes, now: float) -> None:
        end = offset + len(data)
        if self.state != "receiving":
            self.duplicates += len(data)
            if self.state == "finished":
                self._finish_soon(now)
            return
        most = self._settings.largest_file if self.size is None else self.size
        if end > most:
            self._fault(SIZE_ERROR, f"file data up to {end}, at most {most} expected")
            return
        if not self.known and not len(self.have):
            self._save()  # so that a killed process finds what follows
        new = self.have.missing(offset, end)
        for a, b in new:
            piece = data[a - offset : b - offset]
            self._store.write(self.id, a, piece)
            self._emit(SegmentReceived(**self._who(), offset=a, data=piece))
        self.duplicates += len(data) - sum(b - a for a, b in new)
        if new:
            self.have.add(offset, end)
            self._emit(Progress(**self._who(), done=self.have.total, size=self.size))
        if self.cls == 2:
            self._missing.came(offset, end, now)
        self._check(now)

    def digest(self, digest: Digest, now: float) -> None:
        """The unit's checksums of a gap: what of it lies in the fragments is here after all."""
        if self.state != "receiving" or not self.known:
            return
        for offset, data in self._missing.digest(digest):
            self._data(offset, data, now)

    def requests(self) -> list[bytes]:
        """Digest requests to send."""
        return self._missing.requests()

    def _eof(self, directive: EofPdu, now: float) -> None:
        condition = int(directive.condition_code)
        if self.cls == 2:
            active = self.state == "receiving"
            self._out.append(self._build.ack(DirectiveType.EOF_PDU, condition, 1 if active else 2))
        if self.state == "finished":
            self._finish_soon(now)
        if self.state == "closed":
            self.state = "finished"  # our last Finished or its ACK was lost
            self._finish_at = now
        if self.state != "receiving":
            return
        if condition:
            self._end_cancelled(condition)
            return
        size = directive.file_size
        if self.have.end > size or size > self._settings.largest_file or (self.known and size != self.size):
            self._fault(SIZE_ERROR, f"EOF says {size} bytes, expected {self.size}, {self.have.end} came")
            return
        first = self.eof is None
        self.eof = int.from_bytes(directive.file_checksum, "big"), size
        self.size = size
        if first:
            self._save()
        if self.cls == 2:
            self._missing.eof(size, now)
        self._check(now)

    def _prompt(self, directive: PromptPdu, now: float) -> None:
        if self.state == "closed":
            self.state = "finished"
        if self.state == "finished":
            self._finish_at = now
        elif self.state == "receiving":
            if directive.response_required == ResponseRequired.KEEP_ALIVE:
                self._out.append(self._build.keep_alive(self._missing.frontier))
            else:
                self._missing.prompted(now)

    # ---- class 1: repair packets ----

    def repair(
        self, size: int, checksum: int, length: int, generation: int, index: int, data: bytes, now: float
    ) -> None:
        """Blocks of a repair packet (see repair.py)."""
        if self.state != "receiving" or size > self._settings.largest_file or self.size not in (None, size):
            return
        if self.size is None:
            self.size = size
        if self.eof is None:
            self.eof = checksum, size
            self._save()
        self.last_at = now
        if self._blocks is None or self._blocks.length != length:
            self._blocks = Blocks(size, length)
        for i in range(len(data) // length):
            block = data[i * length : (i + 1) * length]
            if self._blocks.add(generation, index + i, block):
                self._store.keep_repair(self.id, generation, index + i, block)
        self._check(now)

    def _decode(self, now: float) -> None:
        assert self._blocks is not None
        for offset, data in self._blocks.solve(self.have, lambda a, n: self._store.read(self.id, a, n)):
            for a, b in self.have.missing(offset, offset + len(data)):
                piece = data[a - offset : b - offset]
                self._store.write(self.id, a, piece)
                self._emit(SegmentReceived(**self._who(), offset=a, data=piece))
            self.have.add(offset, offset + len(data))

    # ---- the end ----

    def _check(self, now: float) -> None:
        """Finishes when everything is there."""
        if self.state != "receiving" or self.eof is None or not (self.known or self.cls == 1):
            return
        checksum, size = self.eof
        if self.have.total != size and self._blocks is not None:
            self._decode(now)
        if self.have.total != size:
            return
        found = checksums.of_file(self.kind, lambda a, n: self._store.read(self.id, a, n), size)
        if found != checksum and self.kind != checksums.NULL:
            self._fault(CHECKSUM_FAILURE, f"checksum {found:08x}, the sender's is {checksum:08x}; all asked for again")
            self._store.reset(self.id)
            self._blocks = None
            self._missing.start_over(now, ask=self.cls == 2)
            return
        self.state = "finished" if self.cls == 2 else "closed"
        self._missing.stop()
        path = self._store.complete(self.id, size)
        self._save()
        if self.cls == 2:
            self._finish_at = now
        self._backoff = 1.0
        self._emit(Finished(**self._who(), size=size, path=path))

    def _finish_soon(self, now: float) -> None:
        """The sender has not heard our Finished: repeat it, at most every least time-out."""
        self._finish_at = min(self._finish_at, now + self._settings.least_rto)
        self._backoff = 1.0

    def _end_cancelled(self, condition: int) -> None:
        self.state, self.condition = "cancelled", condition
        self._missing.stop()
        self._finish_at = NEVER
        self._store.discard(self.id)
        self._save()
        self._emit(Cancelled(**self._who(), condition=condition))

    def _give_up(self, condition: int, text: str, now: float) -> None:
        self._fault(condition, text)
        self.cancel(now, condition)

    def cancel(self, now: float, condition: int = CANCEL) -> None:
        """By the operator of the receiving end: Finished with a condition code, until acknowledged."""
        self._end_cancelled(condition)
        if self.cls == 2:
            self.state = "finished"
            self._finish_at = now
            self._save()

    def _fault(self, condition: int, text: str) -> None:
        self._emit(Fault(**self._who(), condition=condition, text=text))

    def _who(self) -> dict[str, Any]:
        return {"transaction": self.id, "unit": self.unit, "direction": Direction.DOWN, "name": self.name}

    # ---- PDUs out ----

    def back(self, now: float) -> None:
        """The unit is heard after a silence: whatever was asked for then is asked for now."""
        self._backoff = 1.0
        if self.state == "finished":
            self._finish_at = now
        if self.state == "receiving" and self.cls == 2:
            self._missing.back()

    def deadline(self) -> float:
        if self.suspended:
            return NEVER
        if self._out:
            return 0.0
        return min(self._finish_at, self._missing.deadline())

    def poll(self, now: float) -> list[bytes]:
        out, self._out = self._out, []
        if self.suspended:
            return out
        if self.state == "finished":
            if now >= self._finish_at:
                out.append(self._build.finished(self.condition, self.condition == 0))
                self._finish_at = now + min(self._peer.rto * self._backoff, self._settings.most_wait)
                self._backoff *= 1.5
            return out
        if self.state == "receiving" and self.cls == 2:
            out += self._missing.poll(now)
        return out
