"""A UART receiver at bit level, for bytes whose start or stop bit is hit.

A start bit read as one is overlooked: the receiver takes the next falling edge, inside the byte, for a start. A stop bit
read as zero is a framing error: the byte is delivered (as the PL011 and MicroPython do) and the receiver looks for the
next falling edge. Back-to-back bytes can keep it misaligned for a while; a pause brings it back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class BitReceiver:
    """Keeps what is left of an unfinished misaligned byte between calls."""

    def __init__(self) -> None:
        self._bits: list[int] = []  # of the byte being received: start bit first
        self._waiting_high = False  # after a framing error: the line must go high before the next start
        self._last_end = 0.0

    @property
    def misaligned(self) -> bool:
        """Whether the next byte begins while the receiver is inside another."""
        return bool(self._bits) or self._waiting_high

    def receive(
        self, values: NDArray[np.uint8], ends: NDArray[np.float64], wrong: dict[int, list[int]], byte_time: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.bool_]]:
        """Bytes as received, their times, and which are not what was sent. ``wrong``: byte -> [0 start bit, 1 stop bit]."""
        out: list[int] = []
        times: list[float] = []
        hit: list[bool] = []
        for k, (value, end) in enumerate(zip(values.tolist(), ends.tolist(), strict=True)):
            idle = round((end - byte_time - self._last_end) / byte_time * 10)
            self._last_end = end
            errors = wrong.get(k, ())
            if not errors and not self.misaligned:
                out.append(value)
                times.append(end)
                hit.append(False)
                continue
            if self.misaligned and idle > 0:
                for _ in range(min(idle, 10)):
                    self._bit(1, end - byte_time, out, times, hit)
            bits = [0, *((value >> b) & 1 for b in range(8)), 1]
            if 0 in errors:
                bits[0] = 1
            if 1 in errors:
                bits[9] = 0
            for n, bit in enumerate(bits):
                self._bit(bit, end - byte_time * (9 - n) / 10, out, times, hit)
        return np.array(out, np.uint8), np.array(times, float), np.array(hit, bool)

    def _bit(self, bit: int, time: float, out: list[int], times: list[float], hit: list[bool]) -> None:
        if self._waiting_high:
            self._waiting_high = not bit
            return
        if not self._bits:
            if bit == 0:
                self._bits.append(0)
            return
        self._bits.append(bit)
        if len(self._bits) == 10:
            out.append(sum(b << i for i, b in enumerate(self._bits[1:9])))
            times.append(time)
            hit.append(True)
            self._waiting_high = bit == 0
            self._bits = []
