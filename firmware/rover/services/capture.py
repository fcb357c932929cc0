"""Taking a picture: camera → rows → codec → one file per layer → catalogue. An activity of ST[08].

The frame stays in the camera's FIFO; rows stream through one row buffer and the encoder in the arena. Between rows
other tasks run, so telemetry and a running downlink go on.
"""

import asyncio
import time

from micropython import const

from rover import dictionary as d
from rover.camera import base
from rover.camera.pixels import luma
from rover.commander import Failed

_YIELD_ROWS = const(8)  # other tasks run at least after so many rows
_CHUNK = const(2048)
_ENOSPC = const(28)


async def capture(app, camera, size, form, codec, rate, x, y, width, height, exposure, gain, priority, downlink):
    """Arguments as in the dictionary. Raises Failed; leaves nothing behind when it does."""
    start = time.ticks_ms()
    if form == d.PICTURE_FORMAT_COLOR:  # only the camera's own JPEG brings colour so far
        raise Failed(d.F_UNSUPPORTED)
    buf = app.arena.take(d.HEAP_OWNER_CAPTURE)
    if buf is None:
        raise Failed(d.F_BUSY, app.arena.owner)
    number = 0
    try:
        number = app.store.new()
        cam, camera = await _expose(app, camera, size, form, exposure, gain)
        app.commander.progress(1)  # the picture is in the camera's memory
        if form == d.PICTURE_FORMAT_JPEG:
            width, height, x, y = cam.width, cam.height, 0, 0
            layers = await _copy(app, cam, number)
            codec = d.CODEC_RAW
        else:
            width = width or cam.width - x
            height = height or cam.height - y
            if width < 8 or height < 8 or x + width > cam.width or y + height > cam.height:
                raise Failed(d.F_BAD_REGION)
            layers = await _encode(app, cam, number, codec, rate, x, y, width, height, buf)
        bytes_stored = app.store.commit(
            number, d.PRODUCT_KIND_PICTURE, priority, layers, codec, form, camera, 8, width, height, x, y, 1, exposure, gain
        )  # fmt: skip
    except base.CameraError as e:
        app.events.report(d.E_CAMERA_FAILED, ">BB", camera, e.code)
        raise Failed(d.F_CAMERA_ABSENT if e.code == base.ABSENT else d.F_CAMERA_FAILED, e.code) from None
    except OSError as e:
        app.store.delete(number)
        if e.args[0] == _ENOSPC:
            app.events.report(d.E_FLASH_FULL, ">II", 0, max(0, app.store.free()))
            raise Failed(d.F_FLASH_FULL) from None
        raise
    except Exception:
        app.store.delete(number)
        raise
    finally:
        app.arena.release()
    spent = time.ticks_diff(time.ticks_ms(), start)
    app.events.report(d.E_PICTURE_TAKEN, ">HHHII", number, width, height, bytes_stored, spent)
    if downlink:
        app.products.add(number, priority)


async def _expose(app, camera, size, form, exposure, gain):
    """(camera with a picture in its FIFO, its id). auto falls back to the pattern where no camera answers."""
    automatic = camera == d.CAMERA_AUTO
    if camera != d.CAMERA_PATTERN:
        cam = app.board.camera(d.CAMERA_MAST if automatic else camera)
        if cam is None and not automatic:
            raise Failed(d.F_CAMERA_ABSENT)
        if cam is not None:
            try:
                await cam.begin()
                await cam.set_exposure(exposure)
                await cam.set_gain(gain)
                await cam.capture(size, base.FORMAT_JPEG if form == d.PICTURE_FORMAT_JPEG else base.FORMAT_YUV)
                return cam, d.CAMERA_MAST if automatic else camera
            except base.CameraError as e:
                if not automatic or e.code != base.ABSENT:
                    raise
    from rover.camera.pattern import PatternCamera

    cam = PatternCamera()
    await cam.capture(size)
    return cam, d.CAMERA_PATTERN


async def _copy(app, cam, number):
    """A picture that the camera coded itself, whole, as layer 0."""
    if not app.store.make_room(cam.length):
        raise Failed(d.F_FLASH_FULL)
    buf = memoryview(bytearray(_CHUNK))
    with open(app.store.path(number, 0), "wb") as f:
        while cam.available():
            f.write(buf[: cam.read_into(buf)])
            await asyncio.sleep_ms(0)
    return 1


async def _encode(app, cam, number, codec, rate, x, y, width, height, arena):
    """Rows of the region through the codec into layer files; returns their number."""
    pixels = width * height
    wanted = pixels if codec == d.CODEC_RAW else pixels * 3 // 4 if codec == d.CODEC_LOSSLESS else pixels * rate // 800
    if not app.store.make_room(wanted + wanted // 16 + 2048):
        raise Failed(d.F_FLASH_FULL)
    if codec == d.CODEC_RAW:
        writer = _Raw(app, number, width, height, arena)
    else:
        from rover.imaging.product import Writer

        try:
            writer = Writer(app.store, number, width, height, codec == d.CODEC_LOSSLESS, rate, arena)
        except ValueError:
            raise Failed(d.F_BUDGET_TOO_SMALL) from None
    line = memoryview(bytearray(2 * cam.width))
    left = 2 * x
    try:
        for row in range(y + height):
            cam.read_into(line)
            if row >= y:
                luma(line[left:], writer.row(), width)
                writer.push()
                while writer.step():
                    await asyncio.sleep_ms(0)
            if row % _YIELD_ROWS == 0:
                if row == y + height // 2 // _YIELD_ROWS * _YIELD_ROWS:
                    app.check_heap()
                await asyncio.sleep_ms(0)
        return writer.finish()
    finally:
        writer.close()


class _Raw:
    """Codec id 0: pixels as they are, one layer."""

    def __init__(self, app, number, width, height, arena):
        self._file = open(app.store.path(number, 0), "wb")
        self._rows = max(1, min(height, _CHUNK // width))
        self._buf = arena[: self._rows * width]
        self._width = width
        self._at = 0

    def row(self):
        return self._buf[self._at * self._width :]

    def push(self):
        self._at += 1
        if self._at == self._rows:
            self._file.write(self._buf)
            self._at = 0

    def step(self):
        return False

    def finish(self):
        self._file.write(self._buf[: self._at * self._width])
        return 1

    def close(self):
        self._file.close()
