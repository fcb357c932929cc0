"""What a camera offers, and how it fails. Drivers get bus and pins through the constructor and touch nothing else.

A picture stays in the camera's own memory (FIFO); the board reads it through in order, in pieces of any size:

    await camera.capture(size, FORMAT_YUV)
    while camera.available():
        n = camera.read_into(buf)

Sizes are the dictionary's picture_size ids, which are the Arducam Mega's resolution codes.
"""

from micropython import const

FORMAT_JPEG = const(1)  # the dictionary's and the Arducam Mega's codes
FORMAT_RGB565 = const(2)  # two bytes per pixel, high byte first
FORMAT_YUV = const(3)  # YUYV: Y0 U Y1 V, two bytes per pixel

# CameraError.code: what the event camera_failed carries
ABSENT = const(1)  # nothing answers on the bus
WRONG_ID = const(2)  # something else answers
BUSY = const(3)  # does not become idle after a setting or reset
NOT_READY = const(4)  # started, but the picture never comes
BAD_LENGTH = const(5)  # the FIFO's length cannot be that of the picture
BAD_SETTING = const(6)  # size, format or value this camera does not have

_BURST = const(0x3C)  # the register that reads the picture's next bytes

_WIDTH = (160, 320, 640, 800, 1280, 1280, 1600, 1920, 2048, 2592, 96, 128, 320, 1024)
_HEIGHT = (120, 240, 480, 600, 720, 960, 1200, 1080, 1536, 1944, 96, 128, 320, 1024)


class CameraError(OSError):
    """code says what failed (constants above), value what was found."""

    def __init__(self, code, value=0):
        super().__init__(code, value)
        self.code = code
        self.value = value


def size_of(size):
    """Pixels (width, height) of a picture_size id."""
    if not 0 <= size < len(_WIDTH):
        raise CameraError(BAD_SETTING, size)
    return _WIDTH[size], _HEIGHT[size]


class Camera:
    """Base of all drivers. After capture(): width, height, format, length (bytes in the FIFO)."""

    name = "camera"
    width = 0
    height = 0
    format = 0
    length = 0
    _left = 0

    def sizes(self):
        """The picture_size ids this camera has."""
        raise NotImplementedError

    async def capture(self, size, format=FORMAT_YUV):
        """Expose one picture; returns when it is in the FIFO. Raises CameraError."""
        raise NotImplementedError

    def picture(self):
        """After capture(): what has read_into(), available() and the picture's fields, without the driver where it can be."""
        return self

    def available(self):
        """Bytes of the picture not yet read."""
        return self._left

    def read_into(self, buf):
        """Fill buf with the next bytes of the picture; returns how many (less than len(buf) only at its end)."""
        raise NotImplementedError

    async def set_exposure(self, lines):
        """Exposure in lines of the sensor; 0 = automatic."""
        raise CameraError(BAD_SETTING)

    async def set_gain(self, gain):
        """Analogue gain in the sensor's units; 0 = automatic."""
        raise CameraError(BAD_SETTING)

    async def set_white_balance(self, mode):
        """0 automatic, 1 sun, 2 office, 3 cloudy, 4 home."""
        raise CameraError(BAD_SETTING)

    def sleep(self):
        """Least power until the next capture."""


class SpiCamera(Camera):
    """What cameras behind an ArduChip or like one share: the picture memory (FIFO), read in bursts over SPI.

    The settings are the drivers'. They are large: when the picture is in the memory, picture() is all that is needed, and the
    driver's module can be let go while the picture is coded."""

    _first = False  # the next burst begins with a dummy byte

    def __init__(self, spi, cs):
        self._spi = spi
        self._cs = cs
        self._byte = bytearray(1)
        cs(1)

    def picture(self):
        p = SpiCamera(self._spi, self._cs)
        p.width = self.width
        p.height = self.height
        p.format = self.format
        p.length = self.length
        p._left = self._left
        p._first = self._first
        return p

    def read_into(self, buf):
        n = self._left
        if n <= 0:
            return 0
        if n < len(buf):
            buf = memoryview(buf)[:n]
        n = len(buf)
        cs = self._cs
        self._byte[0] = _BURST
        cs(0)
        try:
            self._spi.write(self._byte)
            if self._first:
                self._first = False
                self._spi.readinto(self._byte, 0)
            self._spi.readinto(buf, 0)
        finally:
            cs(1)
        self._left -= n
        return n
