"""A camera for a bare board: a test pattern made on the board, of any size, so that a first picture needs no hardware.

Grey: a ramp from left to right plus steps downwards; a bright cross through the middle and a checked corner show
orientation and lost rows. Y = ((x * 255 / (width - 1)) + 8 * (y / 8 mod 32)) mod 256 outside the cross.
"""

import micropython

from rover.camera import base


@micropython.viper
def _row(out: ptr8, width: int, height: int, y: int, yuv: int):
    """One row: Y alone, or YUYV with chroma that turns with the position."""
    step = 2 if yuv else 1
    base_y = ((y >> 3) & 31) << 3
    scale = 65536 * 255 // (width - 1 if width > 1 else 1)
    v = 0
    o = 0
    for x in range(width):
        p = ((v >> 16) + base_y) & 255
        if x == width >> 1 or y == height >> 1:
            p = 255
        elif x < 32 and y < 32:
            p = 235 if ((x >> 3) ^ (y >> 3)) & 1 else 16
        out[o] = p
        if yuv:
            out[o + 1] = (v >> 16) if x & 1 else 255 - (v >> 16)
        o += step
        v += scale


class PatternCamera(base.Camera):
    """capture() accepts a picture_size id, or (width, height) of even width up to 4096."""

    name = "pattern"

    def __init__(self):
        self._line = None
        self._at = 0
        self._y = 0

    def sizes(self):
        return tuple(range(14))

    async def capture(self, size, format=base.FORMAT_YUV):
        if isinstance(size, tuple):
            self.width, self.height = size
        else:
            self.width, self.height = base.size_of(size)
        if format != base.FORMAT_YUV or self.width & 1 or not 2 <= self.width <= 4096 or self.height < 1:
            raise base.CameraError(base.BAD_SETTING, format)
        self.format = format
        self.length = self._left = self.width * self.height * 2
        if self._line is None or len(self._line) != self.width * 2:
            self._line = bytearray(self.width * 2)
        self._at = len(self._line)
        self._y = 0

    def read_into(self, buf):
        n = min(len(buf), self._left)
        done = 0
        line = self._line
        while done < n:
            if self._at == len(line):
                _row(line, self.width, self.height, self._y, 1)
                self._y += 1
                self._at = 0
            k = min(n - done, len(line) - self._at)
            buf[done : done + k] = memoryview(line)[self._at : self._at + k]
            self._at += k
            done += k
        self._left -= n
        if not self._left:
            self._line = None
        return n

    async def set_exposure(self, lines):
        pass

    async def set_gain(self, gain):
        pass

    async def set_white_balance(self, mode):
        pass
