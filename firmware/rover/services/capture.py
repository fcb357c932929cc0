"""Taking a picture: camera → rows → codec → one file per layer → catalogue. An activity of ST[08].

The frame stays in the camera's FIFO; rows stream through one row buffer and the encoder in the arena. Between rows
other tasks run, so telemetry and a running downlink go on.
"""

import asyncio
import time

from micropython import const

from rover import dictionary as d
from rover.camera import base
from rover.commander import Failed

_YIELD_ROWS = const(8)  # other tasks run at least after so many rows
_ENOSPC = const(28)


class Shot:
    """The arguments of the command `capture`, by name, and what becomes of them."""

    def __init__(self, args):
        (
            self.camera, self.size, self.form, self.codec, self.rate, self.x, self.y, self.width, self.height,
            self.exposure, self.gain, self.priority, self.downlink, self.last_layer, self.binning, self.metering,
            self.balance, self.look, x, y, width, height, self.roi_gain, self.chroma, self.correct,
        ) = args  # fmt: skip
        self.roi = (x, y, width, height) if width and height else None
        self.layers = 0
        self.number = 0


async def take(app, args):
    """Arguments as in the dictionary. Raises Failed; leaves nothing behind when it does. Returns the Shot."""
    start = time.ticks_ms()
    shot = Shot(args)
    if shot.binning == 3:
        raise Failed(d.F_OUT_OF_RANGE)
    app.commander.forget("rover.services.functions")  # it has done its part, and the heap is short now
    buf = app.arena.take(d.HEAP_OWNER_CAPTURE)
    if buf is None:
        raise Failed(d.F_BUSY, app.arena.owner)
    try:
        shot.number = app.store.new()
        cam = await _exposed(app, shot, buf)
        app.commander.progress(1)  # the picture is in the camera's memory
        if shot.form == d.PICTURE_FORMAT_JPEG:
            from rover.services.jpeg import keep

            shot.width, shot.height, shot.x, shot.y, shot.binning = cam.width, cam.height, 0, 0, 1
            shot.codec = d.CODEC_RAW
            await keep(app, cam, shot, buf)
        else:
            await _encode(app, cam, shot, buf)
        bytes_stored = app.store.commit(
            shot.number, d.PRODUCT_KIND_PICTURE, shot.priority, shot.layers, shot.codec, shot.form, shot.camera, 8,
            shot.width, shot.height, shot.x, shot.y, shot.binning, shot.exposure, shot.gain,
        )  # fmt: skip
    except base.CameraError as e:
        app.store.delete(shot.number)
        app.events.report(d.E_CAMERA_FAILED, ">BB", shot.camera, e.code)
        raise Failed(d.F_CAMERA_ABSENT if e.code == base.ABSENT else d.F_CAMERA_FAILED, e.code) from None
    except OSError as e:
        app.store.delete(shot.number)
        if e.args[0] == _ENOSPC:
            app.events.report(d.E_FLASH_FULL, ">II", 0, max(0, app.store.free()))
            raise Failed(d.F_FLASH_FULL) from None
        raise
    except Exception:
        app.store.delete(shot.number)
        raise
    finally:
        app.arena.release()
    spent = time.ticks_diff(time.ticks_ms(), start)
    app.events.report(d.E_PICTURE_TAKEN, ">HHHII", shot.number, shot.width, shot.height, bytes_stored, spent)
    if shot.downlink:
        app.products.add(shot.number, shot.priority, shot.last_layer)
    return shot


async def _exposed(app, shot, buf):
    from rover.services.exposing import expose

    try:
        return (await expose(app, shot, buf)).picture()
    finally:  # coding takes the most of the heap, and needs neither of them
        app.commander.forget("rover.services.exposing", "rover.camera.arducam_mega", "rover.camera.arducam_mini")


async def _encode(app, cam, shot, arena):
    """Rows of the region through the codec into layer files."""
    n = shot.binning
    x = shot.x
    wide = shot.width or cam.width - x
    high = shot.height or cam.height - shot.y
    if shot.form == d.PICTURE_FORMAT_COLOR:
        x &= ~1  # chroma comes for pairs of pixels
        wide -= wide % (2 * n)
    width = wide // n
    height = high // n
    least = 16 if shot.form == d.PICTURE_FORMAT_COLOR else 8
    if width < least or height < least or x + wide > cam.width or shot.y + high > cam.height:
        raise Failed(d.F_BAD_REGION)
    shot.width = width
    shot.height = height
    if shot.roi:
        r = shot.roi
        if r[0] + r[2] > width or r[1] + r[3] > height or r[2] < 8 or r[3] < 8:
            raise Failed(d.F_BAD_REGION)
    from rover.imaging.product import make_writer

    try:
        writer = make_writer(app.store, shot, arena)
    except ValueError:
        raise Failed(d.F_BUDGET_TOO_SMALL) from None
    except MemoryError:
        raise Failed(d.F_NO_MEMORY) from None
    line = memoryview(bytearray(2 * cam.width))
    part = line[2 * x : 2 * (x + wide)]
    correct = _correction(shot, cam) if shot.correct else None
    try:
        for row in range(shot.y + height * n):
            cam.read_into(line)
            if row >= shot.y:
                if correct:
                    correct.row(line, row)
                writer.row(part)
                while writer.step():
                    await asyncio.sleep_ms(0)
            if row % _YIELD_ROWS == 0:
                if row == (shot.y + height * n // 2) // _YIELD_ROWS * _YIELD_ROWS:
                    app.sampler.check_heap()
                await asyncio.sleep_ms(0)
        correct = None
        while writer.finish():
            while writer.step():
                await asyncio.sleep_ms(0)
        shot.layers = writer.layers
    finally:
        writer.close()


def _correction(shot, cam):
    """The camera's correction table for pictures of this size, or None."""
    path = "/t/camera%d.cal" % shot.camera
    try:
        f = open(path, "rb")
    except OSError:
        return None
    with f:
        from rover.imaging.correct import Correction

        try:
            return Correction(f, cam.width, cam.height)
        except ValueError:  # of another size, or damaged
            return None
