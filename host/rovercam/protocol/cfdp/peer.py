"""What is known of the way to one unit and back: round-trip time and when it was last heard."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """Seconds and bytes. No retry limits: only back-off."""

    pdu_limit: int = 512  # longest PDU sent to a unit (what a TC frame holds, or less on bad lines)
    first_rto: float = 6.0  # repetition time-out before any round trip was measured
    least_rto: float = 0.4
    most_wait: float = 60.0  # back-off ends here
    window: int = 60  # ranges asked for and not yet come, per transaction; the unit keeps 64
    immediate: bool = True  # NAK when a gap is seen; False: only after EOF (deferred mode)
    silence: float = 3.0  # heard again after this: everything open is asked for at once
    largest_file: int = 1 << 26  # no unit has as much; bounds what a wrong offset can cost
    data_per_poll: int = 2048  # bytes of file data handed out per poll and unit
    data_rate: float = math.inf  # and per second, for a unit that takes in less than its line carries


class Pace:
    """File data to one unit: ``data_rate``, in bursts of at most ``data_per_poll``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free_at = -math.inf
        """When all that was sent so far has been taken in."""

    def room(self, now: float) -> int:
        """Bytes to send now; 0 until half a burst is free."""
        most, rate = self._settings.data_per_poll, self._settings.data_rate
        if rate == math.inf:
            return most
        free = int(most - max(0.0, self._free_at - now) * rate)
        return free if free >= most // 2 else 0

    def spend(self, count: int, now: float) -> None:
        self._free_at = max(self._free_at, now) + count / self._settings.data_rate

    @property
    def ready_at(self) -> float:
        """When there is room again."""
        return self._free_at - self._settings.data_per_poll / 2 / self._settings.data_rate


class Peer:
    """Round-trip estimate after RFC 6298, with the least value seen as the surest bound."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smooth: float | None = None
        self._deviation = 0.0
        self.least: float | None = None
        self.told: float | None = None  # round trip of telecommands
        self.heard_at: float | None = None

    def sample(self, seconds: float) -> None:
        self.least = seconds if self.least is None else min(self.least, seconds)
        if self._smooth is None:
            self._smooth, self._deviation = seconds, seconds / 2
        else:
            self._deviation += (abs(seconds - self._smooth) - self._deviation) / 4
            self._smooth += (seconds - self._smooth) / 8

    @property
    def trip(self) -> float:
        """A round trip as it will probably be: the lesser of what file transfer and telecommands measured."""
        known = [t for t in (self._smooth, self.told) if t is not None]
        return min(known) if known else self._settings.first_rto

    @property
    def rto(self) -> float:
        if self._smooth is None:
            return self._settings.first_rto
        return max(self._settings.least_rto, self._smooth + 4 * self._deviation)

    def heard(self, now: float) -> bool:
        """True when the unit is back after a silence."""
        back = self.heard_at is not None and now - self.heard_at > self._settings.silence
        self.heard_at = now
        return back
