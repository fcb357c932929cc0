"""The world at one place and time: ground, platform, rover, remote camera, Sun and air; and the pictures taken in it.

Time is POSIX seconds, as everywhere; nothing here reads a clock. A picture is a function of time and of the state of the
world (poses, tracks), and is kept as long as neither moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rovercam.marstime import ZHURONG, Site

from rovercam_hil.world import rover_body
from rovercam_hil.world.light import Light, make_light
from rovercam_hil.world.mesh import rotation, translation
from rovercam_hil.world.optics import HAZARD, MAST, REMOTE, Lens, Sensor
from rovercam_hil.world.platform_body import platform_mesh
from rovercam_hil.world.render import Frame, Renderer
from rovercam_hil.world.terrain import Terrain
from rovercam_hil.world.tracks import Tracks

RAILS_AZIMUTH = 180.0
"""Degrees from north over east the rails point to: south, where the rover went."""

_STILL = 90.0  # s: light is taken as unchanged this long (the Sun moves 0.37 degrees)


_COMFORTABLE = 0.035  # s × gain: the automatic exposure of a view around noon


@dataclass(frozen=True)
class Pose:
    """Place on the ground: metres east and north; heading degrees counter-clockwise from east; attitude in degrees."""

    x: float
    y: float
    heading: float
    z: float = 0.0
    pitch: float = 0.0
    """Nose up."""
    roll: float = 0.0
    """Right side down."""

    def matrix(self) -> np.ndarray:
        """4 × 4 from the body's frame (x forward, y left, z up) to the world."""
        return (
            translation(self.x, self.y, self.z)
            @ rotation("z", self.heading)
            @ rotation("y", -self.pitch)
            @ rotation("x", self.roll)
        )


class World:
    """Everything that can be seen. `changed()` after moving something by hand; the setters do it themselves."""

    def __init__(
        self, seed: int = 1, site: Site = ZHURONG, tau: float = 0.45, rails_azimuth: float = RAILS_AZIMUTH
    ) -> None:
        self.seed = seed
        self.site = site
        self.tau = tau
        self.rails_azimuth = rails_azimuth
        self.terrain = Terrain(seed)
        self.tracks = Tracks()
        self.renderer = Renderer(self.terrain, self.tracks)
        self.version = 0
        """Of what was moved by hand."""
        self.ahead: Callable[[tuple[Any, ...]], Frame | None] | None = None
        """Asked for a frame (Camera.key) before one is rendered."""
        self.rover: Pose | None = None
        self.joints = rover_body.Joints()
        self.remote: Pose | None = None
        self.movers: list[Callable[[], None]] = []
        """Called before a picture: each puts something that moves by itself where it is now."""
        self.platform = Pose(0.0, 0.0, 90.0 - rails_azimuth - 90.0)
        self.renderer.set_body("platform", platform_mesh().placed(self.platform.matrix()))

    def settle(self) -> None:
        """Everything is where it is now."""
        for move in self.movers:
            move()

    def changed(self) -> None:
        self.version += 1

    def state(self, joints: rover_body.Joints | None = None) -> tuple[Any, ...]:
        """What a picture depends on beside camera and light; ``joints``: as if the rover's were these."""
        drawn = self.joints if joints is None else joints
        return self.rover, drawn, self.remote, self.tracks.version, self.version

    def set_rover(self, pose: Pose | None, joints: rover_body.Joints | None = None) -> None:
        """Place the rover (None: not there) and its joints."""
        if joints is not None:
            self.joints = joints
        if (pose, self.joints) != (self.rover, getattr(self, "_drawn", None)):
            self.rover, self._drawn = pose, self.joints
            self.renderer.set_body(
                "rover", None if pose is None else rover_body.rover_mesh(self.joints).placed(pose.matrix())
            )

    def set_remote(self, pose: Pose | None) -> None:
        """Stand the remote camera on the ground (None: it is still under the rover)."""
        self.remote = pose
        self.renderer.set_body("remote", None if pose is None else rover_body.remote_mesh().placed(pose.matrix()))

    def on_ground(self, x: float, y: float, heading: float) -> Pose:
        """A pose standing on the ground at (x, y), following its slope over a metre."""
        c, s = math.cos(math.radians(heading)), math.sin(math.radians(heading))
        h = self.terrain.at
        ahead = (h(x + 0.6 * c, y + 0.6 * s) - h(x - 0.6 * c, y - 0.6 * s)) / 1.2
        left = (h(x - 0.6 * s, y + 0.6 * c) - h(x + 0.6 * s, y - 0.6 * c)) / 1.2
        return Pose(x, y, heading, h(x, y), math.degrees(math.atan(ahead)), math.degrees(math.atan(left)))

    def light(self, t: float) -> Light:
        """Light at POSIX time `t` by the Sun's place over the site."""
        m = self.site.moment(t)
        return make_light(m.sun_azimuth, m.sun_elevation, self.tau, m.sun_distance)


class Camera:
    """One camera in the world. Implements the device models' scene: `size` and `image(t)`.

    `exposure` (s) and `gain` are what the camera module has set; None leaves them to its automatic exposure.
    """

    lens: Lens = MAST

    def __init__(
        self, world: World, size: tuple[int, int] = (640, 480), lens: Lens | None = None, seed: int = 0
    ) -> None:
        self.world = world
        self.size = size
        if lens is not None:
            self.lens = lens
        self.sensor = Sensor()
        self.exposure: float | None = None
        self.gain: float | None = None
        self.temperature = -20.0
        self.fine = True
        self.seed = seed
        self._kept: tuple[tuple, Frame] | None = None
        self.epoch = 0.0
        """POSIX time at board time 0, for `picture` and `light`."""

    def pose(self, joints: rover_body.Joints | None = None) -> np.ndarray:
        """4 × 4 from the camera's frame (x line of sight, y left, z up) to the world; ``joints``: as in World.state."""
        raise NotImplementedError

    def key(self, t: float, size: tuple[int, int], joints: rover_body.Joints | None = None) -> tuple[Any, ...]:
        """What the frame of time ``t`` depends on: equal keys, equal frames."""
        pose = tuple(self.pose(joints).ravel().tolist())
        return int(t // _STILL), self.world.state(joints), size, self.fine, pose

    def frame(self, t: float) -> Frame:
        """Linear radiance and what is seen where; kept while nothing moves."""
        key = self.key(t, self.size)
        if self._kept is not None and self._kept[0] == key:
            return self._kept[1]
        frame = None if self.world.ahead is None else self.world.ahead(key)
        if frame is None:
            frame = self._render(t)
        self._kept = (key, frame)
        return frame

    def _render(self, t: float) -> Frame:
        pose = self.pose()
        w, h = self.size
        turn = pose[:3, :3].T
        rays = self.lens.directions(w, h) @ turn
        finer = None
        if self.fine:
            quarter = ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375))
            finer = np.stack([self.lens.directions(w, h, dx, dy) @ turn for dx, dy in quarter])
        light = self.world.light((t // _STILL + 0.5) * _STILL)
        return self.world.renderer.frame(
            pose[:3, 3], rays, light, 1.0 / self.lens.focal(w), finer=finer, seed=self.world.seed
        )

    def image(self, t: float) -> np.ndarray:
        """The picture (H, W, 3) uint8 as the camera module delivers it at POSIX time `t`."""
        frame = self.frame(t)
        w, h = self.size
        light = frame.radiance * self.lens.transmission(w, h)[:, :, None]
        auto_exposure, auto_gain = self.sensor.auto(light)
        exposure = auto_exposure if self.exposure is None else self.exposure
        gain = auto_gain if self.gain is None else self.gain
        rng = np.random.default_rng([self.world.seed, self.seed, int(t * 1000) & 0xFFFFFFFF])
        return self.sensor.develop(self.sensor.expose(light, exposure, gain, rng, self.temperature))

    # -- the camera device models' protocol (rovercam_hil.devices.scene.Scene) -----------------------------------------

    def picture(self, time: float, width: int, height: int) -> np.ndarray:
        """The well-exposed picture at board time `time`; the device model applies its own manual exposure to it."""
        self.size = (width, height)
        return self.image(self.epoch + time)

    def light(self, time: float) -> float:
        """How bright the view is, relative to what suits the device's nominal exposure: about 1 by day, 0.001 at dusk."""
        exposure, gain = self.sensor.auto(self.frame(self.epoch + time).radiance)
        return _COMFORTABLE / (exposure * gain)


class MastCamera(Camera):
    """Left or right camera of the pan/tilt head, 27 cm apart. Takes pan and tilt from the world's joints."""

    lens = MAST

    def __init__(self, world: World, left: bool = True, size: tuple[int, int] = (640, 480), seed: int = 1) -> None:
        super().__init__(world, size, seed=seed + (0 if left else 1))
        self.left = left

    def pose(self, joints: rover_body.Joints | None = None) -> np.ndarray:
        if self.world.rover is None:
            raise ValueError("the mast camera needs the rover to be placed (World.set_rover)")
        return self.world.rover.matrix() @ rover_body.camera_pose(joints or self.world.joints, self.left)

    def point(self, pan: float, tilt: float) -> None:
        """Turn the head: degrees to the right of straight ahead, and up."""
        self.world.set_rover(self.world.rover, replace(self.world.joints, pan=pan, tilt=tilt))


class HazardCamera(Camera):
    """Front hazard camera: very wide, the horizon bends."""

    lens = HAZARD

    def __init__(self, world: World, left: bool = True, size: tuple[int, int] = (640, 480), seed: int = 3) -> None:
        super().__init__(world, size, seed=seed + (0 if left else 1))
        self.left = left

    def pose(self, joints: rover_body.Joints | None = None) -> np.ndarray:
        if self.world.rover is None:
            raise ValueError("the hazard camera needs the rover to be placed (World.set_rover)")
        return self.world.rover.matrix() @ rover_body.hazard_pose(self.left)


class RemoteCamera(Camera):
    """The released camera: stands on the ground and looks where it was set down; under the rover it sees the ground."""

    lens = REMOTE
    tilt = 5.0
    """Degrees its line of sight is tilted up, by its stand."""

    def __init__(self, world: World, size: tuple[int, int] = (640, 480), seed: int = 5) -> None:
        super().__init__(world, size, seed=seed)

    def pose(self, joints: rover_body.Joints | None = None) -> np.ndarray:
        if self.world.remote is not None:
            return self.world.remote.matrix() @ translation(0.125, 0.0, 0.13) @ rotation("y", -self.tilt)
        if self.world.rover is None:
            raise ValueError("the remote camera is neither on the ground (set_remote) nor under a rover (set_rover)")
        bay = rover_body.REMOTE_BAY
        # It hangs looking back, so that it sees the platform the rover came from.
        return self.world.rover.matrix() @ translation(bay[0] - 0.12, bay[1], bay[2]) @ rotation("z", 180.0)
