"""What callers of a station did wrong."""


class StationError(Exception):
    """The caller's fault: no such unit, no key, no port; the message says what to do."""
