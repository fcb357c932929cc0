"""The native chip's I2C, SPI and ADC blocks, with the interface of the emulated chip's that device models use."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from rovercam_hil.boards.native.pins import Clock


class BusError(Exception):
    """``number`` is what the firmware's OSError carries."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.number = number


class I2c:
    """One transfer after the other: each event is put to the model, and time passes until it is complete."""

    on_write_byte: Callable[[int], None]
    on_read_byte: Callable[[bool], None]

    def __init__(self, clock: Clock, clk_sys: int) -> None:
        self._clock = clock
        self._clk_sys = clk_sys
        self._answer: Any = None
        self.scl_high_period = self.scl_low_period = 0
        self.int_raw = 0
        # With nothing on the bus: nobody acknowledges.
        self.on_start: Callable[[bool], None] = lambda _repeated: self.complete_start()
        self.on_connect: Callable[[int, int], None] = lambda _address, _mode: self.complete_connect(False)
        self.on_stop: Callable[[], None] = self.complete_stop

    def check_interrupts(self) -> None:
        """The emulated block's; nothing here waits for one."""

    def complete_start(self) -> None:
        self._answer = True

    complete_stop = complete_start

    def complete_connect(self, ack: bool) -> None:
        self._answer = ack

    complete_write = complete_connect

    def complete_read(self, value: int) -> None:
        self._answer = value

    def transfer(self, frequency: int, timeout_us: int, address: int, data: bytes, count: int) -> bytes:
        """Write ``data`` (its start and address even if it is empty and nothing is read), then read ``count`` bytes.

        Raises BusError: EIO without an acknowledge, ETIMEDOUT when an event takes longer than the timeout.
        """
        self.scl_high_period = self.scl_low_period = max(1, self._clk_sys // frequency // 2)
        found = bytearray()
        try:
            if data or not count:
                self._wait(timeout_us, self.on_start, False)
                self._acknowledged(timeout_us, self.on_connect, address, 0)
                for value in data:
                    self._acknowledged(timeout_us, self.on_write_byte, value)
            if count:
                self._wait(timeout_us, self.on_start, bool(data))
                self._acknowledged(timeout_us, self.on_connect, address, 1)
                for k in range(count):
                    found.append(self._wait(timeout_us, self.on_read_byte, k < count - 1))
        except BusError as error:
            if error.number == errno.EIO:
                self._wait(timeout_us, self.on_stop)
            raise
        self._wait(timeout_us, self.on_stop)
        return bytes(found)

    def _wait(self, timeout_us: int, event: Callable[..., None], *arguments: int) -> int:
        self._answer = None
        limit = self._clock.nanos + timeout_us * 1000
        event(*arguments)
        while self._answer is None:
            due = self._clock.next_due
            self._clock.advance(min(due, limit))
            if due > limit:
                raise BusError(errno.ETIMEDOUT)
        return int(self._answer)

    def _acknowledged(self, timeout_us: int, event: Callable[..., None], *arguments: int) -> None:
        if not self._wait(timeout_us, event, *arguments):
            raise BusError(errno.EIO)


class Spi:
    """``on_transmit`` answers every byte by calling ``complete_transmit``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers = bytearray()
        self.on_transmit: Callable[[int], Any] = lambda _value: self.complete_transmit(0)  # nothing on the bus
        self.clock_frequency = 1_000_000
        self.complete_transmit = self._answers.append

    def exchange(self, data: bytes) -> bytes:
        for value in data:
            self.on_transmit(value)
        answers = bytes(self._answers)
        self._answers.clear()
        self._clock.advance(self._clock.nanos + len(data) * 8_000_000_000 // self.clock_frequency)
        return answers


class Adc:
    """12-bit readings of the five channels."""

    def __init__(self) -> None:
        self.channel_values = [0] * 5
