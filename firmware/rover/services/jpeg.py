"""Pictures that the camera coded itself: kept and sent whole, with a thumbnail from their DC terms in front."""

import asyncio
import os

from micropython import const

from rover import dictionary as d
from rover.commander import Failed

_CHUNK = const(2048)


async def keep(app, cam, shot, arena):
    """Layer 0 the thumbnail, layer 1 the JPEG; where its coding is none that we read, the JPEG alone as layer 0."""
    if not app.store.make_room(cam.length + 8192):
        raise Failed(d.F_FLASH_FULL)
    path = app.store.path(shot.number, 1)
    with open(path, "wb") as f:
        while cam.available():
            f.write(arena[: cam.read_into(arena[:_CHUNK])])
            await asyncio.sleep_ms(0)
    shot.layers = 2
    try:
        await _thumbnail(app, shot, path, arena)
    except ValueError:
        os.rename(path, app.store.path(shot.number, 0))
        shot.layers = 1


async def _thumbnail(app, shot, path, arena):
    from rover.imaging.jpegdc import DcReader
    from rover.imaging.thumbnail import Thumbnail

    with open(path, "rb") as f, open(app.store.path(shot.number, 0), "wb") as out:
        reader = DcReader(f, arena)
        if (reader.width, reader.height) != (shot.width, shot.height) or max(shot.width, shot.height) > 2048:
            raise ValueError("JPEG of another size")
        thumbnail = Thumbnail(shot.width, shot.height, 8, shot.number & 255, 0, 200, lambda part, slot: out.write(slot))
        for row, means in enumerate(reader.rows()):
            thumbnail.row(means, 0, row)
            await asyncio.sleep_ms(0)
        thumbnail.finish()
