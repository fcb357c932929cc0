"""The far end of a native unit's line: a UART at its baud rate, with the buffers of MicroPython's driver on the unit's side.

Bytes carry times: byte k arrives, or has left, when its stop bit is over.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import numpy as np

from rovercam_hil.boards.lineport import BITS_PER_BYTE, spaced

FIFO = 32


class NativeLine:
    """``now`` gives board time in seconds. ``sent``/``received`` count bytes out of and into the unit; ``overruns`` those that met
    a full buffer, ``lost_off`` those sent to a unit without power."""

    def __init__(self, now: Callable[[], float], baud: int) -> None:
        self.baud = baud
        self.sent = self.received = self.overruns = self.lost_off = 0
        self.powered = False
        self._now = now
        self._out = bytearray()
        self._out_times = array("d")
        self._out_free = 0.0
        self._in = bytearray()
        self._in_times = array("d")
        self._in_end = 0.0
        self._taken = 0
        """Bytes of ``_in`` that have met the buffer already: they are in it."""
        self.tx_room = self.rx_room = 256 + FIFO

    @property
    def byte_time(self) -> float:
        """Seconds of one byte on the line."""
        return BITS_PER_BYTE / self.baud

    # -- the ground's side -------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        start = max(self._now(), self._in_end)
        step = self.byte_time
        self.write_at(data, [start + step * (k + 1) for k in range(len(data))])

    def write_at(self, data: bytes, times: Sequence[float]) -> None:
        if len(data) != len(times):
            raise ValueError(f"{len(data)} bytes but {len(times)} times")
        if not data:
            return
        arrivals = spaced(times, self._in_end, self._now(), self.byte_time)
        self._in_end = arrivals[-1]
        if not self.powered:
            self.lost_off += len(data)
            return
        self._in += data
        self._in_times.extend(arrivals)

    def read(self) -> tuple[bytes, list[float]]:
        """What has left the unit by now, with times."""
        n = bisect_right(self._out_times, self._now())
        data, times = bytes(self._out[:n]), self._out_times[:n].tolist()
        del self._out[:n]
        del self._out_times[:n]
        self.sent += n
        return data, times

    @property
    def waiting(self) -> int:
        """Bytes still on their way to the unit."""
        return len(self._in) - bisect_right(self._in_times, self._now())

    # -- the unit's side ---------------------------------------------------------------------------------------------

    def power(self, on: bool) -> None:
        """What the unit's buffers held is gone either way."""
        self.powered = on
        self.reset()
        if not on:
            self.lost_off += len(self._in)
            del self._in[:]
            del self._in_times[:]

    def reset(self) -> None:
        n = bisect_right(self._in_times, self._now())
        self._drop_first(n)
        kept = bisect_right(self._out_times, self._now())
        del self._out[kept:]
        del self._out_times[kept:]
        self._out_free = 0.0
        self.tx_room = self.rx_room = 256 + FIFO

    def _drop_first(self, n: int) -> None:
        del self._in[:n]
        del self._in_times[:n]
        self._taken = max(0, self._taken - n)

    def transmit(self, data: bytes) -> int:
        """Bytes taken into the transmit buffer."""
        now = self._now()
        waiting = len(self._out_times) - bisect_right(self._out_times, now)
        n = min(len(data), self.tx_room - waiting)
        step = self.byte_time
        first = max(now, self._out_free)
        self._out += data[:n]
        self._out_times.frombytes((first + step * np.arange(1, n + 1)).tobytes())
        self._out_free = first + step * n
        return n

    @property
    def available(self) -> int:
        """Bytes in the receive buffer; those that found no room in it are gone."""
        n = bisect_right(self._in_times, self._now())
        if n > self._taken:
            self._keep(n, self.rx_room)
            n = self._taken
        return n

    def _keep(self, arrived: int, room: int) -> None:
        lost = max(0, arrived - max(room, self._taken))
        if lost:
            del self._in[arrived - lost : arrived]
            del self._in_times[arrived - lost : arrived]
            self.overruns += lost
        self._taken = arrived - lost

    def deaf(self, until: float) -> None:
        """Nobody empties the hardware's FIFO until then (seconds of board time): a flash operation."""
        before = self.available
        self._keep(bisect_left(self._in_times, until), before + FIFO)

    def receive(self, count: int) -> bytes:
        data = bytes(self._in[: min(count, self.available)])
        self._drop_first(len(data))
        self.received += len(data)
        return data

    @property
    def next_arrival(self) -> float | None:
        """When the next byte comes that is not in the buffer yet."""
        return self._in_times[self._taken] if self._taken < len(self._in_times) else None
