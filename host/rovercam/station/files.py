"""Events of the file transfer entity to archive rows, products and updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rovercam.archive import Archive
from rovercam.dictionary import Dictionary
from rovercam.protocol import cfdp
from rovercam.station.products import ENTRY, Products
from rovercam.station.transfers import ArchiveStore
from rovercam.station.updates import Notice, TransferChanged, Update

LEAST_INTERVAL = 0.1
"""Seconds between two progress updates of one file."""


class FileService:
    def __init__(
        self,
        archive: Archive,
        entity: cfdp.Entity,
        store: ArchiveStore,
        dictionary: Dictionary,
        tell: Callable[[Update], None],
        arrived: Callable[[int, str, int, float], None],
    ):
        """arrived: called with unit, name, transfer and time when a unit's file is here."""
        self._archive = archive
        self._entity = entity
        self._store = store
        self._tell = tell
        self._arrived = arrived
        self.products = Products(archive, dictionary)
        self._told: dict[cfdp.TransactionId, float] = {}

    def forget_cached(self) -> None:
        self.products.forget_cached()

    def on_events(self, events: Iterable[cfdp.Event], now: float) -> None:
        for event in events:
            if isinstance(event, cfdp.SegmentReceived):
                continue  # the store has the bytes; Progress follows
            if isinstance(event, cfdp.Progress):
                if now - self._told.get(event.transaction, -1e9) >= LEAST_INTERVAL:
                    self._changed(event, "active", event.done, event.size, now)
            elif isinstance(event, cfdp.Started):
                self._archive.update_transfer(
                    self._store.row(event.transaction),
                    unit=event.unit,
                    name=event.source_name,
                    target=event.name,
                    size=event.size,
                )
                self._changed(event, "active", None, event.size, now)
            elif isinstance(event, cfdp.Finished):
                self._finished(event, now)
            elif isinstance(event, cfdp.Cancelled):
                self._archive.end_transfer(self._store.row(event.transaction), now, "cancelled")
                self._changed(event, "cancelled", None, None, now, f"condition {event.condition}")
            elif isinstance(event, cfdp.Fault):
                text = f"transfer {event.transaction} {event.name}: {event.text}"
                self._tell(Notice(time=now, unit=event.unit, severity="low", text=text))
            elif isinstance(event, (cfdp.Suspended, cfdp.Resumed)):
                status = "suspended" if isinstance(event, cfdp.Suspended) else "active"
                self._archive.update_transfer(self._store.row(event.transaction), status=status)
                self._changed(event, status, None, None, now)

    def _finished(self, event: cfdp.Finished, now: float) -> None:
        row = self._store.row(event.transaction)
        self._archive.update_transfer(row, status="finished", finished=now, received=event.size, size=event.size)
        if event.direction == cfdp.Direction.DOWN:
            part = self.products.row_of(event.unit, event.name, row, now)
            if part is not None and part[1] == ENTRY:
                problem = self.products.entry_arrived(event.unit, row, self._archive.content(row) or b"", now)
                if problem:
                    self._tell(Notice(time=now, unit=event.unit, severity="medium", text=f"{event.name}: {problem}"))
        self._changed(event, "finished", event.size, event.size, now)
        self._told.pop(event.transaction, None)
        if event.direction == cfdp.Direction.DOWN:
            self._arrived(event.unit, event.name, row, now)

    def _changed(
        self, event: cfdp.Event, status: str, received: int | None, size: int | None, now: float, text: str = ""
    ) -> None:
        row = self._store.row(event.transaction)
        self._told[event.transaction] = now
        if received is not None and status == "active":
            self._archive.update_transfer(row, received=received)
        if received is None or size is None:
            (known, total) = self._archive.db.execute(
                "SELECT received, size FROM transfer WHERE id = ?", (row,)
            ).fetchone()
            received = known if received is None else received
            size = total if size is None else size
        self._tell(
            TransferChanged(
                time=now,
                transfer=row,
                unit=event.unit,
                number=event.transaction.number,
                direction=event.direction.value,
                name=event.name,
                received=received or 0,
                size=size,
                status=status,
                text=text,
            )
        )
        if event.direction == cfdp.Direction.DOWN and event.name:
            part = self.products.row_of(event.unit, event.name, row, now)
            if part is not None:
                changed = self.products.changed(part[0], now, at_once=status != "active")
                if changed is not None:
                    self._tell(changed)
