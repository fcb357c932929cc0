"""Why a port cannot be had.

LineError
 ├─ PortMissing   no such port (message lists the ones there are), or nobody answers at the address
 ├─ PortBusy      another program has it (by whom, where that can be found out)
 ├─ PortDenied    this user may not open it (message names the group to join)
 ├─ LineLost      it was there and went away
 └─ BadRecording  the file is no recording
"""


class LineError(Exception):
    """Base; the message says what was expected, what came and what to do."""


class PortMissing(LineError):
    pass


class PortBusy(LineError):
    pass


class PortDenied(LineError):
    pass


class LineLost(LineError):
    pass


class BadRecording(LineError):
    pass
