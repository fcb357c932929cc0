"""What a CFDP entity reports, and its errors."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class CfdpError(Exception):
    """Base of all errors of this package."""


class PduError(CfdpError):
    """Peer's fault: bytes that are no PDU of 727.0-B-5, or one this entity does not take."""


class RequestError(CfdpError):
    """Caller's fault: unknown transaction, file that is not there, value out of range."""


class TransactionId(NamedTuple):
    """source: entity id of the sender; number: its transaction sequence number."""

    source: int
    number: int

    def __str__(self) -> str:
        return f"{self.source}-{self.number}"


class Direction(enum.StrEnum):
    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """unit: the other end; name: destination file name, empty while the metadata has not come."""

    transaction: TransactionId
    unit: int
    direction: Direction
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    size: int
    source_name: str
    run: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReceived(Event):
    """New bytes of a file, in the order they came; bytes that came before are not reported again."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """done: bytes held (down) or bytes the unit is known to have (up); size: None until known."""

    done: int
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """Delivered, checksum right. path: where the store keeps a received file."""

    size: int
    path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    condition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Event):
    """Something went wrong and was dealt with; the transaction goes on unless Cancelled follows."""

    condition: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    pass
