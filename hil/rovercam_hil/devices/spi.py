"""An SPI bus of the emulated chip with devices on chip-select pins.

The emulated SPI block calls us for every byte on the wire, at the pace of its clock. The device selected answers; with
none selected the master reads 0xFF (MISO pulled up). A long answer is handed to the block without any Python code per
byte: ``stream`` installs a callable composed of C functions, which costs about a tenth of a Python call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat
from operator import length_hint
from typing import TYPE_CHECKING, Any

from rp2040py.gpio_pin import GPIOPinState

from rovercam_hil.devices.faults import Faulty

if TYPE_CHECKING:
    from rovercam_hil.boards.base import VirtualBoard
    from rovercam_hil.devices.trace import Trace

IDLE = 0xFF


class SpiDevice(Faulty):
    """A device on an SPI bus. ``bus`` is set while powered."""

    bus: SpiBus
    board: VirtualBoard

    def power_on(self) -> None:
        """Supply came: power-on defaults."""

    def power_off(self) -> None:
        """Supply went."""

    def selected(self) -> None:
        """Chip select went low."""

    def deselected(self) -> None:
        """Chip select went high."""

    def exchange(self, value: int) -> int:
        """One byte from the master; returns the byte sent at the same time."""
        raise NotImplementedError


class SpiBus:
    """SPI block ``number`` with ``devices``: chip-select pin number -> device."""

    def __init__(self, number: int, devices: dict[int, SpiDevice], trace: Trace | None = None) -> None:
        self.number = number
        self.devices = devices
        self.trace = trace
        self._streaming: Iterator[int] | None = None

    def attach(self, board: VirtualBoard) -> None:
        self.board = board
        self.spi = spi = board.mcu.spi[self.number]
        self._active: dict[int, SpiDevice] = {}
        self._streaming = None
        self._wait = board.spi_wait(self.number)
        spi.on_transmit = self._nobody
        for pin, device in self.devices.items():
            device.bus = self
            device.board = board
            device.power_on()
            board.mcu.gpio[pin].add_listener(self._listener(pin, device))

    def power_off(self) -> None:
        for device in self.devices.values():
            device.power_off()

    def chip_reset(self) -> None:
        """The microcontroller was reset: its chip selects float to inactive."""
        for pin, device in list(self._active.items()):
            self._deselect(pin, device)

    def _listener(self, pin: int, device: SpiDevice) -> Callable[[Any, Any], None]:
        # The chip select is driven by the firmware; an undriven pin is held high by the module's pull-up.
        low = GPIOPinState.LOW

        def changed(now: Any, _old: Any) -> None:
            if now == low:
                self._active[pin] = device
                if self.trace is not None:
                    self.trace.spi_select(self.number, pin, True, self.board.time)
                device.selected()
                self._route()
            elif pin in self._active:
                self._deselect(pin, device)

        return changed

    def _deselect(self, pin: int, device: SpiDevice) -> None:
        del self._active[pin]
        if self.trace is not None:
            self.trace.spi_select(self.number, pin, False, self.board.time)
        device.deselected()
        if self._streaming is not None:
            self._streaming = None
            self._wait.stop()
        self._route()

    def _route(self) -> None:
        if not self._active:
            self.spi.on_transmit = self._nobody
        elif len(self._active) == 1 and self.trace is None:
            self._single = next(iter(self._active.values()))
            self.spi.on_transmit = self._one
        else:
            self.spi.on_transmit = self._several

    def _nobody(self, value: int) -> None:
        self.spi.complete_transmit(IDLE)

    def _one(self, value: int) -> None:
        self.spi.complete_transmit(self._single.exchange(value & 0xFF))

    def _several(self, value: int) -> None:
        """Also the traced path. Two devices selected at once fight for MISO: the low level wins."""
        reply = IDLE
        for device in list(self._active.values()):
            reply &= device.exchange(value & 0xFF)
        if self.trace is not None:
            frequency = self.spi.clock_frequency
            self.trace.spi_byte(self.number, value & 0xFF, reply, self.board.time, frequency)
        self.spi.complete_transmit(reply)

    def stream(self, data: bytes, start: int) -> bool:
        """From the next byte on answer with ``data[start:]``, then IDLE, until deselected. False: not possible now
        (several devices, or a trace), the caller goes on answering byte by byte."""
        if self.spi.on_transmit != self._one:
            return False
        source = iter(data)
        source.__setstate__(start)  # type: ignore[attr-defined]  # bytes_iterator's position
        self._streaming = source
        answers = map(self.spi.complete_transmit, chain(source, repeat(IDLE)))
        self.spi.on_transmit = partial(next, answers)
        self._wait.watch()
        return True

    def streamed(self, data: bytes) -> int:
        """Position reached in ``data`` by the stream under way."""
        return len(data) if self._streaming is None else len(data) - length_hint(self._streaming)
