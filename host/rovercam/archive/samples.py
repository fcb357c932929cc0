"""The parameter store: packets folded by the thousand into columns, answers by time.

A sample is stored once as the packet it came in, and once in a column. Folding is one transaction with the mark up to
which a source is folded, so a kill at any moment leaves either the packets or the block in charge, never both. Packets
after the mark are decoded when a question comes: at most BLOCK of each source.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam.archive import columns
from rovercam.archive.blocks import BLOCK, pack_times, pack_values, unpack_times, unpack_values
from rovercam.archive.columns import Group, Row
from rovercam.archive.errors import UnknownSeries
from rovercam.dictionary import Dictionary, Parameter

_FOREVER = 1e12


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one parameter, ascending in time."""

    name: str
    unit: int
    times: NDArray[np.float64]
    """POSIX seconds."""
    values: NDArray[np.float64]
    """Engineering values; enumerations as numbers."""
    engineering_unit: str = ""

    def __len__(self) -> int:
        return len(self.times)


class Samples:
    """Mixed into Archive."""

    db: sqlite3.Connection
    dictionary: Dictionary

    def __init__(self) -> None:
        super().__init__()
        self.forget_cached()

    def begin(self) -> None:
        raise NotImplementedError

    def forget_cached(self) -> None:
        """After a rollback: what we believe about the file may not be so."""
        self._pending: dict[int, int] = {}
        self._series_ids: dict[tuple[int, str], int] = {}
        self._structure_cache: dict[tuple[int, int], list[tuple[float, tuple[Parameter, ...]]]] = {}

    # ------------------------------------------------------------------------------------------------------ writing
    def add_ground_samples(self, time: float, unit: int, values: dict[str, float]) -> None:
        """Samples of the station about a unit's link, queried like the unit's own parameters."""
        source = unit << 24 | columns.GROUND << 8
        self.begin()
        self.db.execute(
            "INSERT INTO packet (time, received, unit, apid, sequence, source, body, data) VALUES (?,?,?,-1,0,?,0,?)",
            (time, time, unit, source, json.dumps(values).encode()),
        )
        self._packet_added(source)

    def set_structure(self, unit: int, number: int, since: float, names: Sequence[str]) -> None:
        """A housekeeping structure is another from now on; packets so far are folded as they were."""
        self.begin()
        self.fold(unit << 24 | columns.HOUSEKEEPING << 8 | number)
        self.db.execute(
            "INSERT OR REPLACE INTO structure VALUES (?,?,?,?)", (unit, number, since, json.dumps(list(names)))
        )
        self._structure_cache.pop((unit, number), None)

    def _packet_added(self, source: int) -> None:
        pending = self._pending.get(source)
        if pending is None:
            self.db.execute("INSERT OR IGNORE INTO source VALUES (?, 0)", (source,))
            (pending,) = self.db.execute(
                "SELECT count(*) FROM packet WHERE source = ?1 AND id > (SELECT folded FROM source WHERE source = ?1)",
                (source,),
            ).fetchone()
        else:
            pending += 1
        if pending >= BLOCK and columns.carries_samples(source):
            self.fold(source)
            pending = 0
        self._pending[source] = pending

    def fold(self, source: int) -> int:
        """Fold the packets after the mark into blocks; returns how many samples that were."""
        self.begin()
        folded = 0
        while True:
            found = self.db.execute(
                "SELECT id, time, data, body FROM packet WHERE source = ?1 AND id > "
                "coalesce((SELECT folded FROM source WHERE source = ?1), 0) ORDER BY id LIMIT ?2",
                (source, BLOCK),
            ).fetchall()
            if not found:
                return folded
            for group in self._decode(source, [(r[1], r[2], r[3]) for r in found]):
                folded += self._write_block(source, group, found[0][0], found[-1][0])
            self.db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (source, found[-1][0]))
            self._pending[source] = 0

    def fold_all(self) -> int:
        return sum(
            self.fold(s)
            for (s,) in self.db.execute("SELECT source FROM source").fetchall()
            if columns.carries_samples(s)
        )

    def _decode(self, source: int, rows: Sequence[Row]) -> list[Group]:
        kind = source >> 8 & 0xFFFF
        if kind == columns.VALUES:
            return columns.fold_values(rows, self.dictionary)
        if kind == columns.GROUND:
            return columns.fold_ground(rows)
        if kind != columns.HOUSEKEEPING:
            return []
        versions = self._structures(source >> 24, source & 0xFF)
        groups = []
        for i, (since, parameters) in enumerate(versions):
            until = versions[i + 1][0] if i + 1 < len(versions) else _FOREVER
            part = rows if len(versions) == 1 else [r for r in rows if since <= r[0] < until]
            groups += columns.fold_structure(part, parameters, self.dictionary)
        return groups

    def _structures(self, unit: int, number: int) -> list[tuple[float, tuple[Parameter, ...]]]:
        """(since, parameters) of every version of a structure, oldest first; the dictionary's own counts from 0."""
        key = (unit, number)
        if key not in self._structure_cache:
            versions: list[tuple[float, tuple[Parameter, ...]]] = []
            if number in self.dictionary.structures:
                versions.append((0.0, self.dictionary.structures[number].parameters))
            for since, names in self.db.execute(
                "SELECT since, parameters FROM structure WHERE unit = ? AND id = ? ORDER BY since", key
            ):
                known = [self.dictionary.parameters.get(n) for n in json.loads(names)]
                versions.append((since, tuple(p for p in known if p is not None) if None not in known else ()))
            self._structure_cache[key] = versions
        return self._structure_cache[key]

    def _write_block(self, source: int, group: Group, packet_first: int, packet_last: int) -> int:
        n = len(group.times)
        t0, t1 = int(group.times[0]), int(group.times[-1])
        block = self.db.execute(
            "INSERT INTO block (source, first, last, n, packet_first, packet_last, times) VALUES (?,?,?,?,?,?,?)",
            (source, t0, t1, n, packet_first, packet_last, pack_times(group.times)),
        ).lastrowid
        for name, values in group.columns.items():
            data = self.db.execute("INSERT INTO samples (kind, data) VALUES (?, ?)", pack_values(values)).lastrowid
            lo, hi = self._extremes(values)
            self.db.execute(
                "INSERT INTO span VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    self._series_id(source >> 24, name, make=True),
                    t1,
                    block,
                    t0,
                    n,
                    values[lo].item(),
                    values[hi].item(),
                    int(group.times[lo]),
                    int(group.times[hi]),
                    data,
                ),
            )
        return n * len(group.columns)

    @staticmethod
    def _extremes(values: NDArray[Any]) -> tuple[int, int]:
        if values.dtype.kind == "f" and np.isnan(values).all():
            return 0, 0
        return (
            (int(np.nanargmin(values)), int(np.nanargmax(values)))
            if values.dtype.kind == "f"
            else (
                int(values.argmin()),
                int(values.argmax()),
            )
        )

    def _series_id(self, unit: int, name: str, make: bool = False) -> int | None:
        key = (unit, name)
        if key not in self._series_ids:
            row = self.db.execute("SELECT id FROM series WHERE unit = ? AND name = ?", key).fetchone()
            if row is None:
                if not make:
                    return None
                row = (self.db.execute("INSERT INTO series (unit, name) VALUES (?, ?)", key).lastrowid,)
            self._series_ids[key] = row[0]
        return self._series_ids[key]

    # ------------------------------------------------------------------------------------------------------ questions
    def parameter_names(self, unit: int) -> list[str]:
        """Parameters of a unit that there are samples of, the station's own included."""
        names = {row[0] for row in self.db.execute("SELECT name FROM series WHERE unit = ?", (unit,))}
        for source in self._sources(unit):
            for group in self._tail(source, newest_only=True):
                names.update(group.columns)
        return sorted(names)

    def history(
        self,
        unit: int,
        name: str,
        start: float = 0.0,
        end: float = _FOREVER,
        *,
        strategy: str = "all",
        size: int = 1000,
    ) -> Series:
        """Samples with start ≤ time < end (POSIX seconds).

        strategy "all": every one; "latest": the newest ``size``; "minmax": at most ``size`` samples, the smallest and the
        largest of each of size/2 equal spans of time (all when there are not more). Raises UnknownSeries, ValueError.
        """
        t0, t1 = int(start * 1e6), int(min(end, _FOREVER) * 1e6)
        if strategy == "all":
            times, raw = self._raw(unit, name, t0, t1)
        elif strategy == "latest":
            times, raw = self._latest(unit, name, t0, t1, size)
        elif strategy == "minmax":
            times, raw = self._minmax(unit, name, t0, t1, max(size, 2))
        else:
            raise ValueError(f"strategy {strategy!r}: allowed are all, latest and minmax")
        parameter = self.dictionary.parameters.get(name)
        scale, offset = (parameter.scale, parameter.offset) if parameter else (1.0, 0.0)
        if not len(times) and parameter is None and self._series_id(unit, name) is None:
            raise UnknownSeries(
                f"unit {unit} has no parameter {name!r} in this archive; see `rovercam telemetry --list`"
            )
        return Series(name, unit, times / 1e6, raw * scale + offset, parameter.unit if parameter else "")

    def latest_values(self, unit: int) -> dict[str, tuple[float, float]]:
        """Newest sample of every parameter: name → (time, engineering value)."""
        newest: dict[str, tuple[float, float]] = {}
        for (name,) in self.db.execute("SELECT name FROM series WHERE unit = ?", (unit,)).fetchall():
            series = self.history(unit, name, strategy="latest", size=1)
            if len(series):
                newest[name] = (float(series.times[0]), float(series.values[0]))
        for source in self._sources(unit):
            for group in self._tail(source):
                for name, values in group.columns.items():
                    at = float(group.times[-1]) / 1e6
                    if name not in newest or newest[name][0] <= at:
                        p = self.dictionary.parameters.get(name)
                        newest[name] = (at, float(values[-1]) * (p.scale if p else 1) + (p.offset if p else 0))
        return newest

    def _sources(self, unit: int) -> list[int]:
        found = self.db.execute(
            "SELECT source FROM source WHERE source >= ? AND source < ?", (unit << 24, unit + 1 << 24)
        )
        return [s for (s,) in found.fetchall() if columns.carries_samples(s)]

    def _tail(self, source: int, name: str | None = None, newest_only: bool = False) -> list[Group]:
        """Samples of packets that are not folded yet; nothing when the source cannot carry ``name``."""
        if name is not None and source >> 8 & 0xFFFF == columns.HOUSEKEEPING:
            versions = self._structures(source >> 24, source & 0xFF)
            if not any(p.name == name for _, parameters in versions for p in parameters):
                return []
        rows = self.db.execute(
            "SELECT time, data, body FROM packet WHERE source = ?1 AND id > (SELECT folded FROM source WHERE source = ?1)"
            + (" ORDER BY id DESC LIMIT 1" if newest_only else " ORDER BY id"),
            (source,),
        ).fetchall()
        return self._decode(source, rows)

    def _tails(self, unit: int, name: str) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        return [
            (g.times, g.columns[name].astype(np.float64))
            for source in self._sources(unit)
            for g in self._tail(source, name)
            if name in g.columns
        ]

    def _block(self, block: int, data: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        times, n = self.db.execute("SELECT times, n FROM block WHERE id = ?", (block,)).fetchone()
        kind, blob = self.db.execute("SELECT kind, data FROM samples WHERE id = ?", (data,)).fetchone()
        return unpack_times(times, n), unpack_values(kind, blob, n).astype(np.float64)

    def _raw(self, unit: int, name: str, t0: int, t1: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        parts = self._tails(unit, name)
        spans = self.db.execute(
            "SELECT block, data FROM span WHERE series = ? AND t1 >= ? AND t0 < ? ORDER BY t1",
            (self._series_id(unit, name), t0, t1),
        ).fetchall()
        return _joined([self._block(*s) for s in spans] + parts, t0, t1)

    def _latest(
        self, unit: int, name: str, t0: int, t1: int, size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        times, values = _joined(self._tails(unit, name), t0, t1)
        for block, data, last in self.db.execute(
            "SELECT block, data, t1 FROM span WHERE series = ? AND t1 >= ? AND t0 < ? ORDER BY t1 DESC",
            (self._series_id(unit, name), t0, t1),
        ):
            if len(times) >= size and times[-size] >= last:
                break
            times, values = _joined([self._block(block, data), (times, values)], t0, t1)
        return times[-size:], values[-size:]

    def _minmax(
        self, unit: int, name: str, t0: int, t1: int, size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        parts = self._tails(unit, name)
        # Microseconds stay exact in float64 until the year 2255.
        table = np.array(
            self.db.execute(
                "SELECT t0, t1, n, block, data, t_lo, t_hi, lo, hi FROM span WHERE series = ? AND t1 >= ? AND t0 < ? ORDER BY t1",
                (self._series_id(unit, name), t0, t1),
            ).fetchall(),
            np.float64,
        ).reshape(-1, 9)
        spans = table[:, :7].astype(np.int64)
        firsts = [int(spans[:, 0].min())] if len(spans) else []
        lasts = [int(spans[:, 1].max())] if len(spans) else []
        firsts += [int(p[0][0]) for p in parts]
        lasts += [int(p[0][-1]) for p in parts]
        if not firsts:
            return np.empty(0, np.int64), np.empty(0)
        # Bins divide the asked time, cut to where there are samples.
        low, high = max(t0, min(firsts)), min(t1, max(lasts) + 1)
        if int(spans[:, 2].sum()) + sum(len(p[0]) for p in parts) <= size:
            return self._raw(unit, name, t0, t1)
        width = max(1, -(-(high - low) // (size // 2)))
        inside = (
            (spans[:, 0] >= low) & (spans[:, 1] < high) & ((spans[:, 0] - low) // width == (spans[:, 1] - low) // width)
        )
        parts += [(spans[inside, 5], table[inside, 7]), (spans[inside, 6], table[inside, 8])]
        parts += [self._block(int(s[3]), int(s[4])) for s in spans[~inside]]
        times, values = _joined(parts, low, high)
        return _thin(times, values, low, width)


def _joined(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], t0: int, t1: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One ascending series of what lies in [t0, t1)."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0)
    times = np.concatenate([p[0] for p in parts])
    values = np.concatenate([p[1] for p in parts])
    keep = (times >= t0) & (times < t1)
    if not keep.all():
        times, values = times[keep], values[keep]
    if np.any(np.diff(times) < 0):
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    return times, values


def _thin(
    times: NDArray[np.int64], values: NDArray[np.float64], low: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The smallest and the largest sample of each bin of ``width`` microseconds."""
    known = ~np.isnan(values)
    if not known.all():
        times, values = times[known], values[known]
    if not len(times):
        return times, values
    bins = (times - low) // width
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    counts = np.diff(np.append(starts, len(bins)))
    keep = np.zeros(len(times), bool)
    for reduce in (np.minimum, np.maximum):
        hit = np.flatnonzero(values == np.repeat(reduce.reduceat(values, starts), counts))
        keep[hit[np.unique(bins[hit], return_index=True)[1]]] = True
    return times[keep], values[keep]
