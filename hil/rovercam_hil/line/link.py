"""Both directions of a line together: the shared medium of half duplex, queues for the clock's owner, a recording."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable

from rovercam_hil.line.impairment import Impairment
from rovercam_hil.line.spec import LineSpec

Delivery = tuple[bytes, list[float]]


class Channel:
    """One direction with its queue, on virtual time: ``push`` bytes, ``pull`` what has arrived."""

    def __init__(self, name: str, line: Impairment, link: Link) -> None:
        self.name = name
        self.line = line
        self._link = link
        self._queue: deque[Delivery] = deque()

    def push(self, data: bytes, at: float | list[float]) -> None:
        """Give bytes to the line: all at one time (the line paces them), or with the times the sender gave them."""
        arrived = self._link.push(self.name, data, at)
        if arrived[0]:
            self._queue.append(arrived)

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        """The bytes that are complete at the far end by ``until``, and when each was."""
        queue = self._queue
        out, when = bytearray(), []
        while queue:
            data, times = queue[0]
            n = bisect_right(times, until)
            out += data[:n]
            when += times[:n]
            if n < len(data):
                queue[0] = (data[n:], times[n:])
                break
            queue.popleft()
        return bytes(out), when

    @property
    def next_time(self) -> float | None:
        """When the next byte arrives; None when nothing is on the way."""
        return self._queue[0][1][0] if self._queue else None


class Link:
    """``down`` and ``up`` are the two channels. ``on_delivery(direction, data, times)`` sees everything that arrives,
    for a recording."""

    def __init__(self, spec: LineSpec, on_delivery: Callable[[str, bytes, list[float]], None] | None = None) -> None:
        self.spec = spec
        self.down = Channel("down", Impairment(spec.down, "down", spec.seed), self)
        self.up = Channel("up", Impairment(spec.up, "up", spec.seed), self)
        self.on_delivery = on_delivery

    def push(self, direction: str, data: bytes, at: float | list[float]) -> Delivery:
        """Give bytes to the line; returns what arrives and when (which may be later than now), without the queue."""
        mine, other = (self.down, self.up) if direction == "down" else (self.up, self.down)
        if self.spec.half is not None and data:
            clear = other.line.free + self.spec.half
            at = max(at, clear) if isinstance(at, int | float) else [max(t, clear) for t in at]
        data, times = mine.line.push(data, at)
        if data and self.on_delivery is not None:
            self.on_delivery(direction, data, times)
        return data, times

    def deadline(self) -> float | None:
        """When the next byte arrives at either end; None when nothing is on the way."""
        due = [t for t in (self.down.next_time, self.up.next_time) if t is not None]
        return min(due) if due else None
