"""File transfer, CCSDS 727.0-B-5, on the ground: Entity takes and gives PDUs, Store keeps what must survive."""

from .entity import Counters, Entity
from .events import (
    Cancelled,
    CfdpError,
    Direction,
    Event,
    Fault,
    Finished,
    PduError,
    Progress,
    RequestError,
    Resumed,
    SegmentReceived,
    Started,
    Suspended,
    TransactionId,
)
from .peer import Settings
from .repair import RepairUnavailable
from .store import FileStore, MemoryStore, Snapshot, Store

__all__ = [
    "Cancelled",
    "CfdpError",
    "Counters",
    "Direction",
    "Entity",
    "Event",
    "Fault",
    "FileStore",
    "Finished",
    "MemoryStore",
    "PduError",
    "Progress",
    "RepairUnavailable",
    "RequestError",
    "Resumed",
    "SegmentReceived",
    "Settings",
    "Snapshot",
    "Started",
    "Store",
    "Suspended",
    "TransactionId",
]
