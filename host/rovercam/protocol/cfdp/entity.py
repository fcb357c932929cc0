"""The CFDP entity of the ground: sans-IO, any number of units, class 1 and 2 down, class 2 up.

PDUs go in without their space packet headers, PDUs come out of poll(); time is passed in. What must survive a killed
process goes to the store before an event reports it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from spacepackets.cfdp.pdu import DirectiveType, FinishedPdu

from ..events import Fragment
from . import checksum as checksums
from . import pdus, repair, salvage
from .events import Direction, Event, PduError, RequestError, Resumed, Suspended, TransactionId
from .peer import Pace, Peer, Settings
from .receive import Receiver
from .send import Sender
from .store import Snapshot, Store

NEVER = float("inf")
OPEN = 64  # files coming from one unit at a time; a unit sends 16 at most, more are bytes that passed a check by chance
KEPT = 256  # ended transactions remembered in either direction, to answer late PDUs


@dataclass(slots=True)
class Counters:
    pdus_in: int = 0
    pdus_bad: int = 0
    pdus_foreign: int = 0  # for another entity, or of a transaction this end does not know
    pdus_out: int = 0
    bytes_duplicate: int = 0


class Entity:
    """store: where transactions live. Everything it holds is taken up again, as of ``now``."""

    def __init__(
        self,
        entity_id: int,
        store: Store,
        now: float = 0.0,
        settings: Settings | None = None,
        *,
        last_number: int = 0,
    ) -> None:
        """last_number: of the newest transaction before these, for stores that forget them."""
        self.id = entity_id
        self.settings = settings or Settings()
        self.counters = Counters()
        self._store = store
        self._peers: dict[int, Peer] = {}
        self._fragments: dict[int, Sequence[Fragment]] = {}
        self._receivers: dict[TransactionId, Receiver] = {}
        self._senders: dict[TransactionId, Sender] = {}
        self._events: deque[Event] = deque()
        self._replies: list[tuple[int, bytes]] = []
        self._paces: dict[int, Pace] = {}
        self._number = last_number % 0x10000
        for snapshot in store.load():
            self._restore(snapshot, now)

    def _restore(self, snapshot: Snapshot, now: float) -> None:
        transaction = snapshot.transaction
        if snapshot.record.get("direction") == "up":
            self._number = max(self._number, transaction.number)
            sender = self._new_sender(transaction, int(snapshot.record["unit"]))
            sender.restore(snapshot, now)
        elif snapshot.record.get("direction") == "down":
            receiver = self._new_receiver(transaction, int(snapshot.record["cls"]))
            receiver.restore(snapshot, now)

    # ---- in ----

    def pdu_in(self, unit: int, pdu: bytes, now: float) -> list[Event]:
        """A PDU from a unit; what it led to. Bad PDUs are counted, never raised."""
        self.counters.pdus_in += 1
        try:
            self._dispatch(unit, pdus.parse(pdu), now)
        except PduError:
            self.counters.pdus_bad += 1
        self.heard(unit, now)
        return self.events()

    def repair_in(self, unit: int, data: bytes, now: float) -> list[Event]:
        """The data field of a packet of the repair APID: erasure repair (class 1) or a digest (class 2, see salvage.py)."""
        self.counters.pdus_in += 1
        try:
            if data and not data[0]:
                digest = salvage.parse(data)
                receiver = self._receivers.get(TransactionId(unit, digest.number))
                if receiver is not None:
                    receiver.digest(digest, now)
                return self.events()
            packet = repair.parse(data)
        except PduError:
            self.counters.pdus_bad += 1
            return self.events()
        if packet.source != unit:
            self.counters.pdus_foreign += 1
            return self.events()
        receiver = self._receiver(TransactionId(packet.source, packet.number), 1)
        receiver.repair(packet.size, packet.checksum, packet.length, packet.generation, packet.first, packet.data, now)
        return self.events()

    def heard(self, unit: int, now: float) -> None:
        """A valid frame came from this unit. After a silence everything open is asked for at once."""
        if self._peer(unit).heard(now):
            for machine in self.transactions():
                if machine.unit == unit:
                    machine.back(now)

    def round_trip(self, unit: int, seconds: float) -> None:
        """A round trip measured elsewhere (COP-1): better than the default before the first loss."""
        self._peer(unit).told = seconds

    def fragments(self, unit: int, fragments: Sequence[Fragment]) -> None:
        """What came of the frames lost right before the PDUs that pdu_in gets next. Of an empty list, too."""
        self._fragments[unit] = fragments

    def events(self) -> list[Event]:
        """Events not yet handed out (poll and the operator's calls make some too)."""
        out = list(self._events)
        self._events.clear()
        return out

    def _dispatch(self, unit: int, parsed: pdus.Parsed, now: float) -> None:
        transaction = TransactionId(parsed.source, parsed.number)
        if parsed.towards_sender:
            sender = self._senders.get(transaction)
            if sender is not None and sender.unit == unit:
                sender.pdu(parsed, now)
            elif parsed.source == self.id and isinstance(parsed.directive, FinishedPdu):
                # ended long ago: the unit must not repeat it forever
                build = pdus.Builder(self.id, parsed.number, unit, parsed.cls)
                condition = int(parsed.directive.condition_code)
                self._replies.append((unit, build.ack(DirectiveType.FINISHED_PDU, condition, 3)))
            else:
                self.counters.pdus_foreign += 1
            return
        if parsed.source != unit or parsed.dest != self.id:
            self.counters.pdus_foreign += 1
            return
        known = self._receivers.get(transaction)
        if known is None and parsed.directive is not None:
            code = parsed.directive.directive_type
            if code == DirectiveType.ACK_PDU:
                return
            if code == DirectiveType.EOF_PDU and int(parsed.directive.condition_code):  # type: ignore[union-attr]
                build = pdus.Builder(parsed.source, parsed.number, self.id, parsed.cls)
                condition = int(parsed.directive.condition_code)  # type: ignore[union-attr]
                self._replies.append((unit, build.ack(DirectiveType.EOF_PDU, condition, 3)))
                return
        if known is not None and known.is_other(parsed):
            self._forget(known)
        receiver = self._receiver(transaction, parsed.cls)
        before = receiver.duplicates
        receiver.pdu(parsed, now, self._fragments.get(unit, ()))
        self.counters.bytes_duplicate += receiver.duplicates - before

    # ---- out ----

    def poll(self, now: float, room: int | None = None) -> list[tuple[int, bytes]]:
        """(unit, PDU) to send now. room: bytes of file data the uplink can take now, for each unit."""
        out, self._replies = self._replies, []
        for receiver in list(self._receivers.values()):
            out += [(receiver.unit, pdu) for pdu in receiver.poll(now)]
        left: dict[int, int] = {}
        for sender in sorted(self._senders.values(), key=lambda s: (s.priority, s.id)):
            pace = self._paces.setdefault(sender.unit, Pace(self.settings))
            limit = left.get(sender.unit, pace.room(now) if room is None else min(room, pace.room(now)))
            before = sender.sent_bytes
            out += [(sender.unit, pdu) for pdu in sender.poll(now, limit)]
            left[sender.unit] = limit - (sender.sent_bytes - before)
            pace.spend(sender.sent_bytes - before, now)
        self.counters.pdus_out += len(out)
        return out

    def requests(self) -> list[tuple[int, bytes]]:
        """(unit, digest request) to send now on the repair APID; to be asked for after poll()."""
        return [(r.unit, request) for r in self._receivers.values() for request in r.requests()]

    def deadline(self) -> float | None:
        """When poll is needed next without input; now or earlier: at once. File data waits for room, and its pace."""
        first = 0.0 if self._replies else min((m.deadline() for m in self.transactions()), default=NEVER)
        if self.settings.data_rate < NEVER:
            for unit, pace in self._paces.items():
                if self.wants_room(unit):
                    first = min(first, pace.ready_at)
        return None if first == NEVER else first

    def wants_room(self, unit: int) -> bool:
        """File data for this unit is ready: call poll when the uplink has room."""
        return any(s.unit == unit and s.wants_room for s in self._senders.values())

    # ---- operator ----

    def put(
        self,
        unit: int,
        data: bytes,
        dest_name: str,
        *,
        source_name: str = "",
        checksum: int = checksums.MODULAR,
        priority: int = 1,
    ) -> TransactionId:
        """Starts sending ``data`` to a unit's file ``dest_name``. Raises RequestError."""
        if not 0 < len(dest_name.encode()) < 128:
            raise RequestError(f"destination name of {len(dest_name.encode())} bytes, 1 to 127 allowed")
        if checksum not in checksums.KNOWN:
            raise RequestError(f"checksum type {checksum}, known are {checksums.KNOWN}")
        self._number = self._number % 0xFFFF + 1
        transaction = TransactionId(self.id, self._number)
        if (old := self._senders.pop(transaction, None)) is not None:
            if old.state != "closed":
                self._senders[transaction] = old
                raise RequestError(f"transaction {transaction} is still going after 65535 others")
            self._store.forget(transaction)
        self._drop_ended()
        sender = self._new_sender(transaction, unit)
        sender.begin(data, dest_name, source_name or dest_name, checksum, priority)
        return transaction

    def suspend(self, transaction: TransactionId) -> None:
        self._suspend(transaction, True)

    def resume(self, transaction: TransactionId) -> None:
        self._suspend(transaction, False)

    def _suspend(self, transaction: TransactionId, on: bool) -> None:
        machine = self._machine(transaction)
        if isinstance(machine, Sender):
            machine.suspend(on)
            return
        machine.suspended = on
        self._store.save(transaction, machine.record())
        kind = Suspended if on else Resumed
        self._emit(kind(transaction=transaction, unit=machine.unit, direction=Direction.DOWN, name=machine.name))

    def cancel(self, transaction: TransactionId, now: float) -> None:
        machine = self._machine(transaction)
        if isinstance(machine, Sender):
            machine.cancel()
        elif machine.state == "receiving":
            machine.cancel(now)

    def prompt(self, transaction: TransactionId, now: float) -> None:
        """Makes the other end of an outgoing file say what it misses."""
        machine = self._machine(transaction)
        if isinstance(machine, Sender):
            machine._prompt = True
        else:
            machine.back(now)

    def transactions(self) -> list[Receiver | Sender]:
        """All known ones, ended ones included; for display."""
        return [*self._receivers.values(), *self._senders.values()]

    # ---- transactions ----

    def _machine(self, transaction: TransactionId) -> Receiver | Sender:
        machine = self._receivers.get(transaction) or self._senders.get(transaction)
        if machine is None:
            raise RequestError(f"no transaction {transaction}")
        return machine

    def _receiver(self, transaction: TransactionId, cls: int) -> Receiver:
        found = self._receivers.get(transaction)
        if found is None:
            self._drop_ended()
            self._drop_open(transaction.source)
            found = self._new_receiver(transaction, cls)
        return found

    def _new_receiver(self, transaction: TransactionId, cls: int) -> Receiver:
        peer = self._peer(transaction.source)
        receiver = Receiver(transaction, self.id, cls, self._store, self.settings, peer, self._emit)
        self._receivers[transaction] = receiver
        return receiver

    def _new_sender(self, transaction: TransactionId, unit: int) -> Sender:
        sender = Sender(transaction, unit, self._store, self.settings, self._peer(unit), self._emit)
        self._senders[transaction] = sender
        return sender

    def _drop_ended(self) -> None:
        ended = [r for r in self._receivers.values() if r.state in ("closed", "cancelled")]
        for receiver in ended[: max(0, len(ended) - KEPT)]:
            self._forget(receiver)
        sent = [s for s in self._senders.values() if s.state == "closed"]
        for sender in sent[: max(0, len(sent) - KEPT)]:
            del self._senders[sender.id]
            self._store.forget(sender.id)

    def _drop_open(self, unit: int) -> None:
        """Room for one more file of this unit: the one that was silent longest goes, one without metadata first."""
        going = [r for r in self._receivers.values() if r.unit == unit and r.state in ("receiving", "finished")]
        if len(going) >= OPEN:
            self._forget(min(going, key=lambda r: (r.known, r.last_at)))

    def _forget(self, receiver: Receiver) -> None:
        del self._receivers[receiver.id]
        self._store.forget(receiver.id)

    def _peer(self, unit: int) -> Peer:
        return self._peers.setdefault(unit, Peer(self.settings))

    def _emit(self, event: Event) -> None:
        self._events.append(event)
