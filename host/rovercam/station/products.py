"""Which transfers make which product: catalogue entry /p/NNNN.m first, then layers /p/NNNN.0, .1, …

A unit numbers its products from 1 again when its flash was erased, and a product may be sent twice. The catalogue
entry decides: what it says of time, boot and shape identifies a product.
"""

from __future__ import annotations

import re
from typing import Any

from rovercam.archive import Archive
from rovercam.dictionary import Dictionary, DictionaryError, Field, decode_fields
from rovercam.station.updates import PictureChanged

NAME = re.compile(r"^/p/(\d{4})\.(m|\d+)$")
IDENTITY = ("seconds", "fraction", "boot_count", "width", "height", "camera", "codec")
ENTRY = -1
"""Layer number of the catalogue entry."""
LEAST_INTERVAL = 0.2
"""Seconds between two updates about one product."""


def part_of(name: str) -> tuple[int, int] | None:
    """(product, layer) of a file's name on the unit; None when it belongs to no product."""
    match = NAME.match(name)
    if not match:
        return None
    return int(match[1]), ENTRY if match[2] == "m" else int(match[2])


class Products:
    def __init__(self, archive: Archive, dictionary: Dictionary):
        self._archive = archive
        self._dictionary = dictionary
        self._fields = next(
            tuple(Field(**f) for f in r["fields"]) for r in dictionary.raw["record"] if r["name"] == "product"
        )
        self._rows: dict[int, tuple[int, int]] = {}
        self._told: dict[int, float] = {}

    def forget_cached(self) -> None:
        self._rows.clear()

    def decode_entry(self, data: bytes) -> dict[str, Any]:
        """A catalogue entry's fields; raises DictionaryError."""
        return decode_fields(self._fields, data, self._dictionary)

    def row_of(self, unit: int, name: str, transfer: int, now: float) -> tuple[int, int] | None:
        """(product row, layer) that a transfer belongs to; None when it belongs to no product."""
        part = part_of(name)
        if part is None:
            return None
        if transfer not in self._rows:
            number, layer = part
            known = self._archive.db.execute(
                "SELECT product FROM layer WHERE transfer = ? ORDER BY product DESC LIMIT 1", (transfer,)
            ).fetchone()
            row = int(known[0]) if known else self._place(unit, number, layer, transfer, now)
            self._rows[transfer] = (row, layer)
        return self._rows[transfer]

    def _place(self, unit: int, number: int, layer: int, transfer: int, now: float) -> int:
        """A new transfer: an entry begins another product unless one waits for its entry; layers follow the last entry."""
        newest = self._archive.find_product(unit, number)
        row = None
        if layer != ENTRY:
            found = self._archive.db.execute(
                "SELECT product FROM layer JOIN product ON product.id = layer.product WHERE unit = ? AND number = ?"
                " AND layer = ? ORDER BY transfer DESC LIMIT 1",
                (unit, number, ENTRY),
            ).fetchone()
            row = int(found[0]) if found else None
        if row is None:
            row = self._archive.product(unit, number, now, new=newest is None or bool(newest["fields"]))
        self._archive.add_layer(row, layer, transfer)
        return row

    def entry_arrived(self, unit: int, transfer: int, data: bytes, now: float) -> str | None:
        """A whole catalogue entry; returns what is wrong with it, if anything."""
        try:
            fields = self.decode_entry(data)
        except DictionaryError as error:
            return f"catalogue entry: {error}"
        row, _ = self._rows[transfer]
        row = self._settle(unit, row, transfer, fields)
        self._archive.update_product(
            row,
            now,
            kind=fields["kind"],
            width=fields["width"],
            height=fields["height"],
            depth=fields["depth"],
            channels=3 if fields["format"] == "color" else 1,
            fields=fields,
        )
        return None

    def _settle(self, unit: int, row: int, transfer: int, fields: dict[str, Any]) -> int:
        """The product that these fields describe: one that is here already takes this transfer and those after it."""
        identity = tuple(fields[k] for k in IDENTITY)
        same = next(
            (
                p["id"]
                for p in reversed(self._archive.products(unit=unit))
                if p["number"] == fields["product"] and tuple(p["fields"].get(k) for k in IDENTITY) == identity
            ),
            row,
        )
        if same != row:
            db = self._archive.db
            db.execute(
                "UPDATE OR REPLACE layer SET product = ? WHERE product = ? AND transfer >= ?", (same, row, transfer)
            )
            db.execute(
                "DELETE FROM product WHERE id = ? AND id NOT IN (SELECT product FROM layer) AND fields = '{}'", (row,)
            )
            self._rows.clear()
        return same

    def changed(self, row: int, now: float, *, at_once: bool = False) -> PictureChanged | None:
        """The product as it stands, at most every LEAST_INTERVAL unless ``at_once``."""
        if not at_once and now - self._told.get(row, -1e9) < LEAST_INTERVAL:
            return None
        self._told[row] = now
        (product,) = self._archive._rows("SELECT * FROM product WHERE id = ?", (row,))
        layers = [la for la in self._archive.layers(row) if la["layer"] != ENTRY]
        fields = self._archive.product_fields(row)
        count = fields.get("layers")
        done = count is not None and sum(la["status"] == "finished" for la in layers) >= count
        if done and product["state"] != "down":
            self._archive.update_product(row, now, state="down")
        return PictureChanged(
            time=now,
            product=row,
            unit=product["unit"],
            number=product["number"],
            state="down" if done else "partly_down",
            received=sum(la["received"] for la in layers),
            size=fields.get("size"),
            layers=tuple((la["layer"], la["received"], la["size"]) for la in layers),
            fields=fields,
        )
