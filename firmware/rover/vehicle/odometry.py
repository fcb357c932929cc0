"""Where the rover is by its own account: path from the wheels, heading from the gyroscope, kept over resets in two copies.

Stored table /t/odometer: path u32 mm, x i32 mm, y i32 mm, heading i16 0.1°. x east and y north when the ground has set the
pose so (set_pose); before that they count from where the rover stood first, x forward.
"""

import struct
from math import cos, pi, sin

from rover import dictionary as d
from rover.services import stored

FILE = "/t/odometer"
_FORMAT = ">Iiih"


def restore(app):
    """What was kept, into the pool."""
    kept = stored.load(app, FILE, d.STORED_TABLE_ODOMETER)
    if kept:
        _show(app, *struct.unpack(_FORMAT, kept))


def set_pose(app, x, y, heading):
    """x, y in mm, heading in 0.1°; the path driven stays."""
    _show(app, app.pool.get(d.P_ODOMETER), x, y, heading)
    save(app)


def save(app):
    get = app.pool.get
    stored.write(
        FILE,
        struct.pack(
            _FORMAT, get(d.P_ODOMETER), get(d.P_POSITION_X), get(d.P_POSITION_Y), get(d.P_HEADING)
        ),
    )  # fmt: skip


def _show(app, path, x, y, heading):
    p = app.pool
    p.set(d.P_ODOMETER, path)
    p.set(d.P_POSITION_X, x)
    p.set(d.P_POSITION_Y, y)
    p.set(d.P_HEADING, heading)


class Odometry:
    """Dead reckoning during one drive. step: mm per encoder edge; track: mm between the wheels of an axle."""

    def __init__(self, app, step, track):
        p = app.pool
        self._app = app
        self._step = step
        self._track = track
        self._path = p.get(d.P_ODOMETER)
        self._x = p.get(d.P_POSITION_X)
        self._y = p.get(d.P_POSITION_Y)
        self._start = p.get(d.P_HEADING) * pi / 1800
        self._left = self._right = 0
        self.yaw = 0.0  # radians turned in this drive, to the left, by the gyroscope
        self.forward = 0.0  # mm along the wheels' direction in this drive, mean of both sides
        self.rolled = 0.0  # mm that the wheels have turned, mean of both sides, whichever way
        self._rim = self._apart = 0.0
        self.slip = 0

    def update(self, left, right, turned, steer):
        """Encoder counts, radians turned since the last update, direction of the wheels in radians. True: slip is new."""
        a = (left - self._left) * self._step
        b = (right - self._right) * self._step
        self._left = left
        self._right = right
        middle = self._start + self.yaw + turned / 2 + steer
        self.yaw += turned
        step = (a + b) / 2
        self.forward += step
        self.rolled += (abs(a) + abs(b)) / 2
        self._path += abs(step)
        self._x += step * cos(middle)
        self._y += step * sin(middle)
        # What the wheels say the turn was, less what the gyroscope felt, as a share of the way the wheels went.
        self._apart += (b - a) * cos(steer) - turned * self._track
        self._rim += abs(a) + abs(b)
        if self._rim < 400:  # mm: shorter ways say nothing
            return False
        self.slip = min(255, int(100 * abs(self._apart) / self._rim + 0.5))
        self._rim /= 2
        self._apart /= 2
        return True

    def show(self):
        """Into the pool."""
        heading = int((self._start + self.yaw) * 1800 / pi + 0.5) % 3600
        _show(self._app, self._path, self._x, self._y, heading - 3600 if heading > 1800 else heading)
        self._app.pool.set(d.P_DRIVE_SLIP, self.slip)
