"""What the bench needs from a board, emulated or real: power, reset, its line, its REPL log, and time.

Scenarios and the demo speak to this interface only. Times are seconds of the board's own clock (virtual on an
emulated board, the wall clock on a real one), counted from the creation of the object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

VIRTUAL_BOARDS = ("pico", "native")
"""What --board says for a board in virtual time; anything else is the port of a real one."""


class BoardError(RuntimeError):
    """Base of what a board can report; the message says what was expected, what came and what to do."""


class BoardTimeout(BoardError):
    """Something awaited from the board did not come in time."""


class Board(ABC):
    """One camera unit as the bench sees it."""

    name: str = "board"
    repl_log: bytearray  # everything the REPL has printed since creation, across resets

    @property
    @abstractmethod
    def time(self) -> float:
        """Seconds since creation, on the board's clock."""

    @property
    @abstractmethod
    def powered(self) -> bool:
        """Whether supply voltage is on."""

    @abstractmethod
    def power_on(self) -> None:
        """Switch the supply on; the firmware boots as time advances. No effect when on already."""

    @abstractmethod
    def power_off(self) -> None:
        """Switch the supply off in an orderly way: waits for a flash operation under way."""

    @abstractmethod
    def power_cut(self) -> None:
        """Take the supply away this instant, also in the middle of a flash write (leaving it torn)."""

    @abstractmethod
    def reset(self) -> None:
        """Pulse the reset pin."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Bytes towards the unit on its line, starting now (or behind what is still on the way)."""

    @abstractmethod
    def read(self) -> bytes:
        """Bytes the unit has sent on its line since the last call."""

    @abstractmethod
    def run(self, seconds: float) -> None:
        """Let the board run for so long."""

    def close(self) -> None:  # noqa: B027 - most boards hold nothing
        """Let go of files and ports. The board is not usable afterwards."""


class VirtualBoard(Board):
    """A board in virtual time with device models on its pins: the emulated Pico, or the firmware natively.

    ``mcu``       what models attach to while powered: clock (alarms in nanoseconds), gpio, i2c, spi, adc.
    ``baud``      rate of the line's far end; ``usb``: the line has none.
    ``on_reset``  called after every reset; ``resets`` counts them.
    """

    mcu: Any
    baud: int
    usb: bool
    resets: int
    on_reset: list[Callable[[], None]]
    devices: list[Device]
    port: Any
    _chip_temperature = 25.0

    def write(self, data: bytes) -> None:
        self.port.write(data)

    def write_at(self, data: bytes, times: Sequence[float]) -> None:
        """Bytes towards the unit, byte k complete (its stop bit over) at board time ``times[k]``, ascending."""
        self.port.write_at(data, times)

    def read(self) -> bytes:
        data: bytes = self.port.read()[0]
        return data

    def read_timed(self) -> tuple[bytes, list[float]]:
        """Bytes the unit has sent, and for each the board time at which its stop bit was over."""
        found: tuple[bytes, list[float]] = self.port.read()
        return found

    @abstractmethod
    def spi_wait(self, number: int) -> SpiWait:
        """What a long read over SPI block ``number`` goes with."""

    @abstractmethod
    def reset(self, *, watchdog: bool = False) -> None:
        """By the reset pin; ``watchdog``: as the chip's watchdog does it, which the firmware can tell."""

    @abstractmethod
    def flash_bytes(self) -> bytes:
        """The flash as it is now: all of it, or the file system alone (boards.filesystem reads both)."""

    @property
    @abstractmethod
    def flash_operations(self) -> int:
        """Erases and page programs since the creation of the board."""

    @abstractmethod
    def cut_power_at_flash_op(self, operation: int, fraction: float = 0.5) -> None:
        """Cut the power inside flash operation number ``operation`` (counted from the creation of the board, see
        ``flash_operations``), after ``fraction`` of its time. ``run`` then returns with the board off."""

    @abstractmethod
    def forget_power_cut(self) -> None:
        """A cut that was asked for and has not come yet does not come."""

    def repl_write(self, data: bytes) -> None:
        """Bytes typed at MicroPython's prompt; raises BoardError where it cannot be reached."""
        raise BoardError(f"{self.name}: this board's prompt cannot be reached")

    def _tell(self, what: str) -> None:
        """Call ``power_off`` or ``chip_reset`` of every device that has it."""
        for device in self.devices:
            told = getattr(device, what, None)
            if told is not None:
                told()

    @property
    def clock(self) -> Any:
        """The chip's clock (alarms in nanoseconds); only while powered."""
        return self.mcu.clock

    @property
    def chip_temperature(self) -> float:
        """°C of the chip itself, what its ADC channel 4 measures (RP2040 data sheet 4.9.5)."""
        return self._chip_temperature

    @chip_temperature.setter
    def chip_temperature(self, celsius: float) -> None:
        self._chip_temperature = celsius
        if self.powered:
            volts = 0.706 - (celsius - 27.0) * 0.001721
            self.mcu.adc.channel_values[4] = max(0, min(4095, round(volts / 3.3 * 4095)))

    def run_until(self, condition: Callable[[], bool], timeout: float = 10.0, slice_s: float = 1e-3) -> None:
        """Run until ``condition()``, looked at every ``slice_s`` of board time; BoardTimeout after ``timeout``."""
        deadline = self.time + timeout
        while not condition():
            if self.time >= deadline:
                tail = bytes(self.repl_log[-400:]).decode(errors="replace")
                raise BoardTimeout(f"{self.name}: not within {timeout} s of board time; the REPL ended with:\n{tail}")
            self.run(slice_s)


class Device(Protocol):
    """Something on the board's pins. ``attach`` is called at every power-on, with the new chip."""

    def attach(self, board: VirtualBoard) -> None: ...


class SpiWait(Protocol):
    """Told when a long read over SPI begins and when it is over."""

    def watch(self) -> None: ...

    def stop(self) -> None: ...
