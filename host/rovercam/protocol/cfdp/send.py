"""One file being sent to a unit in class 2: the mirror of the firmware's sender."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from spacepackets.cfdp.pdu import AckPdu, DirectiveType, FinishedPdu, KeepAlivePdu, NakPdu

from . import checksum as checksums
from .events import Cancelled, Direction, Event, Finished, Progress, Resumed, Started, Suspended, TransactionId
from .pdus import DATA_OVERHEAD, Builder, Parsed
from .peer import Peer, Settings
from .ranges import Ranges
from .store import Snapshot, Store

NEVER = float("inf")


class Sender:
    """State: 'asking' (what does the unit have?), 'sending', 'waiting' (for Finished), 'cancelling', 'closed'."""

    def __init__(
        self,
        transaction: TransactionId,
        unit: int,
        store: Store,
        settings: Settings,
        peer: Peer,
        emit: Callable[[Event], None],
    ) -> None:
        self.id, self.unit = transaction, unit
        self.state = "sending"
        self.suspended = False
        self.name = self.source_name = ""
        self.size = 0
        self.kind = checksums.MODULAR
        self.priority = 1
        self.checksum = 0
        self.condition = 0
        self.at = 0
        self.sent_bytes = self.resent_bytes = 0
        self._store, self._settings, self._peer, self._emit = store, settings, peer, emit
        self._build = Builder(transaction.source, transaction.number, unit)
        self._metadata = True
        self._eof = self._prompt = False
        self._again: deque[tuple[int, int]] = deque()
        self._out: list[bytes] = []
        self._repeat_at = NEVER
        self._backoff = 1.0

    def begin(self, data: bytes, name: str, source_name: str, kind: int, priority: int) -> None:
        self.name, self.source_name, self.size, self.kind, self.priority = name, source_name, len(data), kind, priority
        self._store.save(self.id, self.record())
        self._store.source(self.id, data)
        self.checksum = checksums.of_file(kind, lambda a, n: data[a : a + n], len(data))
        self._store.save(self.id, self.record())
        self._emit(Started(**self._who(), size=self.size, source_name=source_name))

    def record(self) -> dict[str, Any]:
        return {
            "direction": "up", "unit": self.unit, "state": self.state, "name": self.name, "source": self.source_name,
            "size": self.size, "kind": self.kind, "checksum": self.checksum, "priority": self.priority,
            "suspended": self.suspended, "condition": self.condition,
        }  # fmt: skip

    def restore(self, snapshot: Snapshot, now: float) -> None:
        r = snapshot.record
        self.name, self.source_name, self.size, self.kind = r["name"], r["source"], r["size"], r["kind"]
        self.checksum, self.priority, self.suspended = r["checksum"], r["priority"], r["suspended"]
        self.condition = r["condition"]
        self.state = r["state"]
        if self.state in ("sending", "waiting"):
            self.state, self._metadata, self._prompt = "asking", False, True
        elif self.state == "cancelling":
            self._eof, self._metadata = True, False

    # ---- PDUs in ----

    def pdu(self, parsed: Parsed, now: float) -> None:
        directive = parsed.directive
        if isinstance(directive, FinishedPdu):
            condition = int(directive.condition_code)
            self._out.append(self._build.ack(DirectiveType.FINISHED_PDU, condition, 1))
            if self.state != "closed":
                self._close(condition)
        elif isinstance(directive, AckPdu):
            if self.state == "cancelling":
                self._close(self.condition)
            elif self.state == "waiting":
                self._backoff = max(self._backoff, 4.0)  # its Finished will come, or its NAKs
                self._later(now)
        elif isinstance(directive, KeepAlivePdu):
            self._reached(directive.progress)
        elif isinstance(directive, NakPdu):
            self._nak(directive, now)

    def _nak(self, directive: NakPdu, now: float) -> None:
        if self.state in ("closed", "cancelling"):
            return
        self._reached(directive.end_of_scope)
        for start, end in directive.segment_requests:
            if start == end == 0:
                self._metadata = True
                continue
            sent = self.size if self.state == "waiting" else self.at  # the rest comes anyway
            queued = Ranges(self._again)
            self._again.extend(queued.missing(start, min(end, sent)))
        if self.state == "waiting" and (directive.end_of_scope < self.size or not directive.segment_requests):
            self._eof = True  # the unit does not know it (any more)
            self._backoff = 1.0

    def _reached(self, progress: int) -> None:
        if self.state == "asking":
            self.state = "sending"
            self._repeat_at = NEVER
        if self.state == "sending":
            self.at = max(self.at, min(progress, self.size))
            self._emit(Progress(**self._who(), done=min(progress, self.size), size=self.size))

    def _close(self, condition: int) -> None:
        self.state, self.condition = "closed", condition
        self._again.clear()
        self._repeat_at = NEVER
        self._store.save(self.id, self.record())
        self._store.discard(self.id)
        if condition == 0:
            self._emit(Finished(**self._who(), size=self.size, path=None))
        else:
            self._emit(Cancelled(**self._who(), condition=condition))

    # ---- operator ----

    def suspend(self, on: bool) -> None:
        self.suspended = on
        self._store.save(self.id, self.record())
        self._emit((Suspended if on else Resumed)(**self._who()))

    def cancel(self, condition: int = 15) -> None:
        if self.state != "closed":
            self.state, self.condition, self.suspended = "cancelling", condition, False
            self._again.clear()
            self._metadata, self._eof = False, True
            self._backoff = 1.0
            self._store.save(self.id, self.record())

    def back(self, now: float) -> None:
        self._backoff = 1.0
        if self._repeat_at != NEVER:
            self._repeat_at = now

    # ---- PDUs out ----

    @property
    def wants_room(self) -> bool:
        """File data is ready to go."""
        if self.suspended or self.state not in ("sending", "waiting"):
            return False
        return bool(self._again) or (self.state == "sending")

    def deadline(self) -> float:
        if self._out:
            return 0.0
        if self.suspended or self.state == "closed":
            return NEVER
        if self._metadata or self._eof or self._prompt:
            return 0.0
        return self._repeat_at

    def poll(self, now: float, room: int) -> list[bytes]:
        """PDUs to send now; ``room`` bounds the bytes of file data."""
        out, self._out = self._out, []
        if self.suspended or self.state == "closed":
            return out
        if now >= self._repeat_at:
            self._repeat_at = NEVER
            if self.state == "asking":
                self._prompt = True
            else:
                self._eof = True
        if self._metadata:
            self._metadata = False
            out.append(self._build.metadata(self.source_name, self.name, self.size, self.kind))
        if self._prompt:
            self._prompt = False
            out.append(self._build.prompt())
            self._later(now)
        while self.state in ("sending", "waiting") and room > 0 and (piece := self._next()):
            start, end = piece
            data = self._store.read(self.id, start, end - start)
            out.append(self._build.data(start, data))
            room -= len(data)
            self.sent_bytes += len(data)
        if self.state == "sending" and self.at >= self.size and not self._again:
            self.state, self._eof, self._backoff = "waiting", True, 1.0
        if self._eof and not self._again:
            self._eof = False
            size = self.at if self.condition else self.size
            out.append(self._build.eof(self.checksum, size, self.condition))
            self._later(now)
        return out

    def _next(self) -> tuple[int, int] | None:
        """The next range of file data: repetitions first."""
        most = self._settings.pdu_limit - DATA_OVERHEAD
        if self._again:
            start, end = self._again.popleft()
            if end - start > most:
                self._again.appendleft((start + most, end))
                end = start + most
            elif not self._again and self.state == "waiting":
                self._eof = True  # ends the batch of repetitions
            self.resent_bytes += end - start
            return start, end
        if self.state == "sending" and self.at < self.size:
            start = self.at
            self.at = min(start + most, self.size)
            return start, self.at
        return None

    def _later(self, now: float) -> None:
        self._repeat_at = now + min(self._peer.rto * self._backoff, self._settings.most_wait)
        self._backoff *= 1.5

    def _who(self) -> dict[str, Any]:
        return {"transaction": self.id, "unit": self.unit, "direction": Direction.UP, "name": self.name}
