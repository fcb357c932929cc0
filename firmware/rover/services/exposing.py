"""The first half of taking a picture: a camera, set up, with the picture in its memory. Let go of before the second half."""

from rover import dictionary as d
from rover.camera import base
from rover.commander import Failed


async def expose(app, shot, buf):
    """The camera, with a picture in its FIFO. auto falls back to the pattern where no camera answers."""
    automatic = shot.camera == d.CAMERA_AUTO
    if shot.camera != d.CAMERA_PATTERN:
        cam = app.board.camera(d.CAMERA_MAST if automatic else shot.camera)
        if cam is None and not automatic:
            raise Failed(d.F_CAMERA_ABSENT)
        if cam is not None:
            try:
                await cam.begin()
                if automatic:
                    shot.camera = d.CAMERA_MAST
                await _set_up(app, cam, shot, buf)
                await cam.capture(
                    shot.size, base.FORMAT_JPEG if shot.form == d.PICTURE_FORMAT_JPEG else base.FORMAT_YUV
                )
                return cam
            except base.CameraError as e:
                if not automatic or e.code != base.ABSENT:
                    raise
    from rover.camera.pattern import PatternCamera

    cam = PatternCamera()
    shot.camera = d.CAMERA_PATTERN
    shot.shares = None
    await cam.capture(shot.size)
    return cam


async def _set_up(app, cam, shot, buf):
    """Exposure, gain, white balance; what needs a picture before the picture is done by rover.services.light."""
    shot.shares = None
    metered = shot.metering == d.METERING_HISTOGRAM and not (shot.exposure and shot.gain)
    looked = shot.look and shot.codec == d.CODEC_RATE and shot.form != d.PICTURE_FORMAT_JPEG and _looks(cam, shot)
    if not metered:
        await cam.set_exposure(shot.exposure)
        await cam.set_gain(shot.gain)
    if shot.balance:
        await cam.set_white_balance(shot.balance)
    if metered or looked:
        from rover.services import light

        try:
            if metered:
                await light.meter(app, cam, shot)
            if looked:
                shot.shares = await light.look(cam, shot, buf)
        finally:
            app.commander.forget("rover.services.light", "rover.imaging.look")


def _looks(cam, shot):
    # a small picture of the same field: where width and height are as 4 to 3, and the whole is photographed
    width, height = base.size_of(shot.size)
    return width >= 640 and 3 * width == 4 * height and not (shot.x or shot.y or shot.width or shot.height)
