"""Files to and from Yamcs's own CFDP: each unit's entity, played by the station, which has the file already. Sans-IO.

A file that came down whole is sent on as from the unit, class 2; a file that Yamcs sends to a unit is taken, and then
sent up. So Yamcs and the station never answer the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable

from rovercam.protocol.cfdp import Entity, Event, Finished, MemoryStore, Settings
from rovercam.protocol.pus import TIME_LENGTH, build_report

HEADER_SERVICE, HEADER_SUBTYPE = 0, 0
"""Of the report header in front of each PDU towards Yamcs, which tells when the PDU was made."""
PDU_LIMIT = 1000
FIXED_HEADER = 4
MOST_HELD = 1 << 16


class PduStream:
    """Cuts PDUs, which carry their lengths, out of a byte stream (727.0-B 5.1)."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Raises ValueError when the stream cannot be one of PDUs."""
        self._held += data
        found = []
        while len(self._held) >= FIXED_HEADER:
            head = self._held
            if head[0] >> 5 > 1:
                raise ValueError(f"CFDP version {head[0] >> 5}: not a stream of PDUs")
            entity, number = (head[3] >> 4 & 7) + 1, (head[3] & 7) + 1
            length = FIXED_HEADER + 2 * entity + number + int.from_bytes(head[1:3], "big")
            if length > MOST_HELD:
                raise ValueError(f"a PDU of {length} bytes; at most {MOST_HELD} are taken")
            if len(head) < length:
                break
            found.append(head[:length])
            self._held = head[length:]
        return found


class Files:
    """take(unit, name, data): called with each file that Yamcs sent to a unit."""

    def __init__(self, ground: int, take: Callable[[int, str, bytes], None], apid: Callable[[int], int]):
        """ground: entity id of Yamcs; apid: a unit's file APID."""
        self._ground = ground
        self._take = take
        self._apid = apid
        self._entities: dict[int, tuple[Entity, MemoryStore]] = {}
        self._count = 0

    def _entity(self, unit: int, now: float) -> tuple[Entity, MemoryStore]:
        if unit not in self._entities:
            store = MemoryStore()
            # Yamcs remembers transactions over our restarts: numbers go on with the clock instead of from 1.
            made = Entity(unit, store, now, Settings(pdu_limit=PDU_LIMIT), last_number=int(now / 4) % 0xFFFF)
            self._entities[unit] = made, store
        return self._entities[unit]

    def send(self, unit: int, name: str, data: bytes, now: float) -> None:
        """A whole file of a unit."""
        self._entity(unit, now)[0].put(self._ground, data, name)

    def pdu_in(self, pdu: bytes, now: float) -> None:
        """One PDU from Yamcs, for the unit that it names."""
        unit = self._unit_of(pdu)
        entity, store = self._entity(unit, now)
        self._events(unit, store, entity.pdu_in(self._ground, pdu, now), entity)

    def _unit_of(self, pdu: bytes) -> int:
        """The entity that is not the ground: the destination towards the receiver, the source back to the sender."""
        size = (pdu[3] >> 4 & 7) + 1
        number = (pdu[3] & 7) + 1
        source = int.from_bytes(pdu[4 : 4 + size], "big")
        target = int.from_bytes(pdu[4 + size + number : 4 + 2 * size + number], "big")
        return target if source == self._ground else source

    def _events(self, unit: int, store: MemoryStore, events: list[Event], entity: Entity) -> None:
        for event in events:
            if isinstance(event, Finished) and event.transaction.source == self._ground:
                self._take(unit, event.name, store.read(event.transaction, 0, event.size))

    def poll(self, now: float, room: int) -> list[bytes]:
        """Packets for Yamcs: PDUs behind a report header with the time. room: bytes of file data that may go now."""
        out = []
        for unit, (entity, store) in self._entities.items():
            for _, pdu in entity.poll(now, room):
                self._count = (self._count + 1) & 0x3FFF
                out.append(
                    build_report(
                        self._apid(unit), self._count, HEADER_SERVICE, HEADER_SUBTYPE, pdu, time=now, synchronised=True
                    )
                )
            self._events(unit, store, entity.events(), entity)
        return out

    def deadline(self) -> float | None:
        return min((d for e, _ in self._entities.values() if (d := e.deadline()) is not None), default=None)

    def wants_room(self) -> bool:
        return any(e.wants_room(self._ground) for e, _ in self._entities.values())


PDU_OFFSET = 6 + 7 + TIME_LENGTH
"""Bytes in front of the PDU in a packet to Yamcs."""
