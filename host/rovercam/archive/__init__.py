"""What was received and sent, for good: raw frames first, then what they say. SQLite; knows no line and no station."""

from rovercam.archive.check import CheckResult, check, retain
from rovercam.archive.errors import ArchiveBusy, ArchiveError, ArchiveFull, NotAnArchive, UnknownSeries
from rovercam.archive.samples import Series
from rovercam.archive.store import Archive, source_of

__all__ = [
    "Archive",
    "ArchiveBusy",
    "ArchiveError",
    "ArchiveFull",
    "CheckResult",
    "NotAnArchive",
    "Series",
    "UnknownSeries",
    "check",
    "retain",
    "source_of",
]
