"""Arducam Mega 3MP and 5MP: SPI only, mode 0, 8 MHz ("Mega SPI Camera Series Application Note", September 2023).

One register access is one chip select: write = address | 0x80, value; read = address, dummy, value. The picture is read
in bursts; only the first burst after a capture begins with a dummy byte (3.3, 3.4). A register write may need 1 ms, and
settings that go on to the sensor over the camera's inner I2C show in the state register until they are done.
"""

import asyncio
import time

from micropython import const

from rover.camera import base

_FRAMES = const(0x01)
_POWER = const(0x02)
_FIFO = const(0x04)
_RESET = const(0x07)
_FORMAT = const(0x20)
_RESOLUTION = const(0x21)
_WHITE_BALANCE = const(0x26)
_AUTOMATIC = const(0x30)
_GAIN = const(0x31)
_EXPOSURE = const(0x33)
_ID = const(0x40)
_STATE = const(0x44)
_LENGTH = const(0x45)

_STATE_IDLE = const(2)  # bits 1:0
_STATE_DONE = const(4)
_AUTO_GAIN = const(0)
_AUTO_EXPOSURE = const(1)
_AUTO_BALANCE = const(2)
_POWER_NORMAL = const(0x05)
_POWER_SLEEP = const(0x07)

_LOOK_MS = const(10)  # between two looks at the state: each takes other tasks about 1 ms of the processor
_IDLE_TIMEOUT_MS = const(2000)
_CAPTURE_TIMEOUT_MS = const(4000)
_MEMORY = const(8388608)  # the camera's picture memory, bytes
_IDS = (0x81, 0x82, 0x83, 0x84)  # 5MP, 3MP, and the second makes of both
_3MP = (0x82, 0x84)
_SIZES_5MP = (1, 2, 4, 6, 7, 9, 10, 11, 12)
_SIZES_3MP = (1, 2, 4, 6, 7, 8, 10, 11, 12)


class ArducamMega(base.SpiCamera):
    """spi: machine.SPI at 8 MHz, mode 0; cs: Pin, high when idle. The camera is looked for at the first capture."""

    name = "arducam_mega"

    def __init__(self, spi, cs):
        super().__init__(spi, cs)
        self._out = bytearray(3)
        self._in = bytearray(3)
        self.id = 0
        self._size = -1
        self._asleep = False

    def _read(self, register):
        self._out[0] = register
        self._cs(0)
        try:
            self._spi.write_readinto(self._out, self._in)
        finally:
            self._cs(1)
        return self._in[2]

    def _write(self, register, value):
        self._out[0] = register | 0x80
        self._out[1] = value
        self._cs(0)
        try:
            self._spi.write(memoryview(self._out)[:2])
        finally:
            self._cs(1)
            self._out[1] = 0

    async def _idle(self):
        start = time.ticks_ms()
        while True:
            state = self._read(_STATE)
            if state & 3 == _STATE_IDLE:
                return
            if time.ticks_diff(time.ticks_ms(), start) > _IDLE_TIMEOUT_MS:
                # A floating or stuck line reads all ones or all zeros.
                raise base.CameraError(base.ABSENT if state in (0, 255) else base.BUSY, state)
            await asyncio.sleep_ms(_LOOK_MS)

    async def _set(self, register, value):
        self._write(register, value)
        await asyncio.sleep_ms(1)
        await self._idle()

    async def begin(self):
        """Reset the camera and check that it is one. Raises CameraError(ABSENT | WRONG_ID | BUSY)."""
        self.id = 0
        self._size = -1
        self._asleep = False
        if self._read(_ID) in (0, 255) and self._read(_STATE) in (0, 255):
            raise base.CameraError(base.ABSENT)
        await self._set(_RESET, 0x40)
        found = self._read(_ID)
        if found not in _IDS:
            raise base.CameraError(base.WRONG_ID, found)
        self.id = found
        await self._idle()

    async def _ready(self):
        if self._asleep:
            await self._set(_POWER, _POWER_NORMAL)
            self._asleep = False
        if not self.id:
            await self.begin()

    def probe(self):
        """Whether an Arducam Mega answers now."""
        return self._read(_ID) in _IDS

    def sizes(self):
        return _SIZES_3MP if self.id in _3MP else _SIZES_5MP

    async def capture(self, size, format=base.FORMAT_YUV):
        self._left = self.length = 0
        try:
            await self._capture(size, format)
        except base.CameraError as e:
            if e.code != base.BAD_SETTING:
                self.id = 0  # begin again from the reset next time
            raise

    async def _capture(self, size, format):
        await self._ready()
        width, height = base.size_of(size)
        if size not in self.sizes() or not 1 <= format <= 3:
            raise base.CameraError(base.BAD_SETTING, size)
        if self._size != size or self.format != format:
            self._size = -1
            await self._set(_FORMAT, format)
            await self._set(_RESOLUTION, size)
            self._size = size
            self.format = format
        self.width = width
        self.height = height
        self._write(_FRAMES, 0)  # one frame
        self._write(_FIFO, 1)  # clear the completion flag
        self._write(_FIFO, 2)  # start
        start = time.ticks_ms()
        while not self._read(_STATE) & _STATE_DONE:
            if time.ticks_diff(time.ticks_ms(), start) > _CAPTURE_TIMEOUT_MS:
                raise base.CameraError(base.NOT_READY, self._in[2])
            await asyncio.sleep_ms(_LOOK_MS)
        if self._in[2] == 255 and self._read(_ID) not in _IDS:  # a line stuck high looks like "done"
            raise base.CameraError(base.ABSENT, 255)
        length = self._read(_LENGTH) | self._read(_LENGTH + 1) << 8 | self._read(_LENGTH + 2) << 16
        full = width * height * 2
        if format == base.FORMAT_JPEG:
            if not 4 <= length <= min(full, _MEMORY):
                raise base.CameraError(base.BAD_LENGTH, length)
        elif length != full:
            raise base.CameraError(base.BAD_LENGTH, length)
        self.length = self._left = length
        self._first = True

    async def set_exposure(self, lines):
        await self._ready()
        await self._set(_AUTOMATIC, (0 if lines else 0x80) | _AUTO_EXPOSURE)
        if lines:
            await self._set(_EXPOSURE, lines >> 16 & 0x0F)
            await self._set(_EXPOSURE + 1, lines >> 8 & 0xFF)
            await self._set(_EXPOSURE + 2, lines & 0xFF)

    async def set_gain(self, gain):
        await self._ready()
        await self._set(_AUTOMATIC, (0 if gain else 0x80) | _AUTO_GAIN)
        if gain:
            await self._set(_GAIN, gain >> 8 & 3)
            await self._set(_GAIN + 1, gain & 0xFF)

    async def set_white_balance(self, mode):
        if not 0 <= mode <= 4:
            raise base.CameraError(base.BAD_SETTING, mode)
        await self._ready()
        await self._set(_AUTOMATIC, (0 if mode else 0x80) | _AUTO_BALANCE)
        await self._set(_WHITE_BALANCE, mode)

    async def set(self, register, value):
        """Any setting of the application note's register table (0x22 brightness, 0x27 effect…), until the next reset."""
        await self._ready()
        await self._set(register, value)

    def sleep(self):
        self._write(_POWER, _POWER_SLEEP)
        self._asleep = True
