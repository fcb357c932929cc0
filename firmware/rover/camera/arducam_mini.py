"""ArduCAM Mini 2MP Plus: OV2640 on an ArduChip. Picture over SPI, sensor registers over I2C (SCCB, 0x30).

ArduChip: write = address | 0x80, value; read = address, value (no dummy byte). The sensor is set up from its reset state
with the documented windowing and format registers (OV2640 data sheet 1.6 and software guide); its picture tuning stays
at the reset values. Unproven on hardware.
"""

import asyncio
import time

from micropython import const

from rover.camera import base

_TEST = const(0x00)
_FRAMES = const(0x01)
_FIFO = const(0x04)
_RESET = const(0x07)
_TRIGGER = const(0x41)
_LENGTH = const(0x42)
_DONE = const(0x08)

_ADDRESS = const(0x30)
_BANK = const(0xFF)
_TIMEOUT_MS = const(3000)
_WIDTH = const(1600)  # the sensor's full array
_HEIGHT = const(1200)
_SIZES = (0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13)
_MODES = {1: 0x10, 2: 0x08, 3: 0x00}  # IMAGE_MODE: JPEG, RGB565, YUV422


class ArducamMini(base.SpiCamera):
    """spi, cs as for the Mega; i2c: the bus with the sensor."""

    name = "arducam_mini"

    def __init__(self, spi, cs, i2c):
        super().__init__(spi, cs)
        self._i2c = i2c
        self._out = bytearray(2)
        self._in = bytearray(2)
        self.id = 0
        self._size = -1

    def _read(self, register):
        self._out[0] = register
        self._out[1] = 0
        self._cs(0)
        try:
            self._spi.write_readinto(self._out, self._in)
        finally:
            self._cs(1)
        return self._in[1]

    def _write(self, register, value):
        self._out[0] = register | 0x80
        self._out[1] = value
        self._cs(0)
        try:
            self._spi.write(self._out)
        finally:
            self._cs(1)

    def _sensor(self, *pairs):
        for i in range(0, len(pairs), 2):
            self._out[0] = pairs[i]
            self._out[1] = pairs[i + 1]
            try:
                self._i2c.writeto(_ADDRESS, self._out)
            except OSError:
                raise base.CameraError(base.ABSENT, pairs[i])

    def _sensor_read(self, register):
        self._byte[0] = register
        try:
            self._i2c.writeto(_ADDRESS, self._byte)
            self._i2c.readfrom_into(_ADDRESS, self._byte)
        except OSError:
            raise base.CameraError(base.ABSENT, register)
        return self._byte[0]

    async def begin(self):
        """Reset ArduChip and sensor, check both. Raises CameraError(ABSENT | WRONG_ID)."""
        self.id = 0
        self._size = -1
        self._write(_RESET, 0x80)
        await asyncio.sleep_ms(100)
        self._write(_RESET, 0)
        await asyncio.sleep_ms(100)
        for pattern in (0x55, 0xAA):
            self._write(_TEST, pattern)
            if self._read(_TEST) != pattern:
                raise base.CameraError(base.ABSENT, self._in[1])
        self._sensor(_BANK, 1, 0x12, 0x80)  # COM7: reset
        await asyncio.sleep_ms(100)
        self._sensor(_BANK, 1)
        found = self._sensor_read(0x0A) << 8 | self._sensor_read(0x0B)
        if found not in (0x2641, 0x2642):
            raise base.CameraError(base.WRONG_ID, found)
        self.id = found

    def probe(self):
        """Whether the ArduChip answers now."""
        self._write(_TEST, 0x5A)
        return self._read(_TEST) == 0x5A

    def sizes(self):
        return _SIZES

    def _window(self, width, height, format):
        """Whole array, cropped to the aspect ratio in steps of 8, scaled by the DSP to width × height."""
        w = min(_WIDTH, _HEIGHT * width // height) & ~7
        h = min(_HEIGHT, _WIDTH * height // width) & ~7
        x = (_WIDTH - w) >> 1
        y = (_HEIGHT - h) >> 1
        hs = w >> 2
        vs = h >> 2
        ow = width >> 2
        oh = height >> 2
        self._sensor(
            _BANK, 1, 0x12, 0x00,  # COM7: UXGA
            _BANK, 0, 0xE0, 0x04,  # DVP in reset while it is set up
            0xC0, _WIDTH >> 3, 0xC1, _HEIGHT >> 3,  # HSIZE8, VSIZE8
            0x50, 0x00,  # CTRLI: no further division
            0x51, hs & 255, 0x52, vs & 255,
            0x53, x & 255, 0x54, y & 255,
            0x55, (vs >> 8 & 1) << 7 | (y >> 8 & 7) << 4 | (hs >> 8 & 1) << 3 | x >> 8 & 7,
            0x57, (hs >> 9 & 1) << 7,
            0x5A, ow & 255, 0x5B, oh & 255, 0x5C, (oh >> 8 & 1) << 2 | ow >> 8 & 3,
            0xDA, _MODES[format],
            0x05, 0x00,  # DSP in the path
            0xE0, 0x00,
        )  # fmt: skip

    async def capture(self, size, format=base.FORMAT_YUV):
        self._left = self.length = 0
        try:
            await self._capture(size, format)
        except base.CameraError as e:
            if e.code != base.BAD_SETTING:
                self.id = 0
            raise

    async def _capture(self, size, format):
        if not self.id:
            await self.begin()
        width, height = base.size_of(size)
        if size not in _SIZES or not 1 <= format <= 3:
            raise base.CameraError(base.BAD_SETTING, size)
        if self._size != size or self.format != format:
            self._size = -1
            self._window(width, height, format)
            await asyncio.sleep_ms(150)  # two frames until the exposure has settled
            self._size = size
            self.format = format
        self.width = width
        self.height = height
        self._write(_FRAMES, 0)
        self._write(_FIFO, 0x01)  # clear the done flag
        self._write(_FIFO, 0x20)  # write pointer to zero
        self._write(_FIFO, 0x10)  # read pointer to zero
        self._write(_FIFO, 0x02)  # start
        start = time.ticks_ms()
        while not self._read(_TRIGGER) & _DONE:
            if time.ticks_diff(time.ticks_ms(), start) > _TIMEOUT_MS:
                raise base.CameraError(base.NOT_READY, self._in[1])
            await asyncio.sleep_ms(2)
        if self._in[1] == 255 and not self.probe():
            raise base.CameraError(base.ABSENT, 255)
        length = self._read(_LENGTH) | self._read(_LENGTH + 1) << 8 | (self._read(_LENGTH + 2) & 0x7F) << 16
        full = width * height * 2
        if format == base.FORMAT_JPEG:
            if not 4 <= length <= full:
                raise base.CameraError(base.BAD_LENGTH, length)
        elif full <= length <= full + 16:
            length = full  # the ArduChip may count a few words of blanking
        else:
            raise base.CameraError(base.BAD_LENGTH, length)
        self.length = self._left = length

    async def set_exposure(self, lines):
        if not self.id:
            await self.begin()
        com8 = 0xE0 | self._agc()
        self._sensor(_BANK, 1, 0x13, com8 if lines else com8 | 1)
        if lines:
            low = self._sensor_read(0x04) & 0xFC
            self._sensor(0x04, low | lines & 3, 0x10, lines >> 2 & 255, 0x45, lines >> 10 & 0x3F)

    def _agc(self):
        self._sensor(_BANK, 1)
        return self._sensor_read(0x13) & 4

    async def set_gain(self, gain):
        """gain: the sensor's GAIN register (0 = automatic): (1 + low four bits / 16) × 2 per bit set above."""
        if not self.id:
            await self.begin()
        self._sensor(_BANK, 1)
        com8 = 0xE0 | self._sensor_read(0x13) & 1
        self._sensor(0x13, com8 if gain else com8 | 4)
        if gain:
            self._sensor(0x00, gain & 255)
