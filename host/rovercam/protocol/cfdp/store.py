"""Where transactions live between processes. `Store` is the interface; `FileStore` keeps it in a folder.

What a store has been given must survive the death of the process at any moment: data first, then the note of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .events import TransactionId
from .ranges import Ranges

Record = dict[str, Any]  # JSON values only


@dataclass(slots=True)
class Snapshot:
    """A transaction as the store found it. repair: (generation, index) → block of class 1."""

    transaction: TransactionId
    record: Record
    ranges: Ranges = field(default_factory=Ranges)
    repair: dict[tuple[int, int], bytes] = field(default_factory=dict)


class Store(Protocol):
    def load(self) -> list[Snapshot]:
        """Everything kept, finished transactions included (without ranges)."""

    def save(self, transaction: TransactionId, record: Record) -> None:
        """Creates or replaces the record."""

    def write(self, transaction: TransactionId, offset: int, data: bytes) -> None:
        """Keeps received bytes and the fact that they came."""

    def read(self, transaction: TransactionId, offset: int, length: int) -> bytes:
        """Bytes of the received or outgoing file."""

    def keep_repair(self, transaction: TransactionId, generation: int, index: int, block: bytes) -> None: ...

    def reset(self, transaction: TransactionId) -> None:
        """Forgets all received bytes (checksum failure)."""

    def source(self, transaction: TransactionId, data: bytes) -> None:
        """Keeps the bytes of an outgoing file."""

    def complete(self, transaction: TransactionId, size: int) -> Path | None:
        """The file is whole: makes it durable, drops journals; where it is (None: not in a file)."""

    def discard(self, transaction: TransactionId) -> None:
        """Drops the bytes, not the record."""

    def forget(self, transaction: TransactionId) -> None:
        """Drops everything; of an ended transaction long after its Finished, which is when its bytes are to be taken."""


class FileStore:
    """One folder per transaction: record.json, data (sparse), journal (one "offset length" a line), repair.

    Writes go straight to the system, so that a killed process loses nothing; complete() also syncs to the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[TransactionId, tuple[int, int]] = {}  # data, journal
        folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> list[Snapshot]:
        found = []
        for path in sorted(self._folder.iterdir()):
            source, _, number = path.name.partition("-")
            if not (source.isdigit() and number.isdigit()):
                continue
            try:
                record = json.loads((path / "record.json").read_text())
            except (OSError, ValueError):
                continue  # killed before the record was there: nothing is known that the sender will not say again
            snapshot = Snapshot(TransactionId(int(source), int(number)), record)
            _read_journal(path / "journal", snapshot.ranges)
            _read_repair(path / "repair", snapshot.repair)
            found.append(snapshot)
        return found

    def save(self, transaction: TransactionId, record: Record) -> None:
        path = self._path(transaction)
        path.mkdir(exist_ok=True)
        new = path / "record.new"
        new.write_text(json.dumps(record))
        new.replace(path / "record.json")

    def write(self, transaction: TransactionId, offset: int, data: bytes) -> None:
        file, journal = self._handles(transaction)
        os.pwrite(file, data, offset)
        os.write(journal, b"%d %d\n" % (offset, len(data)))

    def read(self, transaction: TransactionId, offset: int, length: int) -> bytes:
        return os.pread(self._handles(transaction)[0], length, offset)

    def keep_repair(self, transaction: TransactionId, generation: int, index: int, block: bytes) -> None:
        with (self._path(transaction) / "repair").open("ab") as file:
            file.write(bytes([generation, index]) + len(block).to_bytes(2, "big") + block)

    def reset(self, transaction: TransactionId) -> None:
        os.ftruncate(self._handles(transaction)[1], 0)

    def source(self, transaction: TransactionId, data: bytes) -> None:
        (self._path(transaction) / "data").write_bytes(data)

    def complete(self, transaction: TransactionId, size: int) -> Path | None:
        file, _ = self._handles(transaction)
        os.ftruncate(file, size)
        os.fsync(file)
        self._close(transaction)
        path = self._path(transaction)
        for name in ("journal", "repair"):
            (path / name).unlink(missing_ok=True)
        return path / "data"

    def discard(self, transaction: TransactionId) -> None:
        self._close(transaction)
        for name in ("journal", "repair", "data"):
            (self._path(transaction) / name).unlink(missing_ok=True)

    def forget(self, transaction: TransactionId) -> None:
        self._close(transaction)
        shutil.rmtree(self._path(transaction), ignore_errors=True)

    def close(self) -> None:
        for transaction in list(self._open):
            self._close(transaction)

    def _path(self, transaction: TransactionId) -> Path:
        return self._folder / str(transaction)

    def _handles(self, transaction: TransactionId) -> tuple[int, int]:
        if transaction not in self._open:
            path = self._path(transaction)
            path.mkdir(exist_ok=True)
            binary = getattr(os, "O_BINARY", 0)
            data = os.open(path / "data", os.O_RDWR | os.O_CREAT | binary)
            self._open[transaction] = data, os.open(path / "journal", os.O_RDWR | os.O_CREAT | os.O_APPEND | binary)
        return self._open[transaction]

    def _close(self, transaction: TransactionId) -> None:
        for handle in self._open.pop(transaction, ()):
            with contextlib.suppress(OSError):
                os.close(handle)


def _read_journal(path: Path, ranges: Ranges) -> None:
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:  # what follows the last line end was cut off by a kill
        offset, length = line.split()
        ranges.add(int(offset), int(offset) + int(length))


def _read_repair(path: Path, repair: dict[tuple[int, int], bytes]) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    at = 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        block = data[at + 4 : at + 4 + length]
        if len(block) == length:
            repair[data[at], data[at + 1]] = block
        at += 4 + length


class MemoryStore:
    """Keeps everything in memory: for tests and for sessions that need no resumption."""

    def __init__(self) -> None:
        self._kept: dict[TransactionId, tuple[Snapshot, bytearray]] = {}

    def load(self) -> list[Snapshot]:
        return [
            Snapshot(s.transaction, dict(s.record), Ranges(s.ranges), dict(s.repair)) for s, _ in self._kept.values()
        ]

    def save(self, transaction: TransactionId, record: Record) -> None:
        self._get(transaction)[0].record = json.loads(json.dumps(record))

    def write(self, transaction: TransactionId, offset: int, data: bytes) -> None:
        snapshot, kept = self._get(transaction)
        end = offset + len(data)
        if len(kept) < end:
            kept.extend(bytes(end - len(kept)))
        kept[offset:end] = data
        snapshot.ranges.add(offset, end)

    def read(self, transaction: TransactionId, offset: int, length: int) -> bytes:
        return bytes(self._get(transaction)[1][offset : offset + length])

    def keep_repair(self, transaction: TransactionId, generation: int, index: int, block: bytes) -> None:
        self._get(transaction)[0].repair[generation, index] = block

    def reset(self, transaction: TransactionId) -> None:
        self._get(transaction)[0].ranges = Ranges()

    def source(self, transaction: TransactionId, data: bytes) -> None:
        self._get(transaction)[1][:] = data

    def complete(self, transaction: TransactionId, size: int) -> Path | None:
        snapshot, kept = self._get(transaction)
        del kept[size:]
        snapshot.ranges = Ranges()
        snapshot.repair.clear()
        return None

    def discard(self, transaction: TransactionId) -> None:
        snapshot, kept = self._get(transaction)
        kept.clear()
        snapshot.ranges = Ranges()
        snapshot.repair.clear()

    def forget(self, transaction: TransactionId) -> None:
        self._kept.pop(transaction, None)

    def close(self) -> None:
        """Nothing to close."""

    def _get(self, transaction: TransactionId) -> tuple[Snapshot, bytearray]:
        if transaction not in self._kept:
            self._kept[transaction] = Snapshot(transaction, {}), bytearray()
        return self._kept[transaction]
