"""Driving a distance, turning in place, crabbing: activities of ST[08], loaded for one command.

Ten times a second: read the MPU-6050 and the encoders, keep the account of the way (odometry), look at the limits, set the
motors. A distance is measured by the wheels, a turn by the gyroscope, whose bias is taken at rest before; on a straight
way the heading is held. Slip that is the same on both sides cannot be seen by either and stays in the account.
"""

import asyncio
import time
from math import cos, pi, sqrt

from micropython import const

from rover import dictionary as d
from rover.vehicle import odometry

_LOOP_MS = const(100)
_REPORT_MS = const(1000)
_REST = const(50)  # readings at rest for the gyroscope's bias: an error of it grows over the whole drive
_RUN_OUT_MS = const(1500)  # wheels come to rest after the motors are off
_FULL = const(1000)
_SLOW = const(400)  # speed near the end, 1/1000 of full
_NEAR_MM = const(60)
_NEAR_TURN = 0.10  # radians
_EARLY_MM = const(5)  # what the wheels run out at slow speed
_EARLY_TURN = 0.004
_HOLD = const(4000)  # 1/1000 of full per radian off the heading
_STRUCTURE = const(4)  # housekeeping report sent while driving
_TURNING_MS = const(500)  # both encoders have counted within this time
_FIRST_FAILURE = const(29)  # failure codes follow the reasons: 30 = reason 1


async def drive(app, kind, amount, steer, speed):
    """kind: drive_state; amount: mm, for a turn 0.1° to the left; steer: 0.1°; speed: %. Returns a failure code or None."""
    if app.vehicle:
        return d.F_BUSY
    limit = app.pool.get(d.P_DRIVE_LIMIT) * 100
    if kind != d.DRIVE_STATE_TURNING and abs(amount) > limit:
        app.events.report(d.E_DRIVE_STOPPED, ">BihB", d.DRIVE_STOP_DISTANCE, 0, 0, 0)
        return _FIRST_FAILURE + d.DRIVE_STOP_DISTANCE
    move = Move(app)
    move.wheels = wheels = app.board.wheels()
    if wheels is None:
        return d.F_UNSUPPORTED
    app.vehicle = move
    try:  # from here on whatever happens ends with the motors off
        reason = await move.run(kind, amount, steer, speed * 10)
    finally:
        wheels.release()
        app.vehicle = None
        app.pool.set(d.P_DRIVE_STATE, d.DRIVE_STATE_IDLE)
        move.way.show()
        odometry.save(app)
    way = move.way
    values = (int(way.forward), int(way.yaw * 1800 / pi), way.slip)
    if reason:
        app.events.report(d.E_DRIVE_STOPPED, ">BihB", reason, *values)
        return _FIRST_FAILURE + reason
    app.events.report(d.E_DRIVE_ENDED, ">ihB", *values)
    return None


class Move:
    """One drive. stop(reason) ends it."""

    def __init__(self, app):
        p = app.pool
        self._app = app
        self.wheels = None
        self._sensor = app.board.attitude
        self.way = odometry.Odometry(app, p.get(d.P_WHEEL_STEP) / 1000, p.get(d.P_WHEEL_TRACK))
        self._reason = 0
        self._bias = 0.0
        self._up = None  # acceleration, smoothed: it shakes while driving
        # the limits of this drive: looked up once, the loop has little time
        self._upright = cos(p.get(d.P_TILT_LIMIT) * pi / 180)
        self._stall = p.get(d.P_STALL_TIME) * 100
        self._farthest = p.get(d.P_DRIVE_LIMIT) * 100 + _NEAR_MM
        self._longest = p.get(d.P_DRIVE_TIMEOUT) * 1000
        self._slip = p.get(d.P_SLIP_LIMIT)
        self._moved = [0, 0]  # per side: when its encoder last counted
        self._edges = [0, 0]

    def stop(self, reason):
        self._reason = reason

    async def run(self, kind, amount, steer, speed):
        """Returns the reason why it ended: drive_stop, 0 = arrived."""
        app = self._app
        start = time.ticks_ms()
        for _ in range(_REST):
            if not self._sense():
                return d.DRIVE_STOP_ATTITUDE
            self._bias += self._sensor.rotation[2] / _REST
            await asyncio.sleep_ms(20)
        self.wheels.steering.move(steer)
        await asyncio.sleep_ms(200 + abs(steer) // 2)
        app.pool.set(d.P_DRIVE_STATE, kind)
        turn = kind == d.DRIVE_STATE_TURNING
        goal = abs(amount) * pi / 1800 if turn else abs(amount)
        sign = -1 if amount < 0 else 1
        angle = steer * pi / 1800
        quarter = 1
        done = 0
        app.sampler.check_heap()
        last = reported = time.ticks_ms()
        self._moved = [last, last]
        while True:
            now = time.ticks_ms()
            reason = self._reason or self._limits(start, now, turn)
            step = -done
            done = sign * (self.way.yaw if turn else self.way.forward)
            step = abs(step + done)  # of the last turn of this loop: the next one will be as long
            left = goal - done
            if reason or left <= (_EARLY_TURN if turn else _EARLY_MM) + step / 2:
                break
            while quarter < 4 and done >= goal * quarter / 4:
                app.commander.progress(quarter)
                quarter += 1
            near = max(_NEAR_TURN if turn else _NEAR_MM, 2 * step)
            pace = sign * (min(speed, _SLOW) if left < near else speed)
            if turn:
                self.wheels.drive(-pace, pace)
            else:
                hold = self.way.yaw * _HOLD * speed / _FULL * cos(angle)
                self.wheels.drive(pace + hold, pace - hold)
            if time.ticks_diff(now, reported) >= _REPORT_MS:
                reported = time.ticks_add(reported, _REPORT_MS)
                self.way.show()
                app.housekeeping.report(_STRUCTURE)
            await asyncio.sleep_ms(_LOOP_MS)
            last = self._account(last, angle)
        self.wheels.drive(0, 0)
        end = time.ticks_add(time.ticks_ms(), _RUN_OUT_MS)
        while time.ticks_diff(end, time.ticks_ms()) > 0:
            await asyncio.sleep_ms(_LOOP_MS)
            last = self._account(last, angle)
        return reason

    def _sense(self):
        try:
            self._sensor.read()
        except OSError:
            return False
        a = self._sensor.acceleration
        if self._up is None:
            self._up = list(a)
        for i in range(3):
            self._up[i] += (a[i] - self._up[i]) // 8
        return True

    def _account(self, last, angle):
        """Bring the account of the way up to date; returns the time of it."""
        turned = 0.0
        now = time.ticks_ms()
        if self._sense():
            rate = self._sensor.rotation[2] - self._bias  # 0.01 °/s
            turned = rate * time.ticks_diff(now, last) * pi / 18000000
        elif not self._reason:
            self._reason = d.DRIVE_STOP_ATTITUDE
        counts = (self.wheels.left.encoder.count, self.wheels.right.encoder.count)
        for side in range(2):
            if counts[side] != self._edges[side]:
                self._edges[side] = counts[side]
                self._moved[side] = now
        if self.way.update(counts[0], counts[1], turned, angle):
            # a wheel that stands looks like slip at first: that is for the stall limit to say
            turning = time.ticks_diff(now, min(self._moved)) < _TURNING_MS
            if self.way.slip > self._slip and turning and not self._reason:
                self._reason = d.DRIVE_STOP_SLIP
        return now

    def _limits(self, start, now, turn):
        """The limit that is passed, or 0."""
        x, y, z = self._up
        if z < sqrt(x * x + y * y + z * z) * self._upright:
            return d.DRIVE_STOP_TILT
        left, right = self._moved
        if max(time.ticks_diff(now, left), time.ticks_diff(now, right)) > self._stall:
            return d.DRIVE_STOP_STALL
        if self.way.rolled > self._farthest:
            return d.DRIVE_STOP_DISTANCE
        if time.ticks_diff(now, start) > self._longest:
            return d.DRIVE_STOP_TIMEOUT
        return d.DRIVE_STOP_MODE if self._app.pool.get(d.P_MODE) else 0
