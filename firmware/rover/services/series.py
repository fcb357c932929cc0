"""Several pictures by one command: bursts, time-lapses, exposure brackets, panoramas. Activities of ST[08].

All pictures of a series have one exposure, metered by the unit before the first (a bracket: one around which the others
lie). Each is a product of its own; event frame_taken says which, and where the mast stood. What lasts for hours is better
done by the schedule, which survives a reset.
"""

import asyncio
import math
import time

from rover import dictionary as d
from rover.commander import Failed
from rover.services.capture import take

_running = [False]  # stop() clears it


def stop():
    _running[0] = False


class _Series:
    def __init__(self, app):
        self.app = app
        self.taken = self.failed = 0
        self.exposure = self.gain = 0
        if _running[0]:
            raise Failed(d.F_BUSY)
        _running[0] = True

    async def one(self, camera, size, form, codec, rate, exposure, gain, binning, priority, downlink):
        """One picture; a failed one is counted and does not end the series, unless it is the first."""
        app = self.app
        metering = d.METERING_CAMERA if exposure and gain else d.METERING_HISTOGRAM
        try:
            shot = await take(
                app,
                (camera, size, form, codec, rate, 0, 0, 0, 0, exposure, gain, priority, downlink, 15, binning, metering,
                 d.WHITE_BALANCE_SUN, 0, 0, 0, 0, 0, 0, 20, 1),
            )  # fmt: skip
        except Failed:
            if not self.taken:
                raise
            self.failed += 1
            return
        self.exposure = shot.exposure
        self.gain = shot.gain
        p = app.pool
        app.events.report(
            d.E_FRAME_TAKEN, ">HBhhIH", shot.number, self.taken, p.get(d.P_MAST_PAN), p.get(d.P_MAST_TILT),
            shot.exposure, shot.gain,
        )  # fmt: skip
        self.taken += 1

    def end(self):
        _running[0] = False
        self.app.events.report(d.E_SERIES_ENDED, ">BB", self.taken, self.failed)
        return d.F_CAMERA_FAILED if self.failed else None


async def series(
    app, kind, count, interval, step, camera, size, form, codec, rate, exposure, gain, binning, priority, downlink
):
    """Arguments as in the dictionary."""
    s = _Series(app)
    try:
        start = time.ticks_ms()
        middle = (count - 1) // 2
        lines = 0
        for i in range(count):
            # a bracket meters with its first picture, the middle one; then the others from the shortest on
            k = middle if i == 0 else i - 1 if i <= middle else i
            if kind == d.SERIES_KIND_BRACKET and i:
                exposure = min(65535, max(1, round(lines * 2 ** ((k - middle) * step / 10))))
            await s.one(camera, size, form, codec, rate, exposure, gain, binning, priority, downlink)
            if i == 0:
                lines = exposure = s.exposure
                gain = s.gain
            if not _running[0]:
                break
            if kind == d.SERIES_KIND_TIME_LAPSE and i + 1 < count:
                while _running[0]:
                    left = interval * 100 - time.ticks_diff(time.ticks_ms(), start)
                    if left <= 0:
                        break
                    await asyncio.sleep_ms(min(left, 1000))
                start = time.ticks_add(start, interval * 100)
    finally:
        code = s.end()
    return code


async def panorama(
    app, left, right, tilt, rows, field, overlap, camera, size, form, codec, rate, binning, priority, downlink
):
    """Arguments as in the dictionary; pan grows to the left."""
    from rover.services.functions import point

    step = field * (100 - overlap) // 100
    if left < right:
        raise Failed(d.F_OUT_OF_RANGE)
    # as many as leave no gap, evenly spaced, the outer ones half a field inside the edges
    span = max(0, left - right - field)
    n = math.ceil(span / step) + 1
    up = step * 3 // 4  # pictures are 4 wide and 3 high
    s = _Series(app)
    try:
        exposure = gain = 0
        for row in range(rows):
            for i in range(n):
                k = i if row % 2 == 0 else n - 1 - i  # to and fro
                pan = left - field // 2 - (span * k // (n - 1) if n > 1 else (left - right - field) // 2)
                code = await point(app, pan, tilt + row * up)
                if code:
                    raise Failed(code)
                await s.one(camera, size, form, codec, rate, exposure, gain, binning, priority, downlink)
                exposure = s.exposure
                gain = s.gain
                if not _running[0]:
                    break
            if not _running[0]:
                break
    finally:
        code = s.end()
    return code
