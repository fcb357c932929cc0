"""The archive as the file transfer entity's store: what came survives the death of the station at any moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rovercam.archive import Archive
from rovercam.protocol.cfdp.events import TransactionId
from rovercam.protocol.cfdp.store import Record, Snapshot

KEPT = 256
"""Ended transfers that are still answered for after a restart."""


class ArchiveStore:
    """rovercam.protocol.cfdp's Store over the tables transfer, piece and repair.

    Writes become durable with the archive's next commit, which the station makes before it transmits anything.
    """

    def __init__(self, archive: Archive):
        self._archive = archive
        self._rows: dict[TransactionId, int] = {}
        self._filling: set[TransactionId] = set()
        self.now = 0.0
        """Set by the station before it calls the entity."""

    def row(self, transaction: TransactionId) -> int:
        """The archive's transfer of a transaction, made when there is none."""
        if transaction not in self._rows:
            self._rows[transaction] = self._archive.transfer(
                transaction.source, transaction.source, transaction.number, self.now
            )
        return self._rows[transaction]

    def _row_to_fill(self, transaction: TransactionId) -> int:
        """Like row(); a number that comes again long after its first file ended starts another row."""
        row = self.row(transaction)
        if transaction not in self._filling:
            (status,) = self._archive.db.execute("SELECT status FROM transfer WHERE id = ?", (row,)).fetchone()
            if status in ("finished", "cancelled"):
                self.forget(transaction)
                row = self.row(transaction)
            self._filling.add(transaction)
        return row

    def forget_cached(self) -> None:
        """After a rollback of the archive."""
        self._rows.clear()
        self._filling.clear()

    def load(self) -> list[Snapshot]:
        found = []
        db = self._archive.db
        for number, sender, transaction, state in db.execute(
            "SELECT id, sender, number, state FROM transfer WHERE live AND state != '' AND (status IN ('active', 'suspended')"
            " OR id > (SELECT max(id) FROM transfer) - ?) ORDER BY id",
            (KEPT,),
        ).fetchall():
            key = TransactionId(sender, transaction)
            self._rows[key] = number
            snapshot = Snapshot(key, json.loads(state))
            for offset, length in db.execute(
                "SELECT offset, length(data) FROM piece WHERE transfer = ? ORDER BY offset", (number,)
            ):
                snapshot.ranges.add(offset, offset + length)
            snapshot.repair = {
                (g, n): data
                for g, n, data in db.execute(
                    "SELECT generation, number, data FROM repair WHERE transfer = ?", (number,)
                )
            }
            found.append(snapshot)
        return found

    def save(self, transaction: TransactionId, record: Record) -> None:
        fields: dict[str, Any] = {"state": json.dumps(record)}
        for ours, theirs in (("unit", "unit"), ("name", "source"), ("target", "name"), ("size", "size")):
            if record.get(theirs) is not None:
                fields[ours] = record[theirs]
        self._archive.update_transfer(self.row(transaction), **fields)

    def write(self, transaction: TransactionId, offset: int, data: bytes) -> None:
        self._archive.add_piece(self._row_to_fill(transaction), offset, data)

    def read(self, transaction: TransactionId, offset: int, length: int) -> bytes:
        row = self.row(transaction)
        content = self._archive.content(row)
        return self._archive.read_piece(row, offset, length) if content is None else content[offset : offset + length]

    def keep_repair(self, transaction: TransactionId, generation: int, index: int, block: bytes) -> None:
        self._archive.begin()
        self._archive.db.execute(
            "INSERT OR IGNORE INTO repair VALUES (?,?,?,?)", (self.row(transaction), generation, index, block)
        )

    def reset(self, transaction: TransactionId) -> None:
        self.discard(transaction)

    def source(self, transaction: TransactionId, data: bytes) -> None:
        self._archive.begin()
        self._archive.db.execute("UPDATE transfer SET content = ? WHERE id = ?", (data, self.row(transaction)))

    def complete(self, transaction: TransactionId, size: int) -> Path | None:
        row = self._row_to_fill(transaction)
        self._filling.discard(transaction)
        # The entity still answers for the transaction until its end is acknowledged: its state stays.
        (state,) = self._archive.db.execute("SELECT state FROM transfer WHERE id = ?", (row,)).fetchone()
        self._archive.finish_transfer(row, self.now, self._archive.assemble(row)[:size].ljust(size, b"\0"))
        self._archive.update_transfer(row, state=state)
        self._archive.db.execute("DELETE FROM repair WHERE transfer = ?", (row,))
        return None

    def discard(self, transaction: TransactionId) -> None:
        self._archive.begin()
        for table in ("piece", "repair"):
            self._archive.db.execute(f"DELETE FROM {table} WHERE transfer = ?", (self.row(transaction),))

    def forget(self, transaction: TransactionId) -> None:
        """The entity is done with it; the file and its history stay in the archive."""
        row = self._rows.pop(transaction, None)
        self._filling.discard(transaction)
        if row is not None:
            self._archive.update_transfer(row, live=0, state="")

    def close(self) -> None:
        """The archive's owner closes it."""
