"""The native board: a whole unit in MicroPython's unix port, on the device models of the emulated Pico, in virtual time.

The firmware is the same, compiled for this computer; ``machine`` and ``time`` are the chip's (``chip/``). It runs some thirty times as
fast as on the emulated Pico, so that a unit's days take minutes. For that, computing takes no time here: time passes
while the firmware waits, on its buses, and while its flash is written. What hangs on the chip itself is the emulated Pico's to show: cycles,
memory, torn flash, MicroPython's prompt, the USB port.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rovercam_hil.boards.base import BoardError, Device, VirtualBoard
from rovercam_hil.boards.flash import PAGE_PROGRAM_S, SECTOR_ERASE_S
from rovercam_hil.boards.native.buses import BusError
from rovercam_hil.boards.native.line import FIFO, NativeLine
from rovercam_hil.boards.native.pins import NEVER
from rovercam_hil.boards.native.process import FirmwareProcess, micropython
from rovercam_hil.boards.native.soc import Chip

PWRON_RESET, WDT_RESET = 1, 3
_INPUT, _UNCHANGED = 0, 0xFF
_SPI_HEAD = "<BIBIB"


class NativeBoard(VirtualBoard):
    """``filesystem``, ``flash_file``, ``devices``, ``baud`` and ``name`` as for the emulated Pico; the flash is the file system alone.

    Raises BoardError where there is no MicroPython to run it, or none with native code (macOS).
    """

    def __init__(
        self,
        *,
        filesystem: bytes | None = None,
        flash_file: str | Path | None = None,
        devices: Sequence[Device] = (),
        baud: int = 115200,
        name: str = "unit",
    ) -> None:
        micropython()
        self.name = name
        self.devices = list(devices)
        self.baud = baud
        self.usb = False
        self.resets = 0
        self.on_reset: list[Callable[[], None]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="rovercam-native-")
        self._flash_file = Path(flash_file) if flash_file else Path(self._folder.name) / "flash.bin"
        if not self._flash_file.exists():
            if filesystem is None:
                raise BoardError(f"{self.name}: no file system for a new flash")
            self._flash_file.write_bytes(filesystem)
        elif b"littlefs" not in self._flash_file.read_bytes()[:8192]:  # in one of the first two blocks
            raise BoardError(
                f"{self._flash_file} is not the flash of a native unit (an emulated Pico's holds MicroPython, and firmware for a Pico)"
            )
        self._log = (Path(self._folder.name) / "prompt.txt").open("w+b")
        self._epoch = self._target = 0.0
        self._process: FirmwareProcess | None = None
        self._scratch = [0, 0]
        self._flash_operations = 0
        self._cut_at: tuple[int, float] | None = None
        self.mcu: Chip | None = None
        self.port = NativeLine(lambda: self.time, baud)
        self._serve = (
            self._wait,
            self._pin,
            self._pin_read,
            self._pin_irq,
            self._i2c,
            self._spi,
            self._uart,
            self._uart_write,
            self._uart_read,
            self._pwm,
            self._adc,
            self._wdt,
            self._keep,
            self._flash,
            self._reset,
        )
        """By the operation's number, in the order of chip/chiplink.py."""

    # -- power -------------------------------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        return self.mcu is not None

    @property
    def repl_log(self) -> bytearray:  # type: ignore[override]  # the firmware's process writes it to a file
        """What the firmware has printed, tracebacks too."""
        self._log.seek(0)
        return bytearray(self._log.read())

    def power_on(self) -> None:
        if self.powered:
            return
        self._epoch = self._target
        self.mcu = chip = Chip()
        self._watchdog = chip.clock.create_alarm(self._bitten)
        self._cut = chip.clock.create_alarm(self._cut_now)
        self._reset_wanted = self._cut_wanted = False
        self._scratch = [0, 0]
        self.chip_temperature = self._chip_temperature
        self.port.power(True)
        for device in self.devices:
            device.attach(self)
        self._start(PWRON_RESET)

    def power_off(self) -> None:
        self.power_cut()

    def power_cut(self) -> None:
        """The flash keeps what was written; an operation under way has not happened."""
        if not self.powered:
            return
        self._end()
        self._tell("power_off")
        self._target = self.time
        self.mcu = None
        self.port.power(False)

    def reset(self, *, watchdog: bool = False) -> None:
        if self.powered:
            self._restart(WDT_RESET if watchdog else PWRON_RESET)

    def close(self) -> None:
        self.power_cut()
        self._log.close()
        self._folder.cleanup()

    @property
    def flash_operations(self) -> int:
        return self._flash_operations

    def cut_power_at_flash_op(self, operation: int, fraction: float = 0.5) -> None:
        self._cut_at = (operation, fraction)

    def forget_power_cut(self) -> None:
        self._cut_at = None
        if self.powered:
            self._cut.cancel()

    def _bitten(self) -> None:
        self._reset_wanted = True

    def _cut_now(self) -> None:
        self._cut_wanted = True

    def _restart(self, cause: int) -> None:
        assert self.mcu is not None
        self._end()
        self.resets += 1
        self._watchdog.cancel()
        self.port.reset()
        for pin in self.mcu.gpio:
            pin.edges = 0
        for number, pwm in self.mcu.pwm.items():
            pwm.set(0, 0)
            self.mcu.gpio[number].listen(0)
        self._tell("chip_reset")
        if cause == PWRON_RESET:
            self._scratch = [0, 0]
        self._start(cause)
        for callback in self.on_reset:
            callback()

    def _start(self, cause: int) -> None:
        assert self.mcu is not None
        self.mcu.interrupts.clear()
        self._process = FirmwareProcess(self.name, self._flash_file, cause, self._scratch, self._log)
        # What the firmware waits for: a time, input, or an interrupt; it speaks first.
        self._until = self.mcu.clock.nanos
        self._for_input = self._interruptible = self._armed = False
        self._reply: bytes | None = None

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        return self._target if self.mcu is None else self._epoch + self.mcu.clock.nanos * 1e-9

    def run(self, seconds: float) -> None:
        self._target += seconds
        if self.mcu is None:
            return
        clock = self.mcu.clock
        target = round((self._target - self._epoch) * 1e9)
        while self.mcu is not None:
            if self._cut_wanted:
                self.power_cut()
            elif self._reset_wanted:
                self._reset_wanted = False
                self._restart(WDT_RESET)
            elif clock.nanos >= target and self._interruptible:
                return  # it waits; for however short a time, it is for the next run to end
            else:
                wake = min(self._until, self._arrival()) if self._for_input else self._until
                clock.advance(min(wake, target), self._disturbed)
                if clock.nanos >= wake or (self._interruptible and self.mcu.interrupts):
                    self._answer(target)
                elif clock.nanos >= target:
                    return

    def _disturbed(self) -> bool:
        assert self.mcu is not None
        return self._reset_wanted or self._cut_wanted or (self._interruptible and bool(self.mcu.interrupts))

    def _arrival(self) -> int:
        """When a byte lies in the receive buffer, in nanoseconds of the chip's clock."""
        assert self.mcu is not None
        if self.port.available:
            return self.mcu.clock.nanos
        at = self.port.next_arrival
        return NEVER if at is None else int((at - self._epoch) * 1e9) + 1

    # -- the firmware's process --------------------------------------------------------------------------------------

    def _answer(self, target: int) -> None:
        """Answer the firmware's request and take its next one, which it makes at the latest when it wants to wait beyond ``target``."""
        assert self.mcu is not None
        assert self._process is not None
        clock = self.mcu.clock
        horizon = min(target, self._arrival(), NEVER if self._watchdog.due is None else self._watchdog.due)
        if self._armed:
            horizon = min(horizon, clock.next_due)
        now = -(-clock.nanos // 1000)
        interrupts = bytes(self.mcu.interrupts[:255])
        del self.mcu.interrupts[:255]
        try:
            if self._reply is not None:
                received = min(self.port.available, 0xFFFF)
                self._process.answer(self._reply, now, max(now, horizon // 1000), received, interrupts)
            operation, now, payload = self._process.request()
        except (BrokenPipeError, EOFError):  # an error that nobody caught: on a Pico, MicroPython's prompt
            self._until = NEVER
            self._for_input = self._interruptible = False
            return
        clock.advance(now * 1000)
        self._reply = b""
        self._for_input = self._interruptible = False
        self._until = clock.nanos
        self._serve[operation](payload)

    def _wait(self, data: bytes) -> None:
        until, for_input = struct.unpack("<QB", data)
        self._until = until * 1000
        self._for_input = bool(for_input)
        self._interruptible = True

    def _pin(self, data: bytes) -> None:
        assert self.mcu is not None
        number, mode, pull, level = data
        pin = self.mcu.gpio[number]
        if mode == _INPUT:
            pin.listen(pull)
        elif level != _UNCHANGED:
            pin.drive(bool(level))

    def _pin_read(self, data: bytes) -> None:
        assert self.mcu is not None
        self._reply = bytes((self.mcu.gpio[data[0]].level,))

    def _pin_irq(self, data: bytes) -> None:
        assert self.mcu is not None
        number, edges = data
        self.mcu.gpio[number].edges = edges
        self._armed = any(pin.edges for pin in self.mcu.gpio)

    def _i2c(self, data: bytes) -> None:
        assert self.mcu is not None
        bus, frequency, timeout, address, length, count = struct.unpack_from("<BIIBHH", data)
        try:
            found = self.mcu.i2c[bus].transfer(frequency, timeout, address, data[len(data) - length :], count)
            self._reply = b"\0" + found
        except BusError as error:
            self._reply = bytes((error.number,))
        self._until = self.mcu.clock.nanos

    def _spi(self, data: bytes) -> None:
        assert self.mcu is not None
        bus, rate, wanted, count, fill = struct.unpack_from(_SPI_HEAD, data)
        spi = self.mcu.spi[bus]
        spi.clock_frequency = rate
        answers = spi.exchange(bytes((fill,)) * count if count else data[struct.calcsize(_SPI_HEAD) :])
        self._reply = answers if wanted else b""
        self._until = self.mcu.clock.nanos

    def _uart(self, data: bytes) -> None:
        _, tx_buffer, rx_buffer = struct.unpack("<III", data)
        self.port.tx_room, self.port.rx_room = tx_buffer + FIFO, rx_buffer + FIFO

    def _uart_write(self, data: bytes) -> None:
        self._reply = struct.pack("<I", self.port.transmit(data))

    def _uart_read(self, data: bytes) -> None:
        self._reply = self.port.receive(*struct.unpack("<I", data))

    def _pwm(self, data: bytes) -> None:
        assert self.mcu is not None
        self.mcu.set_pwm(*struct.unpack("<BIQ", data))

    def _adc(self, data: bytes) -> None:
        assert self.mcu is not None
        self._reply = struct.pack("<H", self.mcu.adc.channel_values[data[0]])

    def _wdt(self, data: bytes) -> None:
        (timeout,) = struct.unpack("<I", data)
        if timeout:
            self._watchdog.schedule(timeout * 1e6)
        else:
            self._watchdog.cancel()

    def _keep(self, data: bytes) -> None:
        at, value = struct.unpack("<BI", data)
        self._scratch[at] = value

    def _flash(self, data: bytes) -> None:
        assert self.mcu is not None
        nanoseconds = round((SECTOR_ERASE_S if data[0] else PAGE_PROGRAM_S) * 1e9)
        self._until = self.mcu.clock.nanos + nanoseconds
        if self._cut_at is not None and self._flash_operations >= self._cut_at[0]:
            self._cut.schedule(self._cut_at[1] * nanoseconds)
            self._cut_at = None
        self._flash_operations += 1
        self.port.deaf(self._epoch + self._until * 1e-9)

    def _reset(self, _data: bytes) -> None:
        self._until = NEVER
        self._reset_wanted = True

    def spi_wait(self, number: int) -> _NoWait:
        return _NoWait()

    # -- flash -------------------------------------------------------------------------------------------------------

    def flash_bytes(self) -> bytes:
        return self._flash_file.read_bytes()


class _NoWait:
    """A read over SPI is one request: nothing to be skipped."""

    def watch(self) -> None:
        pass

    def stop(self) -> None:
        pass
