"""The far end of the emulated unit's line: a UART at its baud rate with the chip's FIFOs, or the USB port.

Bytes carry times: byte k arrives, or has left, when its stop bit is over. Towards the chip each byte is delivered by an
alarm at its own time, so a receiver that does not listen (a flash erase, interrupts off) overruns its 32-byte FIFO just
as on the real chip.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rovercam_hil.boards.pico import EmulatedPico

BITS_PER_BYTE = 10  # 8N1


def spaced(times: Sequence[float], last: float, now: float, byte_time: float) -> list[float]:
    """Arrival times behind a byte that is complete at ``last``: those that are over already, or closer than bytes can follow each
    other, move to where they can."""
    step = byte_time * 0.98
    last = max(last, now - step)
    found = []
    for time in times:
        last = max(time, last + step)
        found.append(last)
    return found


class UartPort:
    """UART ``number`` of the chip. ``sent``/``received`` count bytes out of and into the chip; ``overruns`` those that
    met a full FIFO, ``lost_off`` those sent to a chip without power."""

    def __init__(self, board: EmulatedPico, number: int, baud: int) -> None:
        self.board = board
        self.number = number
        self.baud = baud
        self.sent = self.received = self.overruns = self.lost_off = 0
        self._out = bytearray()
        self._out_times = array("d")
        self._in: deque[tuple[bytes, Sequence[float]]] = deque()  # data and the times its bytes are complete
        self._in_pos = 0
        self._in_end = 0.0  # when the last byte queued will be complete
        self._uart: Any = None

    @property
    def byte_time(self) -> float:
        """Seconds of one byte on the line."""
        return BITS_PER_BYTE / self.baud

    def attach(self, board: EmulatedPico) -> None:
        self._uart = uart = board.mcu.uart[self.number]
        clock = board.mcu.clock
        epoch = board._epoch
        out, times = self._out.append, self._out_times.append

        def on_byte(byte: int) -> None:
            out(byte)
            times(epoch + clock.nanos * 1e-9)

        uart.on_byte = on_byte
        self._alarm = clock.create_alarm(self._feed)
        if self._in:
            self._arm()

    def detach(self) -> None:
        self._uart = None

    def write(self, data: bytes) -> None:
        data = bytes(data)
        if not data:
            return
        start = max(self.board.time, self._in_end)
        step = self.byte_time
        self._queue(data, [start + step * (k + 1) for k in range(len(data))])

    def write_at(self, data: bytes, times: Sequence[float]) -> None:
        if len(data) != len(times):
            raise ValueError(f"{len(data)} bytes but {len(times)} times")
        if data:
            self._queue(bytes(data), spaced(times, self._in_end, self.board.time, self.byte_time))

    def _queue(self, data: bytes, times: Sequence[float]) -> None:
        self._in_end = times[-1]
        if self._uart is None:
            self.lost_off += len(data)
            return
        self._in.append((data, times))
        if len(self._in) == 1:
            self._in_pos = 0
            self._arm()

    def _arm(self) -> None:
        due = self._in[0][1][self._in_pos]
        self._alarm.schedule(max(0.0, (due - self.board.time) * 1e9))

    def _feed(self) -> None:
        data = self._in[0][0]
        uart = self._uart
        if uart.rx_fifo.full:
            self.overruns += 1
        uart.feed_byte(data[self._in_pos])
        self.received += 1
        self._in_pos += 1
        if self._in_pos == len(data):
            self._in.popleft()
            self._in_pos = 0
            if not self._in:
                return
        self._arm()

    def read(self) -> tuple[bytes, list[float]]:
        if not self._out:
            return b"", []
        data, times = bytes(self._out), self._out_times.tolist()
        # in place: the chip's callback holds on to these two objects
        del self._out[:]
        del self._out_times[:]
        self.sent += len(data)
        return data, times

    @property
    def waiting(self) -> int:
        """Bytes still on their way to the chip."""
        return sum(len(d) for d, _ in self._in) - self._in_pos


class UsbPort:
    """The USB serial port as the line: no baud rate, and flow control, so nothing overruns."""

    def __init__(self, board: EmulatedPico) -> None:
        self.board = board
        self.sent = self.received = self.lost_off = 0
        self.overruns = 0  # USB has flow control
        self._out = bytearray()
        self._out_times: list[float] = []
        self._in = bytearray()
        self._attached = False

    def attach(self, board: EmulatedPico) -> None:
        board.cdc.on_serial_data = self._on_data
        self._alarm = board.mcu.clock.create_alarm(self._pump)
        self._attached = True

    def detach(self) -> None:
        self._attached = False
        self._in.clear()

    def _on_data(self, data: bytes | bytearray) -> None:
        self._out += data
        self._out_times += [self.board.time] * len(data)
        self.board.repl_log += data

    def write(self, data: bytes) -> None:
        if not self._attached:
            self.lost_off += len(data)
            return
        self._in += data
        self._alarm.schedule(0)

    def write_at(self, data: bytes, times: Sequence[float]) -> None:
        self.write(bytes(data))

    def _pump(self) -> None:
        fifo = self.board.cdc.tx_fifo
        n = min(len(self._in), fifo.size - fifo.item_count)
        for byte in self._in[:n]:
            self.board.cdc.send_serial_byte(byte)
        del self._in[:n]
        self.received += n
        if self._in:
            self._alarm.schedule(500e3)

    def read(self) -> tuple[bytes, list[float]]:
        data, times = bytes(self._out), self._out_times
        self._out.clear()
        self._out_times = []
        self.sent += len(data)
        return data, times

    @property
    def waiting(self) -> int:
        return len(self._in)
