"""Recordings of a line: every byte of both directions with its time, appended, readable after a kill.

File: the 8 bytes of MAGIC, then records of direction (u8), POSIX time (f64), length (u32), all big-endian, and the
bytes. A last record that is cut short (a kill while writing) is ignored, and cut off when the file is appended to.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rovercam.line.errors import BadRecording, LineLost

MAGIC = b"RCREC01\n"
FROM_UNIT, TO_UNIT, NOTE = 0, 1, 2
_HEADER = struct.Struct(">BdI")
MAX_RECORD = 1 << 24


@dataclass(frozen=True, slots=True)
class Record:
    direction: int
    time: float
    data: bytes


class Recorder:
    """Appends to a recording; `clock` gives POSIX seconds (virtual ones in a simulation)."""

    def __init__(self, path: Path | str, *, clock: Callable[[], float] = time.time):
        self.path = Path(path)
        self.clock = clock
        whole = _whole_length(self.path) if self.path.exists() and self.path.stat().st_size else 0
        self._file = self.path.open("r+b" if whole else "wb", buffering=0)
        if whole:
            self._file.truncate(whole)
            self._file.seek(whole)
        else:
            self._file.write(MAGIC)

    def add(self, direction: int, data: bytes, at: float | None = None) -> None:
        """One write, so that a kill cuts at most this record."""
        if data:
            self._file.write(_HEADER.pack(direction, self.clock() if at is None else at, len(data)) + data)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def records(path: Path | str) -> Iterator[Record]:
    """Records of a recording; raises BadRecording when the file is something else."""
    with Path(path).open("rb") as file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            raise BadRecording(f"{path} is no recording: it begins with {magic!r}, expected {MAGIC!r}")
        while len(head := file.read(_HEADER.size)) == _HEADER.size:
            direction, at, length = _HEADER.unpack(head)
            if direction > NOTE or length > MAX_RECORD:
                raise BadRecording(f"{path}: a record of direction {direction} and {length} bytes at {file.tell()}")
            data = file.read(length)
            if len(data) < length:
                return
            yield Record(direction, at, data)


def _whole_length(path: Path) -> int:
    """Bytes up to the end of the last whole record."""
    return len(MAGIC) + sum(_HEADER.size + len(r.data) for r in records(path))


class Replay:
    """A recording as a line: gives what came from the unit at its pace times ``speed`` (0: at once), swallows writes."""

    def __init__(self, path: Path | str, *, speed: float = 1.0):
        self.url = str(path)
        self.speed = speed
        self._records: Iterator[Record] | None = None
        self._first: float | None = None
        self._began = 0.0

    async def open(self) -> None:
        """Raises BadRecording."""
        try:
            self._records = (r for r in records(self.url) if r.direction == FROM_UNIT)
        except OSError as error:
            raise BadRecording(f"{self.url} cannot be read: {error}") from error

    async def read(self) -> bytes:
        """Raises LineLost at the end of the recording."""
        assert self._records is not None, "open() first"
        record = next(self._records, None)
        if record is None:
            raise LineLost(f"{self.url}: end of the recording")
        loop = asyncio.get_running_loop()
        if self._first is None:
            self._first, self._began = record.time, loop.time()
        if self.speed:
            delay = self._began + (record.time - self._first) / self.speed - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
        else:
            await asyncio.sleep(0)
        return record.data

    async def write(self, data: bytes) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        self._records = None
