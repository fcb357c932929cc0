"""What can go wrong with the archive.

ArchiveError
 ├─ ArchiveFull      the disk is full: nothing was stored, nothing may be acknowledged
 ├─ ArchiveBusy      another process holds it longer than we wait
 ├─ NotAnArchive     the file is something else, or of a newer version
 └─ UnknownSeries    no such parameter was ever received
"""


class ArchiveError(Exception):
    """Base; the message says what was expected, what came and what to do."""


class ArchiveFull(ArchiveError):
    pass


class ArchiveBusy(ArchiveError):
    pass


class NotAnArchive(ArchiveError):
    pass


class UnknownSeries(ArchiveError):
    pass
