"""What lay between two good frames: kept, because parts of it may be right although the frames are not.

A burst of noise spoils some hundred bytes of a frame that has two thousand; an outage cuts one off at each of its ends. Such a *fragment* is worth
keeping where the sender can be asked which of its bytes are right (cfdp/salvage.py). The randomiser's sequence is tied to the place in the frame,
so a fragment is read from where the last good frame ended, or from where the next one begins, or both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .events import Fragment
from .profiles import LONGEST, MARKER, Profile

MOST = 2  # frames kept at either end


class Stretch:
    """Bytes in no frame since the last good one; at most MOST longest frames at its start and as many at its end are kept."""

    def __init__(self, pn: NDArray[np.uint8]) -> None:
        self._pn = pn.tobytes()
        self.start = 0  # stream position
        self._end = 0
        self._first = bytearray()
        self._last = bytearray()
        self._behind = False  # begins where a good frame ended

    def __bool__(self) -> bool:
        return self._end > self.start

    def begin(self, position: int) -> None:
        """A good frame ended at this stream position."""
        self.start = self._end = position
        self._behind = True
        if self._first:
            self._first.clear()
            self._last.clear()

    def add(self, data: bytes) -> None:
        """More bytes of no frame."""
        most = MOST * LONGEST
        self._end += len(data)
        if len(self._first) < most:
            self._first += data[: most - len(self._first)]
        self._last += data[-most:]
        del self._last[:-most]

    def fragments(self, profile: Profile, breaks: list[int], now: float) -> list[Fragment]:
        """In the order they came. profile: of the frames that were due; breaks: stream positions in front of which the line was silent."""
        length = profile.line_length
        size = self._end - self.start
        inside = [b - self.start for b in breaks if self.start < b < self._end]
        head = inside[0] if inside else size
        tail = size - inside[-1] if inside else size
        found = []
        if self._behind:
            pieces = [self._first[at : min(at + length, head)] for at in range(0, min(head, MOST * length), length)]
            found += [self._from_start(bytes(p), now) for p in pieces if len(p) > len(MARKER)]
        if inside or not self._behind or size % length or size > MOST * length:
            ends = range(0, min(tail, MOST * length, len(self._last)), length)
            kept = len(self._last)
            tails = [self._last[max(kept - tail, kept - at - length, 0) : kept - at] for at in ends]
            found += [self._from_end(bytes(p), profile, now) for p in reversed(tails)]
        return found

    def _from_start(self, piece: bytes, now: float) -> Fragment:
        return Fragment(data=self._plain(piece[len(MARKER) :], 0), tail=False, now=now)

    def _from_end(self, piece: bytes, profile: Profile, now: float) -> Fragment:
        piece = piece[-profile.codeblock_length :]
        data = self._plain(piece, profile.codeblock_length - len(piece))
        check = profile.codeblock_length - profile.frame_length
        return Fragment(data=data[: max(0, len(data) - check)], tail=True, now=now)

    def _plain(self, piece: bytes, place: int) -> bytes:
        mask = self._pn[place : place + len(piece)]
        n = len(piece)
        return (int.from_bytes(piece, "big") ^ int.from_bytes(mask, "big")).to_bytes(n, "big")
