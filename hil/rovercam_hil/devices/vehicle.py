"""The rover under the camera unit at signal level: what the firmware's motor pins do to wheels, encoders and attitude.

Chassis   a device on the board's pins: measures PWM duty and direction of six motors and the pulse of the steering,
          moves a Body with them, puts the Body's encoder edges on the pins and its inertial reading into the MPU-6050
Body      the interface of what moves; FlatRover is the simple one, a ray-traced world brings its own
Ground    what a FlatRover is told of the ground under it
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rovercam_hil.devices.sensors import MPU6050
from rovercam_hil.devices.servo import Motor, Servo

if TYPE_CHECKING:
    from rovercam_hil.boards.base import VirtualBoard

MOTOR_PINS = (6, 7, 8, 9, 10, 11)
"""Left front, middle, rear, right front, middle, rear: firmware/rover/board/wheels.py."""
DIRECTION_PINS = (2, 3)
ENCODER_PINS = (26, 27)
STEERING_PIN = 12
GRAVITY = 3.71
"""m/s² on Mars."""


class Inertial(Protocol):
    """Specific force (m/s²) and turn rate (°/s) in the body's frame: x forward, y left, z up."""

    @property
    def accel(self) -> tuple[float, float, float]: ...

    @property
    def gyro(self) -> tuple[float, float, float]: ...


class Body(Protocol):
    """What a Chassis moves. Wheels in the order of MOTOR_PINS."""

    @property
    def pulses_left(self) -> int:
        """Encoder edges of the left middle wheel so far; they count up whichever way the wheel turns."""

    @property
    def pulses_right(self) -> int:
        """The same of the right one."""

    def set_duty(self, wheel: int, duty: float) -> None:
        """Duty -1 … 1 of one motor from now on."""

    def set_steering(self, degrees: float) -> None:
        """All wheels point so far to the left."""

    def step(self, dt: float) -> None:
        """Advance by ``dt`` seconds."""

    def inertial(self) -> Inertial:
        """What an inertial sensor in it feels now."""


@dataclass(frozen=True)
class Ground:
    """Under the rover: ``pitch`` (front up) and ``roll`` (left up) in degrees; ``slip``, the share of the wheels' way that
    is lost; ``skid``, how many times further than without friction the wheels go in a turn; ``drift``, °/s that the
    ground turns the rover while it drives at full speed."""

    pitch: float = 0.0
    roll: float = 0.0
    slip: float = 0.05
    skid: float = 1.3
    drift: float = 0.0


@dataclass(frozen=True)
class Reading:
    accel: tuple[float, float, float]
    gyro: tuple[float, float, float]


class FlatRover:
    """Six driven wheels, skid-steered, without terrain: kinematics with slip. Heading in degrees counter-clockwise from
    east. ``ground``: a Ground, or a function of (x, y, heading) that gives one."""

    def __init__(
        self,
        ground: Ground | Callable[[float, float, float], Ground] | None = None,
        *,
        top_speed: float = 200 / 3600,
        track: float = 1.62,
        wheel_radius: float = 0.15,
        edges: int = 720,
        lag: float = 0.35,
        gyro_bias: float = 0.0,
        noise: float = 0.0,
        seed: int = 1,
    ) -> None:
        """top_speed: m/s of a rim at full duty; edges: per turn of a wheel; lag: s, time constant of a motor; gyro_bias: °/s
        about the up axis; noise: m/s², of the acceleration while it moves (a tenth of it, in °/s, of the rates)."""
        self.ground = ground or Ground()
        self.top_speed, self.track, self.lag = top_speed, track, lag
        self.gyro_bias, self.noise = gyro_bias, noise
        self.edge = 2 * math.pi * wheel_radius / edges
        self.x = self.y = self.heading = 0.0
        self.steering = 0.0
        self.duty = [0.0] * 6
        self.rim = [0.0] * 6
        """m/s of each wheel's rim."""
        self.travelled = 0.0
        self.turn_rate = 0.0
        self._way = [0.0, 0.0]
        self._rng = random.Random(f"{seed}/vehicle")

    @property
    def pulses_left(self) -> int:
        return int(self._way[0] / self.edge)

    @property
    def pulses_right(self) -> int:
        return int(self._way[1] / self.edge)

    def here(self) -> Ground:
        """The ground where it stands."""
        return self.ground(self.x, self.y, self.heading) if callable(self.ground) else self.ground

    def set_duty(self, wheel: int, duty: float) -> None:
        self.duty[wheel] = max(-1.0, min(1.0, duty))

    def set_steering(self, degrees: float) -> None:
        self.steering = degrees

    def step(self, dt: float) -> None:
        ground = self.here()
        for k, duty in enumerate(self.duty):
            self.rim[k] += (duty * self.top_speed - self.rim[k]) * (1 - math.exp(-dt / self.lag))
            if not duty and abs(self.rim[k]) < 1e-5:
                self.rim[k] = 0.0
        left, right = sum(self.rim[:3]) / 3, sum(self.rim[3:]) / 3
        forward = (left + right) / 2 * (1 - ground.slip)
        self.turn_rate = math.degrees((right - left) * math.cos(math.radians(self.steering)) / self.track / ground.skid)
        self.turn_rate += ground.drift * abs(forward) / self.top_speed
        way = math.radians(self.heading + self.turn_rate * dt / 2 + self.steering)
        self.x += forward * math.cos(way) * dt
        self.y += forward * math.sin(way) * dt
        self.heading += self.turn_rate * dt
        self.travelled += abs(forward) * dt
        self._way[0] += abs(self.rim[1]) * dt
        self._way[1] += abs(self.rim[4]) * dt

    def inertial(self) -> Reading:
        ground = self.here()
        pitch, roll = math.radians(ground.pitch), math.radians(ground.roll)
        up = (math.sin(pitch), math.cos(pitch) * math.sin(roll), math.cos(pitch) * math.cos(roll))
        moving = any(abs(v) > 1e-4 for v in self.rim)
        noise = self.noise if moving else 0.0
        x, y, z = (GRAVITY * u + self._rng.gauss(0.0, noise) for u in up)
        a, b, c = (r + self._rng.gauss(0.0, noise / 10) for r in (0.0, 0.0, self.turn_rate + self.gyro_bias))
        return Reading((x, y, z), (a, b, c))


class Chassis:
    """Device. ``body``: what moves, to be replaced before power-on; ``tick``: seconds of a step while anything moves.

    Motors and steering are models of their own: ``chassis.motors[1].inject("stalled")`` holds the left middle wheel.
    """

    def __init__(self, attitude: MPU6050 | None = None, body: Body | None = None, *, tick: float = 0.02) -> None:
        self.body: Body = body if body is not None else FlatRover()
        self.tick = tick
        self.motors = [Motor(pin, DIRECTION_PINS[k // 3]) for k, pin in enumerate(MOTOR_PINS)]
        self.steering = Servo(STEERING_PIN)
        self.edges = [0, 0]
        """Encoder edges put on the pins."""
        self._felt_at = -1.0
        if attitude is not None:
            attitude.acceleration = (self._accel(0), self._accel(1), self._accel(2))
            attitude.rotation = (self._rate(0), self._rate(1), self._rate(2))

    # -- pins --------------------------------------------------------------------------------------------------------

    def attach(self, board: VirtualBoard) -> None:
        self.board = board
        for part in (*self.motors, self.steering):
            part.attach(board)
        for pin in MOTOR_PINS:
            board.mcu.gpio[pin].add_listener(self._driven)
        self._levels = [False, False]
        for pin in ENCODER_PINS:
            board.mcu.gpio[pin].set_input_value(False)
        self._last = board.time
        self._seen = (self.body.pulses_left, self.body.pulses_right)
        self._waiting: deque[tuple[float, int]] = deque()
        self._still = 0.0
        self._running = False
        self._tick_alarm = board.mcu.clock.create_alarm(self._tick)
        self._edge_alarm = board.mcu.clock.create_alarm(self._put)

    def moved(self) -> None:
        """The body was moved by something else than the pins: what its encoders counted meanwhile is not put out."""
        self._seen = (self.body.pulses_left, self.body.pulses_right)

    def _driven(self, _now: Any, _old: Any) -> None:
        """A motor's line moves: from here on the body is stepped."""
        if not self._running:
            self._running = True
            self._still = 0.0
            self._last = self.board.time
            self._tick_alarm.schedule(self.tick * 1e9)

    def _tick(self) -> None:
        body = self.body
        now = self.board.time
        standing = True
        for k, motor in enumerate(self.motors):
            duty = motor.speed / motor.full_speed
            body.set_duty(k, duty)
            standing = standing and not duty
        body.set_steering(self.steering.angle)
        body.step(now - self._last)
        found = (body.pulses_left, body.pulses_right)
        times = [
            (self._last + (now - self._last) * (i + 1) / (count + 1) + self.tick, side)
            for side in (0, 1)
            for count in (found[side] - self._seen[side],)
            for i in range(count)
        ]
        standing = standing and found == self._seen
        self._seen, self._last = found, now
        self._waiting.extend(sorted(times))
        self._next_edge()
        self._still = self._still + self.tick if standing else 0.0
        if self._still < 3.0:
            self._tick_alarm.schedule(self.tick * 1e9)
        else:
            self._running = False

    def _next_edge(self) -> None:
        """Edges of a step are put out during the next one, evenly."""
        if self._waiting:
            self._edge_alarm.schedule(max(1e3, (self._waiting[0][0] - self.board.time) * 1e9))

    def _put(self) -> None:
        _, side = self._waiting.popleft()
        self._levels[side] = not self._levels[side]
        self.edges[side] += 1
        self.board.mcu.gpio[ENCODER_PINS[side]].set_input_value(self._levels[side])
        self._next_edge()

    # -- the MPU-6050's truth --------------------------------------------------------------------------------------

    def _feel(self, time: float) -> Inertial:
        """One reading per moment, for all six axes."""
        if time != self._felt_at:
            self._felt_at = time
            self._felt = self.body.inertial()
        return self._felt

    def _accel(self, axis: int) -> Callable[[float], float]:
        return lambda time: self._feel(time).accel[axis]

    def _rate(self, axis: int) -> Callable[[float], float]:
        return lambda time: self._feel(time).gyro[axis]
