"""Arducam Mega 3MP / 5MP at register level ("Mega SPI Camera Series Application Note", September 2023).

What the note leaves open is decided here and marked "assumed": the time settings take inside the camera, the state
register's value while busy, the order of the two bytes of a pixel (YUYV; RGB565 high byte first), and JPEG files filled
up to a multiple of 8 bytes.
"""

from __future__ import annotations

import struct
from typing import ClassVar

import numpy as np

from rovercam_hil.devices import sensor
from rovercam_hil.devices.scene import PatternScene, Scene
from rovercam_hil.devices.spi import IDLE, SpiDevice

SIZES = {
    0: (160, 120), 1: (320, 240), 2: (640, 480), 3: (800, 600), 4: (1280, 720), 5: (1280, 960), 6: (1600, 1200),
    7: (1920, 1080), 8: (2048, 1536), 9: (2592, 1944), 10: (96, 96), 11: (128, 128), 12: (320, 320),
}  # fmt: skip
SUPPORTED = {"5MP": (1, 2, 4, 6, 7, 9, 10, 11, 12), "3MP": (1, 2, 4, 6, 7, 8, 10, 11, 12)}
IDS = {"5MP": 0x81, "3MP": 0x82}
MEMORY = 8 << 20

_BURST, _SINGLE, _STATE = 0x3C, 0x3D, 0x44
_RESET_S = 0.25  # assumed: FPGA and sensor start
_FORMAT_S = 0.06  # assumed: some 250 sensor registers over the inner I2C
_RESOLUTION_S = 0.03  # assumed
_SETTING_S = 0.004  # assumed: a few registers
_FOCUS_S = 1.0  # assumed: "config is very long"
_FRAME_S = {9: 1 / 15, 8: 1 / 15, 7: 1 / 20, 6: 1 / 20}  # assumed; the others 1/30
_LINE_S = 20e-6  # assumed: one line of exposure


def _signed(level: int) -> int:
    """0, 1, 2, 3, 4 … mean 0, +1, -1, +2, -2 …"""
    return (level + 1) // 2 if level & 1 else -(level // 2)


class ArducamMega(SpiDevice):
    """The camera looks at ``scene``; ``model`` is "5MP" or "3MP"; ``noise`` in counts, ``seed`` its generator."""

    KNOWN: ClassVar[dict[str, str]] = {
        "dead": "does not answer: MISO floats high",
        "wrong_id": "reads another identification (the value)",
        "busy": "never becomes idle",
        "never_ready": "takes pictures that never complete",
        "length": "reports this FIFO length",
        "corrupted_fifo": "flips bits of the picture (the value: fraction of bytes hit)",
        "brown_out": "falls back to power-on defaults, once; a picture in memory is lost",
    }

    def __init__(self, scene: Scene | None = None, *, model: str = "5MP", noise: float = 0.0, seed: int = 1) -> None:
        super().__init__()
        self.scene: Scene = scene if scene is not None else PatternScene()
        self.model = model
        self.noise = noise
        self._rng = np.random.default_rng(seed)
        self.captures = 0
        self.bytes_read = 0
        self._powered = False

    # -- power -------------------------------------------------------------------------------------------------------

    def power_on(self) -> None:
        self._powered = True
        self._defaults()

    def power_off(self) -> None:
        self._powered = False

    def _defaults(self) -> None:
        self.registers = bytearray(128)
        self.registers[0x02] = 0x05
        self.registers[0x06] = 0x01
        self.settings = sensor.Settings(noise=self.noise)
        self.format = sensor.JPEG
        self.size = 9 if self.model == "5MP" else 8
        self._busy_until = self.board.time + _RESET_S
        self._done_at: float | None = None
        self._exposed: float | None = None
        self._memory = b""
        self._position = 0
        self._first_burst = True
        self._command: int | None = None
        self._count = 0
        self._frame_settings = self.settings

    def fault_changed(self, name: str) -> None:
        if name == "brown_out":
            self.clear(name)
            if self._powered:
                self._defaults()

    # -- SPI ---------------------------------------------------------------------------------------------------------

    def selected(self) -> None:
        self._command = None
        self._count = 0
        self._streaming = False

    def deselected(self) -> None:
        if self._command == _BURST and self._streaming:
            at = self.bus.streamed(self._memory)
            self.bytes_read += at - self._position
            self._position = at
        self._command = None

    def exchange(self, value: int) -> int:
        if "dead" in self.faults or not self._powered:
            return IDLE
        command = self._command
        if command is None:
            self._command = value
            if value == _BURST:
                self._frame()
                # The first burst of a picture begins with a dummy byte, later ones with data at once (3.3, 3.4).
                if not self._first_burst:
                    self._streaming = self.bus.stream(self._memory, self._position)
            return 0
        self._count += 1
        if command & 0x80:
            if self._count == 1:
                self._write(command & 0x7F, value)
            return 0
        if command == _BURST:
            if self._first_burst:
                self._first_burst = False
                self._streaming = self.bus.stream(self._memory, self._position)
                return 0
            return self._next()
        if self._count == 1:
            return 0  # the dummy of a single read (3.1)
        if command == _SINGLE:
            self._frame()
            return self._next()
        return self._read(command)

    def _next(self) -> int:
        if self._position >= len(self._memory):
            return IDLE
        self._position += 1
        self.bytes_read += 1
        return self._memory[self._position - 1]

    # -- registers ---------------------------------------------------------------------------------------------------

    @property
    def _awake(self) -> bool:
        return self.registers[0x02] & 0x07 == 0x05

    def _read(self, register: int) -> int:
        now = self.board.time
        if register == 0x40:
            return int(self.faults.get("wrong_id", IDS[self.model]))
        if register in (0x41, 0x42, 0x43, 0x49):  # year, month, day, FPGA version
            return {0x41: 23, 0x42: 2, 0x43: 20, 0x49: 0x21}[register]
        if register == _STATE:
            idle = now >= self._busy_until and "busy" not in self.faults
            done = self._done_at is not None and now >= self._done_at and "never_ready" not in self.faults
            return (2 if idle else 1) | (4 if done else 0)
        if 0x45 <= register <= 0x47:
            self._frame()
            length = int(self.faults.get("length", len(self._memory)))
            return length >> 8 * (register - 0x45) & 0xFF
        if register <= 0x0C or register == 0x0D:
            return self.registers[register]
        return 0  # write only

    def _write(self, register: int, value: int) -> None:
        now = self.board.time
        if register == 0x07:
            if value & 0x80:
                self._memory, self._position = b"", 0
            if value & 0x40:
                self._defaults()
            return
        if register == 0x04:
            if value & 1:
                self._done_at = None
            if value & 2:
                self._start()
            return
        if register >= len(self.registers):
            return
        self.registers[register] = value
        if not 0x20 <= register <= 0x35:
            return
        self._setting(register, value)
        taken = {0x20: _FORMAT_S, 0x21: _RESOLUTION_S, 0x29: _FOCUS_S}.get(register, _SETTING_S)
        self._busy_until = max(now, self._busy_until) + taken

    def _setting(self, register: int, value: int) -> None:
        s = self.settings
        if register == 0x20 and value & 3:
            self.format = value & 3
        elif register == 0x21:
            if value & 0x7F in SUPPORTED[self.model]:
                self.size = value & 0x7F
        elif register == 0x22:
            s.brightness = _signed(min(value & 15, 8))
        elif register == 0x23:
            s.contrast = _signed(min(value & 15, 6))
        elif register == 0x24:
            s.saturation = _signed(min(value & 7, 6))
        elif register == 0x25:
            s.ev = _signed(min(value & 7, 6))
        elif register == 0x26:
            s.balance = value & 7
        elif register == 0x27:
            s.effect = value & 15
        elif register == 0x2A:
            s.quality = value & 3
        elif register == 0x30:
            on = bool(value & 0x80)
            if value & 3 == 0:
                s.auto_gain = on
            elif value & 3 == 1:
                s.auto_exposure = on
            elif value & 3 == 2:
                s.auto_balance = on
        elif register in (0x31, 0x32):
            s.gain = max(1, (self.registers[0x31] & 3) << 8 | self.registers[0x32])
        elif register in (0x33, 0x34, 0x35):
            r = self.registers
            s.exposure = max(1, (r[0x33] & 15) << 16 | r[0x34] << 8 | r[0x35])

    # -- taking a picture --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self._awake:
            return
        frame = _FRAME_S.get(self.size, 1 / 30)
        exposure = 0.0 if self.settings.auto_exposure else self.settings.exposure * _LINE_S
        # The frame that is under way is let pass, the next one is written to memory.
        self._exposed = max(self.board.time, self._busy_until) + frame
        self._done_at = self._exposed + max(frame, exposure)
        self._memory, self._position, self._first_burst = b"", 0, True
        self.captures += 1

    def _frame(self) -> None:
        """Render what the last capture saw, once it is asked for."""
        if self._exposed is None or self._done_at is None or self.board.time < self._done_at:
            return
        at, self._exposed = self._exposed, None
        width, height = SIZES[self.size]
        if self.registers[0x06] & 0x80:  # test data: a 32-bit counter
            data = struct.pack(f">{width * height // 2}I", *range(width * height // 2))
        else:
            data = sensor.expose(self.scene, at, width, height, self.format, self.settings, self._rng)
        if self.format == sensor.JPEG:
            data += bytes(-len(data) % 8)
        fraction = self.faults.get("corrupted_fifo")
        if fraction:
            pixels = np.frombuffer(data, np.uint8).copy()
            hit = self._rng.random(pixels.size) < float(fraction)
            pixels[hit] ^= self._rng.integers(1, 256, int(hit.sum()), dtype=np.uint8)
            data = pixels.tobytes()
        self._memory = data[:MEMORY]
