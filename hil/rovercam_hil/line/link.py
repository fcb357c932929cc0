"""Both directions of a line together: the shared medium of half duplex, queues for the clock's owner, a recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rovercam_hil.line.impairment import Impairment
from rovercam_hil.line.spec import LineSpec

Delivery = tuple[bytes, list[float]]


class Link:
    """``push(direction, data, at)`` as Impairment; ``pop(direction, now)`` gives what has arrived by ``now``.

    ``on_delivery(direction, data, times)`` sees everything that arrives, for a recording.
    """

    def __init__(self, spec: LineSpec, on_delivery: Callable[[str, bytes, list[float]], None] | None = None) -> None:
        self.spec = spec
        self.directions = {
            "down": Impairment(spec.down, "down", spec.seed),
            "up": Impairment(spec.up, "up", spec.seed),
        }
        self.on_delivery = on_delivery
        self._queues: dict[str, deque[Delivery]] = {"down": deque(), "up": deque()}

    def push(self, direction: str, data: bytes, at: float | list[float]) -> Delivery:
        """Give bytes to the line; returns what arrives and when (which may be later than now)."""
        line = self.directions[direction]
        if self.spec.half is not None and data:
            other = self.directions["up" if direction == "down" else "down"]
            clear = other.free + self.spec.half
            at = max(at, clear) if isinstance(at, int | float) else [max(t, clear) for t in at]
        data, times = line.push(data, at)
        if data and self.on_delivery is not None:
            self.on_delivery(direction, data, times)
        return data, times

    def send(self, direction: str, data: bytes, at: float | list[float]) -> None:
        """``push`` into the queue that ``pop`` empties."""
        arrived = self.push(direction, data, at)
        if arrived[0]:
            self._queues[direction].append(arrived)

    def pop(self, direction: str, now: float) -> bytes:
        """The bytes that are complete at the far end by ``now``."""
        queue = self._queues[direction]
        out = bytearray()
        while queue:
            data, times = queue[0]
            if times[-1] <= now:
                out += data
                queue.popleft()
                continue
            n = next(k for k, t in enumerate(times) if t > now)
            if n:
                out += data[:n]
                queue[0] = (data[n:], times[n:])
            break
        return bytes(out)

    def deadline(self) -> float | None:
        """When the next byte arrives at either end; None when nothing is on the way."""
        due = [queue[0][1][0] for queue in self._queues.values() if queue]
        return min(due) if due else None
