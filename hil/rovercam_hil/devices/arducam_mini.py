"""ArduCAM Mini 2MP Plus at register level: the ArduChip on SPI and its OV2640 on I2C (SCCB).

The OV2640's DSP scales the window that its registers describe to the size in ZMOW, ZMOH; here the scene is fitted to that
size, so a scene of exactly that size arrives pixel for pixel. Assumed, as the documents are silent: no dummy byte in
burst reads, eight bytes of blanking in the FIFO's length, and busy times.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rovercam_hil.devices import sensor
from rovercam_hil.devices.i2c import I2cDevice
from rovercam_hil.devices.scene import PatternScene, Scene
from rovercam_hil.devices.spi import IDLE, SpiDevice

_FRAME_S = 1 / 15
_BLANKING = 8


class OV2640(I2cDevice):
    """The sensor's two register banks (0 DSP, 1 sensor), selected by register 0xFF."""

    def __init__(self, address: int = 0x30) -> None:
        super().__init__(address)
        self.power_on()

    def power_on(self) -> None:
        self.banks = [bytearray(256), bytearray(256)]
        self.bank = 0
        dsp, sense = self.banks
        sense[0x0A], sense[0x0B], sense[0x1C], sense[0x1D] = 0x26, 0x42, 0x7F, 0xA2
        sense[0x13] = 0xE5  # COM8: banding filter, AGC, AEC
        sense[0x10] = sensor.NOMINAL_EXPOSURE >> 2
        dsp[0x05] = 0x01  # bypass until set up
        dsp[0x44] = 0x0C

    def next_pointer(self, pointer: int, *, writing: bool) -> int:
        return pointer  # SCCB: one register per transfer

    def read_register(self, register: int) -> int:
        if register == 0xFF:
            return self.bank
        if self.bank == 1 and register == 0x0A:
            return int(self.faults.get("wrong_id", 0x26))
        return self.banks[self.bank][register]

    def write_register(self, register: int, value: int) -> None:
        if register == 0xFF:
            self.bank = value & 1
        elif self.bank == 1 and register == 0x12 and value & 0x80:
            self.power_on()
        elif not (self.bank == 1 and register in (0x0A, 0x0B, 0x1C, 0x1D)):
            self.banks[self.bank][register] = value

    @property
    def size(self) -> tuple[int, int]:
        """Output width and height (ZMOW, ZMOH, ZMHH)."""
        dsp = self.banks[0]
        return ((dsp[0x5C] & 3) << 8 | dsp[0x5A]) * 4, ((dsp[0x5C] >> 2 & 1) << 8 | dsp[0x5B]) * 4

    @property
    def format(self) -> int:
        mode = self.banks[0][0xDA]
        return sensor.JPEG if mode & 0x10 else sensor.RGB565 if mode & 0x0C == 0x08 else sensor.YUV

    def settings(self) -> sensor.Settings:
        """Exposure and gain as the sensor's registers say."""
        r = self.banks[1]
        gain = r[0x00]
        steps = 16 + (gain & 15)
        for bit in range(4, 8):
            steps *= 2 if gain >> bit & 1 else 1
        return sensor.Settings(
            auto_exposure=bool(r[0x13] & 1),
            auto_gain=bool(r[0x13] & 4),
            exposure=max(1, (r[0x45] & 0x3F) << 10 | r[0x10] << 2 | r[0x04] & 3),
            gain=steps,
            exposure_max=1200,
        )


class ArducamMini(SpiDevice):
    """The ArduChip; ``sensor_chip`` goes onto the I2C bus."""

    KNOWN: ClassVar[dict[str, str]] = {
        "dead": "does not answer: MISO floats high",
        "never_ready": "takes pictures that never complete",
        "length": "reports this FIFO length",
        "brown_out": "falls back to power-on defaults, once",
    }

    def __init__(self, scene: Scene | None = None, *, seed: int = 1) -> None:
        super().__init__()
        self.scene: Scene = scene if scene is not None else PatternScene()
        self.sensor_chip = OV2640()
        self._rng = np.random.default_rng(seed)

    def power_on(self) -> None:
        self.registers = bytearray(128)
        self.registers[0x40] = 0x73
        self._done_at: float | None = None
        self._pending = False
        self._memory = b""
        self._position = 0
        self._command: int | None = None
        self._streaming = False

    def fault_changed(self, name: str) -> None:
        if name == "brown_out":
            self.clear(name)
            self.power_on()
            self.sensor_chip.power_on()

    def selected(self) -> None:
        self._command = None
        self._streaming = False
        self._count = 0

    def deselected(self) -> None:
        if self._streaming:
            self._position = self.bus.streamed(self._memory)
        self._command = None

    def exchange(self, value: int) -> int:
        if "dead" in self.faults:
            return IDLE
        if self._command is None:
            self._command = value
            if value == 0x3C:
                self._frame()
                self._streaming = self.bus.stream(self._memory, self._position)
            return 0
        self._count += 1
        if self._command & 0x80:
            if self._count == 1:
                self._write(self._command & 0x7F, value)
            return 0
        if self._command in (0x3C, 0x3D):
            self._frame()
            self._position += 1
            return self._memory[self._position - 1] if self._position <= len(self._memory) else IDLE
        return self._read(self._command)

    def _read(self, register: int) -> int:
        if register == 0x41:
            done = self._done_at is not None and self.board.time >= self._done_at and "never_ready" not in self.faults
            return 8 if done else 0
        if 0x42 <= register <= 0x44:
            self._frame()
            length = int(self.faults.get("length", len(self._memory)))
            return length >> 8 * (register - 0x42) & 0xFF
        return self.registers[register]

    def _write(self, register: int, value: int) -> None:
        if register == 0x07 and value & 0x80:
            self.power_on()
        elif register == 0x04:
            if value & 0x01:
                self._done_at = None
            if value & 0x20:
                self._memory = b""
            if value & 0x10:
                self._position = 0
            if value & 0x02:
                self._done_at = self.board.time + 2 * _FRAME_S
                self._pending = True
        elif register != 0x40:
            self.registers[register] = value

    def _frame(self) -> None:
        if not self._pending or self._done_at is None or self.board.time < self._done_at:
            return
        self._pending = False
        width, height = self.sensor_chip.size
        if not width or not height:
            return
        chip = self.sensor_chip
        at = self._done_at - _FRAME_S
        self._memory = sensor.expose(self.scene, at, width, height, chip.format, chip.settings(), self._rng) + bytes(
            _BLANKING
        )
