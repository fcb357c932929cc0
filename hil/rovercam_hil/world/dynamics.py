"""The rover's motion: six driven wheels over ground, deck and rails, with slip; what its encoders and inertial sensor say.

Sans-IO and without a clock: `step(dt)` advances virtual time. Skid-steered, as the unit's wiring has it: the PWM duty of
each wheel, one direction line per side. Top speed is the rover's published 200 m/h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rovercam_hil.world import platform_body
from rovercam_hil.world.noise import gradient_noise
from rovercam_hil.world.rover_body import AXLES, TRACK, WHEEL_RADIUS, WHEEL_WIDTH
from rovercam_hil.world.terrain import Terrain
from rovercam_hil.world.world import Pose, World

GRAVITY = 3.72
"""m/s² on Mars."""
TOP_SPEED = 200.0 / 3600.0
"""m/s of a wheel's rim at full duty on level ground."""
COUNTS_PER_TURN = 720
"""Encoder pulses per wheel turn: 1.31 mm of rim each."""
COUNT = 2 * math.pi * WHEEL_RADIUS / COUNTS_PER_TURN
_DEAD_DUTY = 0.04
_MOTOR_LAG = 0.35  # s
_STEP = 0.25  # s: longest step of the integration
_PRESS_EVERY = 0.02  # m between footprints


@dataclass(frozen=True)
class Inertial:
    """Specific force (m/s²) and turn rate (degrees/s) in the body's frame: x forward, y left, z up."""

    accel: tuple[float, float, float]
    gyro: tuple[float, float, float]


class Surface:
    """Where a wheel stands: the ground, or the platform's deck and rails."""

    def __init__(self, terrain: Terrain, platform: Pose | None) -> None:
        self.terrain = terrain
        self.platform = platform

    def height(self, x: float, y: float) -> tuple[float, bool]:
        """(height in metres, whether it is soil)."""
        ground = self.terrain.at(x, y)
        if self.platform is None or x * x + y * y > 36.0:
            return ground, True
        # The platform's frame: y along the rails.
        a = math.radians(self.platform.heading)
        px, py = x - self.platform.x, y - self.platform.y
        across, along = px * math.cos(a) + py * math.sin(a), -px * math.sin(a) + py * math.cos(a)
        on_deck = abs(across) < 1.26 and abs(along) < platform_body.RAIL_TOP
        half = platform_body.RAIL_WIDTH / 2 + 0.06
        on_rail = (
            abs(abs(across) - platform_body.RAIL_TRACK / 2) < half
            and platform_body.RAIL_TOP <= along < platform_body.RAIL_FOOT + 0.1
        )
        if on_deck or on_rail:
            z = self.platform.z + platform_body.rail_height(along) + 0.02
            if z > ground:
                return z, False
        return ground, True


class Rover:
    """State of the moving rover. Heading in degrees counter-clockwise from east; `duty` -1 … 1 per wheel.

    Wheels: left front, middle, rear, right front, middle, rear.
    """

    def __init__(self, world: World, x: float, y: float, heading: float, *, seed: int = 0) -> None:
        self.world = world
        self.surface = Surface(world.terrain, world.platform)
        self.x, self.y, self.heading = x, y, heading
        self.duty = [0.0] * 6
        self.steering = 0.0
        """Degrees all wheels point to the left of straight ahead (crabbing)."""
        self.time = 0.0
        self._rim = [0.0] * 6  # m/s
        self.rolled = [0.0] * 6
        """Distance each wheel's rim has turned, metres, signed."""
        self.pulses_left = 0
        self.pulses_right = 0
        """Encoder pulses of the middle wheels; they count up whichever way the wheel turns."""
        self._pulse_left = self._pulse_right = 0.0
        self.travelled = 0.0
        """True path length of the body, metres."""
        self.slip = 0.0
        self.toppled = False
        self.speed = self.turn_rate = 0.0
        self._seed = world.seed * 31 + seed
        self._rng = np.random.default_rng([world.seed, seed, 0xD714])
        self._gyro_bias = self._rng.normal(0, 0.05, 3)
        self._accel_bias = self._rng.normal(0, 0.02, 3)
        self._pressed = [math.inf] * 6
        self.pose = Pose(x, y, heading)
        self._rockers = (0.0, 0.0)
        self._settle()

    def state(self) -> dict[str, Any]:
        """All of it but the world, to be pickled."""
        return {name: value for name, value in self.__dict__.items() if name not in ("world", "surface")}

    @classmethod
    def at(cls, world: World, state: dict[str, Any]) -> Rover:
        """A rover in this state in a world, which may be that of another process."""
        rover = cls(world, 0.0, 0.0, 0.0)
        rover.__dict__.update(state)
        return rover

    # -- inputs ------------------------------------------------------------------------------------------------------

    def set_duty(self, wheel: int, duty: float) -> None:
        """Duty -1 … 1 of one wheel; values outside are clipped, as a PWM is."""
        self.duty[wheel] = max(-1.0, min(1.0, duty))

    def set_steering(self, degrees: float) -> None:
        """All wheels point so far to the left."""
        self.steering = degrees

    def set_sides(self, left: float, right: float) -> None:
        """The same duty for all wheels of a side."""
        for k in range(3):
            self.set_duty(k, left)
            self.set_duty(3 + k, right)

    # -- motion ------------------------------------------------------------------------------------------------------

    def step(self, dt: float) -> None:
        """Advance by `dt` seconds of virtual time."""
        while dt > 1e-9:
            h = min(dt, _STEP)
            if not any(self.duty) and max(map(abs, self._rim)) < 1e-6:
                self.time += dt  # standing still: nothing happens until a duty comes
                self.speed = self.turn_rate = 0.0
                return
            self._advance(h)
            dt -= h

    def _advance(self, h: float) -> None:
        self.time += h
        pitch = math.radians(self.pose.pitch)
        for k, duty in enumerate(self.duty):
            wanted = 0.0 if abs(duty) < _DEAD_DUTY else duty * TOP_SPEED
            # A hill slows a motor, a descent hurries it a little.
            wanted *= max(0.3, 1.0 - 0.9 * math.sin(pitch) * (1 if duty > 0 else -1))
            self._rim[k] += (wanted - self._rim[k]) * (1 - math.exp(-h / _MOTOR_LAG))
            if not duty and abs(self._rim[k]) < 1e-5:
                self._rim[k] = 0.0
        left, right = sum(self._rim[:3]) / 3, sum(self._rim[3:]) / 3
        # Slip grows with slope and varies from place to place; on metal there is next to none.
        soil = self._soil_share
        patch, _, _ = gradient_noise(self.x * 0.7, self.y * 0.7, self._seed + 5)
        self.slip = soil * (
            0.025 + 0.03 * (patch + 0.5) + 0.35 * max(math.sin(pitch) * (1 if left + right > 0 else -1), -0.05)
        )
        forward = (left + right) / 2 * (1 - self.slip)
        skid = 1.0 + 0.45 * soil  # skid steering wastes rim travel in the turn
        aslant = math.radians(self.steering)
        rate = (right - left) * math.cos(aslant) / TRACK / skid
        drift = soil * 0.15 * math.sin(math.radians(self.pose.roll)) * abs(forward)
        mid = math.radians(self.heading) + rate * h / 2
        way = mid + aslant
        self.x += (forward * math.cos(way) + drift * math.sin(mid)) * h
        self.y += (forward * math.sin(way) - drift * math.cos(mid)) * h
        self.heading = (self.heading + math.degrees(rate * h) + 180.0) % 360.0 - 180.0
        self.travelled += abs(forward) * h
        self.speed, self.turn_rate = forward, math.degrees(rate)
        for k in range(6):
            self.rolled[k] += self._rim[k] * h
        self._pulse_left += abs(self._rim[1]) * h / COUNT
        self._pulse_right += abs(self._rim[4]) * h / COUNT
        self.pulses_left, self.pulses_right = int(self._pulse_left), int(self._pulse_right)
        self._settle()

    def _wheel_places(self) -> list[tuple[float, float]]:
        a = math.radians(self.heading)
        c, s = math.cos(a), math.sin(a)
        return [
            (self.x + f * c - side * TRACK / 2 * s, self.y + f * s + side * TRACK / 2 * c)
            for side in (1, -1)
            for f in AXLES
        ]

    def _settle(self) -> None:
        """Rest on six wheels: the body's pitch is the mean of the two rockers', as the differential makes it."""
        places = self._wheel_places()
        footing = [self.surface.height(*p) for p in places]
        z = [f[0] for f in footing]
        self._soil_share = sum(f[1] for f in footing) / 6
        span = AXLES[0] - AXLES[2]
        tilt = []
        for side in (0, 3):
            # Weights of a rocker carrying the front wheel and, on its other end, the bogie of the other two.
            tilt.append(math.atan2(z[side] - (z[side + 1] + z[side + 2]) / 2, span * 0.75))
        left, right = sum(z[:3]) / 3, sum(z[3:]) / 3
        pitch = math.degrees((tilt[0] + tilt[1]) / 2)
        roll = math.degrees(math.atan2(left - right, TRACK))
        self._rockers = (math.degrees(tilt[0]) - pitch, math.degrees(tilt[1]) - pitch)
        self.toppled = self.toppled or abs(roll) > 35 or abs(pitch) > 40
        self.pose = Pose(self.x, self.y, self.heading, sum(z) / 6, pitch, roll)
        for k, ((x, y), (_, soil)) in enumerate(zip(places, footing, strict=True)):
            if soil and abs(self.rolled[k] - self._pressed[k]) >= _PRESS_EVERY:
                self.world.tracks.press(
                    x,
                    y,
                    math.radians(self.heading),
                    self.rolled[k],
                    width=WHEEL_WIDTH,
                    depth=0.009,
                    length=0.05,
                    slip=self.slip,
                )
                self._pressed[k] = self.rolled[k]
            elif self._pressed[k] is math.inf:
                self._pressed[k] = self.rolled[k]

    # -- outputs -----------------------------------------------------------------------------------------------------

    def inertial(self) -> Inertial:
        """One reading with bias and noise; the unit at rest feels gravity upwards."""
        m = self.pose.matrix()[:3, :3]
        up = m.T @ np.array([0.0, 0.0, GRAVITY])
        shake = 0.015 + 0.25 * min(abs(self.speed) / TOP_SPEED + abs(self.turn_rate) / 4, 1.0)
        accel = up + self._accel_bias + self._rng.normal(0, shake, 3)
        gyro = np.array([0.0, 0.0, self.turn_rate]) + self._gyro_bias + self._rng.normal(0, 0.05, 3)
        return Inertial(
            (float(accel[0]), float(accel[1]), float(accel[2])), (float(gyro[0]), float(gyro[1]), float(gyro[2]))
        )

    def show(self) -> None:
        """Put the rover where it is into the world, for the next picture."""
        roll = tuple(math.degrees(r / WHEEL_RADIUS) for r in self.rolled)
        joints = replace(self.world.joints, roll=roll, rocker_left=self._rockers[0], rocker_right=self._rockers[1])
        self.world.set_rover(self.pose, joints)


def on_deck(world: World, seed: int = 0) -> Rover:
    """A rover standing on the platform's deck, looking down the rails, as after landing."""
    return Rover(world, world.platform.x, world.platform.y, 90.0 - world.rails_azimuth, seed=seed)


def drive_to(
    rover: Rover, x: float, y: float, *, tolerance: float = 0.15, backwards: bool = False, limit: float = 7200.0
) -> bool:
    """Reference driver: turn towards (x, y) and go there by true position. False if not reached in `limit` seconds.

    For tests and for moving the world without a unit; a mission drives by the unit's own commands.
    """
    end = rover.time + limit
    while rover.time < end and not rover.toppled:
        dx, dy = x - rover.x, y - rover.y
        distance = math.hypot(dx, dy)
        if distance < tolerance:
            break
        off = math.degrees(math.atan2(dy, dx)) - rover.heading + (180.0 if backwards else 0.0)
        off = (off + 180.0) % 360.0 - 180.0
        if abs(off) > 12.0:
            turn = math.copysign(1.0, off)
            rover.set_sides(-turn, turn)
        else:
            steer = max(-0.5, min(0.5, off / 15.0))
            way = -1.0 if backwards else 1.0
            rover.set_sides(way * (1.0 - way * steer) / 1.5, way * (1.0 + way * steer) / 1.5)
        rover.step(0.5)
    else:
        rover.set_sides(0.0, 0.0)
        rover.step(3.0)
        return False
    rover.set_sides(0.0, 0.0)
    rover.step(3.0)
    return True


def turn_to(rover: Rover, heading: float, *, tolerance: float = 1.0, limit: float = 3600.0) -> bool:
    """Reference driver: turn in place to a heading in degrees."""
    end = rover.time + limit
    while rover.time < end:
        off = (heading - rover.heading + 180.0) % 360.0 - 180.0
        if abs(off) < tolerance:
            break
        duty = math.copysign(1.0 if abs(off) > 6 else 0.35, off)
        rover.set_sides(-duty, duty)
        rover.step(0.25)
    rover.set_sides(0.0, 0.0)
    rover.step(3.0)
    return abs((heading - rover.heading + 180.0) % 360.0 - 180.0) < 3 * tolerance
