"""Packets of one source to columns of samples: what the archive folds into blocks, and decodes for the newest ones.

Raw numbers as the packet carries them; calibration is applied when a question is answered.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam.dictionary import Dictionary, Parameter
from rovercam.dictionary.fields import BASE_TYPES, base_type

NUMPY_TYPES = {
    "u8": "u1",
    "bool": "u1",
    "u16": ">u2",
    "u32": ">u4",
    "i8": "i1",
    "i16": ">i2",
    "i32": ">i4",
    "f32": ">f4",
}
HOUSEKEEPING = 3 << 8 | 25
VALUES = 20 << 8 | 2
GROUND = 0 << 8 | 1
"""Samples the station made itself (link quality); the packet is JSON, {name: number}."""

Row = tuple[float, bytes, int]
"""(time in seconds, packet, where its source data start)"""


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that share their times: whole microseconds, ascending."""

    times: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]


def carries_samples(source: int) -> bool:
    return source >> 8 & 0xFFFF in (HOUSEKEEPING, VALUES, GROUND)


def structure_dtype(parameters: Sequence[Parameter], dictionary: Dictionary) -> np.dtype[Any]:
    """One housekeeping packet's values after the structure id."""
    return np.dtype(
        [(f"f{i}", NUMPY_TYPES[base_type(p.type, dictionary.enums) or ""]) for i, p in enumerate(parameters)]
    )


def _microseconds(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.round(np.array([r[0] for r in rows]) * 1e6).astype(np.int64)


def fold_structure(rows: Sequence[Row], parameters: Sequence[Parameter], dictionary: Dictionary) -> list[Group]:
    """Housekeeping (3.25) packets; those of another length (another dictionary's) are left out."""
    dtype = structure_dtype(parameters, dictionary)
    fitting = [r for r in rows if len(r[1]) - r[2] - 1 == dtype.itemsize]
    if not fitting:
        return []
    times = _microseconds(fitting)
    table = np.frombuffer(b"".join(r[1][r[2] + 1 :] for r in fitting), dtype)
    if np.any(np.diff(times) < 0):
        order = np.argsort(times, kind="stable")
        times, table = times[order], table[order]
    return [Group(times, {p.name: table[f"f{i}"] for i, p in enumerate(parameters)})]


def fold_values(rows: Sequence[Row], dictionary: Dictionary) -> list[Group]:
    """Parameter value reports (20.2): any parameters in any packet."""
    found: dict[str, list[tuple[float, float]]] = {}
    kinds: dict[str, str] = {}
    for time, data, start in rows:
        at = start
        while at + 2 <= len(data):
            parameter = dictionary.parameter_by_id(data[at] << 8 | data[at + 1])
            if parameter is None:
                break
            base = base_type(parameter.type, dictionary.enums) or ""
            code = ">" + BASE_TYPES[base]
            if at + 2 + struct.calcsize(code) > len(data):
                break
            found.setdefault(parameter.name, []).append((time, struct.unpack_from(code, data, at + 2)[0]))
            kinds[parameter.name] = NUMPY_TYPES[base]
            at += 2 + struct.calcsize(code)
    return [_single(name, samples, kinds[name]) for name, samples in found.items()]


def fold_ground(rows: Sequence[Row]) -> list[Group]:
    """The station's own samples."""
    found: dict[str, list[tuple[float, float]]] = {}
    for time, data, at in rows:
        for name, value in json.loads(data[at:]).items():
            found.setdefault(name, []).append((time, value))
    return [_single(name, samples, "f8") for name, samples in found.items()]


def _single(name: str, samples: list[tuple[float, float]], kind: str) -> Group:
    samples.sort(key=lambda s: s[0])
    times = np.round(np.array([s[0] for s in samples]) * 1e6).astype(np.int64)
    return Group(times, {name: np.array([s[1] for s in samples], kind)})
