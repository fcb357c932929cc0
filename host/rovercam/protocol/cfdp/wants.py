"""The missing ranges of one file: which were asked for, when, and which of those are surely lost.

The line keeps order in both directions and the sender answers requests in the order they came. So when an answer to a
later request arrives, everything asked for earlier and still missing is lost; when an EOF arrives that was sent after
the answers (the sender ends every batch of answers with one), so is all of it. Only the last resort is a timer.
"""

from __future__ import annotations

from dataclasses import dataclass

from .peer import Peer, Settings

NEVER = float("inf")


class Pace:
    """Bytes of the file per second while they come without a pause."""

    def __init__(self) -> None:
        self._bytes = self._seconds = 0.0
        self._last: float | None = None

    def took(self, count: int, now: float) -> None:
        if self._last is not None:
            self._seconds += min(max(now - self._last, 0.0), 1.0)
            self._bytes += count
        self._last = now
        if self._bytes > 1 << 16:
            self._bytes /= 2
            self._seconds /= 2

    def seconds(self, count: int) -> float:
        """That so many bytes take to come; 0 while it is not known."""
        return count * self._seconds / self._bytes if self._bytes else 0.0


@dataclass(slots=True)
class _Want:
    """A missing range. batch: number of the request for it, counting up; 0 = not asked yet.

    again: it was asked for before, or answered in part, so that it measures no round trip.
    """

    start: int
    end: int
    batch: int = 0
    asked_at: float = 0.0
    again: bool = False


class Wants:
    """In the order of asking, those not asked for at the end."""

    def __init__(self, peer: Peer, settings: Settings) -> None:
        self._peer, self._settings = peer, settings
        self._list: list[_Want] = []
        self._batch = 0
        self._progress_at = 0.0

    def __len__(self) -> int:
        return len(self._list)

    @property
    def asked(self) -> int:
        return sum(1 for w in self._list if w.batch)

    def clear(self) -> None:
        self._list = []

    def add(self, start: int, end: int) -> None:
        """A range of the file that is missing."""
        last = self._list[-1] if self._list else None
        if last and last.batch == 0 and last.end == start:
            last.end = end
        else:
            self._list.append(_Want(start, end))

    def taken_up(self, now: float) -> None:
        """After a restart: all count as asked for now, because answers to the process before may still be under way."""
        for want in self._list:
            self._batch += 1
            want.batch, want.asked_at, want.again = self._batch, now, True
        self._progress_at = now

    def ask_again(self) -> None:
        """All of them, whatever was asked for."""
        for want in self._list:
            want.again = want.again or want.batch > 0
            want.batch = 0

    def filled(self, start: int, end: int, now: float) -> bool:
        """A range came: wants it answers shrink; older ones still open are lost and to be asked for again. True when it answered one."""
        least = self._peer.least
        answered: tuple[int, int] | None = None
        hit = False
        left: list[_Want] = []
        for want in self._list:
            if want.end <= start or end <= want.start:
                left.append(want)
                continue
            if want.batch:
                waited = now - want.asked_at
                if not want.again:
                    self._peer.sample(waited)
                if not want.again or (least is not None and waited >= least):
                    answered = max(answered or (0, 0), (want.batch, start))
                want.again = True  # only its first bytes measure the round trip
                self._progress_at = now
                hit = True
            if want.start < start:
                left.append(_Want(want.start, start, want.batch, want.asked_at, True))
            if end < want.end:
                left.append(_Want(end, want.end, want.batch, want.asked_at, True))
        if answered:
            for want in left:
                if want.batch and (want.batch, want.start) < answered:
                    want.batch, want.again = 0, True
            left = [w for w in left if w.batch] + [w for w in left if not w.batch]
        self._list = left
        return hit

    def ended(self, now: float) -> None:
        """The EOF that ends a batch of answers came: what did not come before it is lost."""
        least = self._peer.least
        for want in self._list:
            if want.batch and least is not None and now - want.asked_at >= least:
                want.batch, want.again = 0, True

    def timeout_at(self, backoff: float) -> float:
        """When the newest request will have waited too long."""
        asked = [w.asked_at for w in self._list if w.batch]
        if not asked:
            return NEVER
        wait = min(self._peer.rto * backoff, self._settings.most_wait)
        return max(*asked, self._progress_at) + wait

    def may_ask(self) -> bool:
        """Whether the sender can be asked for more: it keeps so many requests as the window is wide."""
        asked = self.asked
        return asked < len(self._list) and asked < self._settings.window

    def ask(self, now: float) -> list[tuple[int, int]]:
        """Ranges to ask for now, as many as the window lets."""
        asked = [w for w in self._list if w.batch]
        waiting = [w for w in self._list if not w.batch]
        room = max(self._settings.window - len(asked), 0)
        asking, rest = waiting[:room], waiting[room:]
        for want in asking:
            self._batch += 1
            want.batch, want.asked_at = self._batch, now
        self._list = asked + asking + rest  # what is asked last is answered last
        return [(w.start, w.end) for w in asking]
