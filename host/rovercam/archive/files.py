"""Files on their way (piece by piece, so that a killed station goes on where it was) and arrived; products and layers.

Pieces are committed before anything is acknowledged to the unit. A finished file's pieces become one content.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any


class Files:
    """Mixed into Archive."""

    db: sqlite3.Connection

    def begin(self) -> None:
        raise NotImplementedError

    def _insert(self, sql: str, values: Sequence[Any]) -> int:
        raise NotImplementedError

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------ transfers
    def transfer(self, unit: int, sender: int, number: int, time: float) -> int:
        """Row of the live transfer with this CFDP transaction id, made when there is none."""
        row = self.db.execute(
            "SELECT id FROM transfer WHERE sender = ? AND number = ? AND live",
            (sender, number),
        ).fetchone()
        if row:
            return int(row[0])
        return self._insert(
            "INSERT INTO transfer (unit, sender, number, began) VALUES (?,?,?,?)", (unit, sender, number, time)
        )

    def update_transfer(self, transfer: int, **fields: Any) -> None:
        """unit, name, target, live, size, received, status, finished, checksum, state."""
        allowed = {"unit", "name", "target", "size", "received", "status", "finished", "checksum", "state", "live"}
        if not fields.keys() <= allowed:
            raise ValueError(f"a transfer has no {fields.keys() - allowed}")
        self.begin()
        self.db.execute(
            f"UPDATE transfer SET {', '.join(f'{k} = ?' for k in fields)} WHERE id = ?", (*fields.values(), transfer)
        )

    def add_piece(self, transfer: int, offset: int, data: bytes) -> None:
        """Bytes at an offset; the same piece again changes nothing."""
        self.begin()
        self.db.execute("INSERT OR IGNORE INTO piece VALUES (?,?,?)", (transfer, offset, data))

    def pieces(self, transfer: int) -> list[tuple[int, bytes]]:
        """(offset, data) by offset; a finished file is one piece."""
        row = self.db.execute("SELECT content FROM transfer WHERE id = ?", (transfer,)).fetchone()
        if row and row[0] is not None:
            return [(0, row[0])]
        return self.db.execute(
            "SELECT offset, data FROM piece WHERE transfer = ? ORDER BY offset", (transfer,)
        ).fetchall()

    def read_piece(self, transfer: int, offset: int, length: int) -> bytes:
        """Bytes of a file as far as they are there; gaps read as zeros."""
        out = bytearray(length)
        for at, data in self.db.execute(
            "SELECT offset, data FROM piece WHERE transfer = ? AND offset >= ? AND offset < ? ORDER BY offset",
            (transfer, offset - 65536, offset + length),
        ):
            low, high = max(at, offset), min(at + len(data), offset + length)
            if low < high:
                out[low - offset : high - offset] = data[low - at : high - at]
        return bytes(out)

    def finish_transfer(
        self, transfer: int, time: float, content: bytes | None = None, checksum: int | None = None
    ) -> bytes:
        """The file is complete: its pieces become its content, which is returned."""
        self.begin()
        if content is None:
            content = self.assemble(transfer)
        self.db.execute(
            "UPDATE transfer SET status = 'finished', finished = ?, content = ?, size = ?, received = ?, checksum = ?,"
            " state = '' WHERE id = ?",
            (time, content, len(content), len(content), checksum, transfer),
        )
        self.db.execute("DELETE FROM piece WHERE transfer = ?", (transfer,))
        return content

    def assemble(self, transfer: int) -> bytes:
        """What is there, gaps as zeros."""
        pieces = self.pieces(transfer)
        out = bytearray(max((o + len(d) for o, d in pieces), default=0))
        for offset, data in pieces:
            out[offset : offset + len(data)] = data
        return bytes(out)

    def end_transfer(self, transfer: int, time: float, status: str) -> None:
        """Cancelled or abandoned; what came stays."""
        self.update_transfer(transfer, status=status, finished=time)

    def transfers(
        self, *, unit: int | None = None, status: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """Newest last; without contents."""
        rows = self._rows(
            "SELECT id, unit, sender, number, began, name, target, size, received, status, finished, checksum, state"
            " FROM transfer WHERE (? IS NULL OR unit = ?) AND (? IS NULL OR status = ?) ORDER BY id DESC LIMIT ?",
            (unit, unit, status, status, limit),
        )
        return rows[::-1]

    def content(self, transfer: int) -> bytes | None:
        """A finished file, or None."""
        row = self.db.execute("SELECT content FROM transfer WHERE id = ?", (transfer,)).fetchone()
        return None if row is None else row[0]

    # -------------------------------------------------------------------------------------------------------- products
    def product(self, unit: int, number: int, time: float, *, kind: str = "picture", new: bool = False) -> int:
        """Row of the newest product of this number, made when there is none (a unit's numbers start again when its
        flash is erased, hence ``new``)."""
        row = self.db.execute(
            "SELECT id FROM product WHERE unit = ? AND number = ? ORDER BY id DESC LIMIT 1", (unit, number)
        ).fetchone()
        if row and not new:
            return int(row[0])
        return self._insert(
            "INSERT INTO product (unit, number, kind, began, updated, state) VALUES (?,?,?,?,?,'partly_down')",
            (unit, number, kind, time, time),
        )

    def update_product(self, product: int, time: float, **fields: Any) -> None:
        """state, width, height, depth, channels; fields: a dict that is merged into the stored one."""
        self.begin()
        extra = fields.pop("fields", None)
        if extra:
            (old,) = self.db.execute("SELECT fields FROM product WHERE id = ?", (product,)).fetchone()
            fields["fields"] = json.dumps({**json.loads(old), **extra}, default=str)
        assignments = ", ".join(f"{k} = ?" for k in ("updated", *fields))
        self.db.execute(f"UPDATE product SET {assignments} WHERE id = ?", (time, *fields.values(), product))

    def add_layer(self, product: int, layer: int, transfer: int) -> None:
        self.begin()
        self.db.execute("INSERT OR IGNORE INTO layer VALUES (?,?,?)", (product, layer, transfer))

    def layers(self, product: int) -> list[dict[str, Any]]:
        """The newest whole transfer of each layer, else the newest: layer, transfer, name, size, received, status."""
        rows = self._rows(
            "SELECT layer.layer, transfer.id AS transfer, transfer.name, transfer.size, transfer.received, transfer.status,"
            " max((transfer.status = 'finished') << 40 | transfer.id) AS newest"
            " FROM layer JOIN transfer ON transfer.id = layer.transfer WHERE layer.product = ?"
            " GROUP BY layer.layer ORDER BY layer.layer",
            (product,),
        )
        for row in rows:
            del row["newest"]  # chose the row, says nothing
        return rows

    def products(self, *, unit: int | None = None, kind: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Newest last, with their layers."""
        rows = self._rows(
            "SELECT * FROM product WHERE (? IS NULL OR unit = ?) AND (? IS NULL OR kind = ?) ORDER BY id DESC LIMIT ?",
            (unit, unit, kind, kind, limit),
        )
        for row in rows:
            row["fields"] = json.loads(row["fields"])
            row["layers"] = self.layers(row["id"])
        return rows[::-1]

    def find_product(self, unit: int, number: int) -> dict[str, Any] | None:
        rows = self._rows(
            "SELECT * FROM product WHERE unit = ? AND number = ? ORDER BY id DESC LIMIT 1", (unit, number)
        )
        if not rows:
            return None
        rows[0]["fields"] = json.loads(rows[0]["fields"])
        rows[0]["layers"] = self.layers(rows[0]["id"])
        return rows[0]

    def product_fields(self, product: int) -> dict[str, Any]:
        """The catalogue entry as received; empty while it has not come."""
        row = self.db.execute("SELECT fields FROM product WHERE id = ?", (product,)).fetchone()
        return json.loads(row[0]) if row else {}

    def slots(self, product: int, split: Callable[[bytes, int], list[bytes]]) -> list[tuple[int, bytes]]:
        """(layer, slot) of every whole slot of every layer that is there, coarse layers first; a slot may have come in
        several pieces. split: the slots in bytes that stand at this offset of a layer's file."""
        found = []
        for row in self.layers(product):
            joined: list[tuple[int, bytearray]] = []
            for offset, data in self.pieces(row["transfer"]):
                start, held = joined[-1] if joined else (0, bytearray())
                if joined and offset <= start + len(held):
                    held += data[start + len(held) - offset :]
                else:
                    joined.append((offset, bytearray(data)))
            for start, held in joined:
                found += [(row["layer"], slot) for slot in split(bytes(held), start)]
        return found
