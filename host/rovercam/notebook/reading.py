"""An archive for reading, whether a station writes to it meanwhile or not."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam import places, times
from rovercam.archive import Archive
from rovercam.dictionary import find
from rovercam.notebook.table import Table
from rovercam.station.pictures import Rendered, render

When = float | str | datetime | None
FOREVER = 1e12


def seconds(when: When, default: float) -> float:
    """POSIX seconds of a number of them, a datetime (naive: UTC), or a text (see rovercam.times). Raises ValueError."""
    if when is None:
        return default
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if isinstance(when, str):
        return times.parse(when, clock.time())
    return float(when)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture as far as it has come. Shows itself in a notebook."""

    unit: int
    number: int
    """The unit's product number."""
    time: datetime
    complete: bool
    fields: Mapping[str, Any]
    """The catalogue entry: camera, codec, exposure, …"""
    _archive: Archive = field(repr=False)
    _row: int = field(repr=False)

    def _rendered(self) -> Rendered:
        return render(self._archive, self._row)

    @property
    def pixels(self) -> NDArray[Any]:
        """(height, width) or (height, width, 3), uint8 or uint16. Raises NoPicture when too little has come."""
        return self._rendered().pixels

    @property
    def confidence(self) -> NDArray[np.uint8]:
        """(height, width): 0 nothing, 1 thumbnail, 2 base quality, 3 refined, 4 exact."""
        return self._rendered().confidence

    def save(self, path: str | Path) -> Path:
        """As PNG."""
        path = Path(path)
        path.write_bytes(self._rendered().png())
        return path

    def _repr_png_(self) -> bytes:
        return self._rendered().png()


class Reader:
    """Telemetry, pictures, events and commands of an archive; a context manager. unit may be left away when there is one."""

    def __init__(self, archive: Archive):
        self.archive = archive

    def close(self) -> None:
        self.archive.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def units(self) -> list[int]:
        return self.archive.units()

    def _unit(self, unit: int | None) -> int:
        if unit is not None:
            return unit
        found = self.units
        if len(found) != 1:
            raise ValueError(f"units in the archive: {found or 'none'}; say unit=N")
        return found[0]

    def parameters(self, unit: int | None = None) -> list[str]:
        """Names that there are samples of."""
        return self.archive.parameter_names(self._unit(unit))

    def telemetry(
        self, *names: str, start: When = None, end: When = None, unit: int | None = None, size: int | None = None
    ) -> Table:
        """Samples with start ≤ time < end. size: at most so many of each, extremes kept; None: all.

        Raises UnknownName, ValueError.
        """
        number = self._unit(unit)
        dictionary = self.archive.dictionary
        begin, until = seconds(start, 0.0), seconds(end, FOREVER)
        known = set(self.archive.parameter_names(number))
        for name in names:
            if name not in known:
                find(dictionary.parameters, name, "parameter")
        strategy = "all" if size is None else "minmax"
        found = [
            self.archive.history(number, n, begin, until, strategy=strategy, size=size or 1)
            for n in names or sorted(known)
        ]
        labels = {}
        for name in names or sorted(known):
            parameter = dictionary.parameters.get(name)
            if parameter is not None and parameter.type in dictionary.enums:
                labels[name] = {v: k for k, v in dictionary.enums[parameter.type].items()}
        return Table(found, labels)

    def pictures(self, unit: int | None = None, start: When = None, end: When = None) -> list[Picture]:
        """Oldest first; those of which only the name has come are left out."""
        begin, until = seconds(start, 0.0), seconds(end, FOREVER)
        found = []
        for row in self.archive.products(unit=unit, kind="picture", limit=1 << 30):
            if not row["fields"]:
                continue
            known = row["fields"]["time_status"] == "synchronised"
            at = row["fields"]["seconds"] + row["fields"]["fraction"] if known else row["began"]
            if begin <= at < until:
                found.append(
                    Picture(
                        unit=row["unit"],
                        number=row["number"],
                        time=datetime.fromtimestamp(at, UTC),
                        complete=row["state"] == "down",
                        fields=row["fields"],
                        _archive=self.archive,
                        _row=row["id"],
                    )
                )
        return found

    def picture(self, number: int, unit: int | None = None) -> Picture:
        """The newest of this product number. Raises KeyError."""
        found = [p for p in self.pictures(unit) if p.number == number]
        if not found:
            raise KeyError(f"no picture {number}; there are {sorted({p.number for p in self.pictures(unit)})}")
        return found[-1]

    def events(
        self, start: When = None, end: When = None, unit: int | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The newest ones, oldest first."""
        return self.archive.events(seconds(start, 0.0), seconds(end, FOREVER), unit=unit, limit=limit)

    def commands(
        self, start: When = None, end: When = None, unit: int | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The newest ones with their verification stages, oldest first."""
        return self.archive.commands(seconds(start, 0.0), seconds(end, FOREVER), unit=unit, limit=limit)


def open(path: str | Path | None = None) -> Reader:
    """The archive at ``path``, or this computer's own. Raises NotAnArchive."""
    return Reader(Archive(path if path is not None else places.home() / "archive.db", readonly=True))
