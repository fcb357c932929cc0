"""Telemetry as a table: one row per time, one column per parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam.archive import Series

SHOWN = 8


class Table:
    """times: (n,) datetime64[us], UTC, ascending. table["name"]: (n,) float64, NaN where that parameter has no sample."""

    def __init__(self, series: Sequence[Series], labels: Mapping[str, Mapping[int, str]]):
        """labels: names of an enumerated parameter's numbers."""
        self.units = {s.name: s.engineering_unit for s in series}
        self.labels = labels
        stamps = [np.round(s.times * 1e6).astype(np.int64) for s in series]
        merged = np.unique(np.concatenate(stamps)) if stamps else np.zeros(0, np.int64)
        self.times: NDArray[np.datetime64] = merged.astype("datetime64[us]")
        self._columns: dict[str, NDArray[np.float64]] = {}
        for s, at in zip(series, stamps, strict=True):
            column = np.full(len(merged), np.nan)
            column[np.searchsorted(merged, at)] = s.values
            self._columns[s.name] = column

    @property
    def names(self) -> list[str]:
        return list(self._columns)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Raises KeyError."""
        return self._columns[name]

    def text(self, name: str) -> list[str]:
        """An enumerated column in words."""
        labels = self.labels.get(name, {})
        return ["" if np.isnan(v) else labels.get(int(v), str(int(v))) for v in self[name]]

    def to_numpy(self) -> NDArray[Any]:
        """(n,) structured array: time, then the columns."""
        out = np.empty(len(self), [("time", "datetime64[us]"), *((n, "f8") for n in self.names)])
        out["time"] = self.times
        for name, column in self._columns.items():
            out[name] = column
        return out

    def to_pandas(self) -> Any:
        """A DataFrame with the times as its index. Needs pandas, which rovercam does not bring."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas; to_numpy() needs nothing") from error
        return pandas.DataFrame(self._columns, index=pandas.DatetimeIndex(self.times, name="time"))

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows: {', '.join(self.names)}>"

    def _repr_html_(self) -> str:
        heads = "".join(
            f"<th>{escape(n)}{f' [{escape(u)}]' if u else ''}</th>" for n, u in [("time", ""), *self.units.items()]
        )
        rows = []
        for k in range(max(0, len(self) - SHOWN), len(self)):
            cells = "".join(f"<td>{'' if np.isnan(c[k]) else f'{c[k]:.6g}'}</td>" for c in self._columns.values())
            rows.append(f"<tr><td>{self.times[k]}</td>{cells}</tr>")
        return f"<table><caption>{len(self)} rows, the newest</caption><tr>{heads}</tr>{''.join(rows)}</table>"
