"""What is found out by a small picture before the picture: its exposure, and where its bits should go.

Exposure: so that exposure_percentile per cent of the pixels are below exposure_target (settable parameters), by at most
_TRIES small pictures. Light is proportional to exposure × gain until the sensor is full, so the next try follows from
the level found; from a picture at its limit it goes up or down in large steps. Longer exposures come before gain.
"""

import asyncio
from array import array

import micropython
from micropython import const

from rover import dictionary as d
from rover.camera import base
from rover.camera.pixels import luma

_SMALL = const(1)  # picture_size qvga
_TRIES = const(6)
_FIRST = const(500)  # lines
_UNITY = const(16)  # the gain that is none
_FULL = const(250)  # levels from here on say only "too bright"
_DARK = const(3)
_CLOSE = const(8)  # part of the target by which it may be missed: 1/8


@micropython.viper
def count(yuyv: ptr8, pixels: int, levels: ptr32):
    """Add every second pixel's Y to the histogram (256 words)."""
    i = 0
    while i < pixels:
        y = yuyv[i << 1]
        levels[y] = int(levels[y]) + 1
        i += 2


def percentile(levels, per_cent):
    """The grey level that so many per cent of the pixels do not exceed."""
    n = 0
    for v in levels:
        n += v
    left = n * per_cent // 100
    for level in range(256):
        left -= levels[level]
        if left < 0:
            return level
    return 255


async def _level(cam, per_cent):
    await cam.capture(_SMALL, base.FORMAT_YUV)
    levels = array("I", [0] * 256)
    line = bytearray(2 * cam.width)
    for row in range(cam.height):
        cam.read_into(line)
        if row & 1:
            count(line, cam.width, levels)
        if row % 16 == 0:
            await asyncio.sleep_ms(0)
    return percentile(levels, per_cent)


async def meter(app, cam, shot):
    """Find exposure and gain (those that are not given) and leave the camera at them."""
    p = app.pool
    target = p.get(d.P_EXPOSURE_TARGET)
    per_cent = p.get(d.P_EXPOSURE_PERCENTILE)
    longest = shot.exposure or p.get(d.P_EXPOSURE_LONGEST)
    highest = shot.gain or p.get(d.P_GAIN_HIGHEST)
    lowest = shot.gain or _UNITY
    light = (shot.exposure or min(_FIRST, longest)) * lowest
    shortest = (shot.exposure or 1) * lowest
    for _ in range(_TRIES):
        lines = shot.exposure or max(1, min(longest, light // lowest))
        gain = max(lowest, min(highest, (light + (lines >> 1)) // lines))
        await cam.set_exposure(lines)
        await cam.set_gain(gain)
        level = await _level(cam, per_cent)
        if abs(level - target) * _CLOSE <= target:
            break
        if level >= _FULL:
            wanted = light // 4
        elif level <= _DARK:
            wanted = light * 8
        else:
            wanted = light * target // level
        wanted = max(shortest, min(longest * highest, wanted))
        if wanted == light:
            break  # at a limit
        light = wanted
    shot.exposure = lines
    shot.gain = gain


async def look(cam, shot, arena):
    """The budget's shares for a picture of the whole field, see rover.imaging.look."""
    from rover.imaging.look import Look, quality_for

    await cam.capture(_SMALL, base.FORMAT_YUV)
    full = base.size_of(shot.size)[1] // shot.binning
    look = Look(cam.width, cam.height, full, arena, quality_for(shot.rate))
    line = bytearray(2 * cam.width)
    for row in range(cam.height):
        cam.read_into(line)
        luma(line, look.row_buffer, cam.width)
        look.push_row()
        if row % 8 == 0:
            await asyncio.sleep_ms(0)
    return look.finish()
