"""The unit's cameras as eyes in the emulated Mars: the mast follows the servos, and what each camera last saw is kept.

The mast's head is geared 1:2 to its pan servo, so that ±90° of servo give the full circle of the panorama.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rovercam_hil.devices.rig import Rig
from rovercam_hil.world.environment import Power, weather
from rovercam_hil.world.world import Camera, HazardCamera, MastCamera, RemoteCamera, World

GEAR = 2.0
"""Degrees of the head per degree of the pan servo."""


def servo_pan(pan: float) -> float:
    """Servo angle (degrees, positive to the left, as commanded) that turns the head by `pan` degrees to the right."""
    pan = (pan + 180.0) % 360.0 - 180.0
    return round(-pan / GEAR, 1)


def head_pan(angle: float) -> float:
    """Degrees to the right the head looks at a servo angle."""
    return -angle * GEAR


class Eye:
    """One of the world's cameras as a scene of the device model; `seen` is the last picture the lens formed, `taken` when
    (board seconds)."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.seen: np.ndarray | None = None
        self.taken = -1e9

    def picture(self, time: float, width: int, height: int) -> np.ndarray:
        self.taken = time
        self.camera.world.settle()
        self.seen = self.camera.picture(time, width, height)
        return self.seen

    def light(self, time: float) -> float:
        return self.camera.light(time)


class Mast(MastCamera):
    """The mast camera, turned by the servos of the unit's rig (given after the unit is made)."""

    rig: Rig | None = None

    def frame(self, t: float):  # type: ignore[no-untyped-def]
        self.follow()
        return super().frame(t)

    def follow(self) -> None:
        """Turn the head to where the servos are, to a tenth of a degree."""
        if self.rig is None or self.world.rover is None:
            return
        pan, tilt = round(head_pan(self.rig.pan.angle), 1), round(self.rig.tilt.angle, 1)
        if (pan, tilt) != (self.world.joints.pan, self.world.joints.tilt):
            self.world.set_rover(self.world.rover, replace(self.world.joints, pan=pan, tilt=tilt))


@dataclass
class Eyes:
    """Scenes for make_unit: the rover unit's three cameras; and the releasable camera, which unit 2 looks through."""

    mast: Mast
    right: Mast
    hazard: HazardCamera
    remote: RemoteCamera

    def __post_init__(self) -> None:
        self.scenes = {"mast": Eye(self.mast), "mast_right": Eye(self.right), "hazard": Eye(self.hazard)}

    @classmethod
    def of(cls, world: World) -> Eyes:
        return cls(Mast(world), Mast(world, left=False), HazardCamera(world), RemoteCamera(world))

    def at(self, epoch: float) -> None:
        """POSIX seconds at board time 0."""
        for camera in (self.mast, self.right, self.hazard, self.remote):
            camera.epoch = epoch


class Surroundings:
    """Air and power as the unit's sensors feel them. Board seconds in, `epoch` as for the cameras."""

    def __init__(self, world: World, rig: Rig) -> None:
        self.world = world
        self.power = Power(world.site, tau=world.tau, seed=world.seed)
        self.epoch = 0.0
        rig.weather.temperature = lambda t: self._air(t).temperature
        rig.weather.pressure = lambda t: self._air(t).pressure
        rig.weather.humidity = lambda t: self._air(t).humidity
        # The unit measures its own 5 V supply, fed by the bus: a fifth of the bus voltage.
        rig.power.voltage = lambda t: self._power(t).voltage / 5.0
        rig.power.current = lambda t: 0.21 + 0.01 * self._power(t).heater

    def _air(self, t: float):  # type: ignore[no-untyped-def]
        return weather(self.world.site, self.epoch + t, self.world.seed)

    def _power(self, t: float) -> Power:
        if self.power._time is None or self.epoch + t > self.power._time:
            self.power.step(self.epoch + t)
        return self.power
