"""The mission, step by step: what the rover does in the world, what the unit is told, and what must be true afterwards.

The unit really takes and sends every picture and lets the camera go; the rover's wheels are moved by mission steps in
the world model, not by the unit's firmware, and the unit sleeps (really) for as long as they turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rovercam.marstime import ZHURONG
from rovercam.release.mosaic import Mosaic, View, mosaic

from rovercam_hil.mission.checks import Checks, MissionFailed
from rovercam_hil.mission.flight import Flight, Shot
from rovercam_hil.world import framing
from rovercam_hil.world.dynamics import COUNT, Rover, drive_to, on_deck, turn_to
from rovercam_hil.world.optics import MAST
from rovercam_hil.world.world import World

ROLL_OFF = 1_621_651_200.0
"""22 May 2021 02:40 UTC, as published."""
PORTRAIT = ZHURONG.time_of(18, 13.2)
"""1 June 2021 is sol 18; the hour is ours."""
PANORAMA_PANS = tuple(range(-160, 161, 40))
STRIDE = 0.35
"""Metres the rover drives between two pictures of the motion sequence."""


@dataclass
class Mission:
    """State over the steps; each step is a method, in order of `run`."""

    flight: Flight
    checks: Checks
    motion_frames: int = 5
    panorama_size: str = "qvga"
    key_size: str = "vga"
    panorama: Mosaic | None = None
    motion: list[Shot] = field(default_factory=list)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    """True places of the rover, metres east and north of the platform."""
    travelled: dict[str, float] = field(default_factory=dict)
    """Metres of wheel odometry at the same moments."""

    def __post_init__(self) -> None:
        self.world: World = self.flight.world
        # Planned before anything starts: an impossible portrait is said here (FramingError).
        self.plan = framing.plan(self.world)
        self.rover: Rover = on_deck(self.world, seed=self.flight.seed)
        self.rover.show()

    def run(self) -> None:
        self.before_roll_off()
        self.roll_off()
        self.platform_from_six_metres()
        self.release()
        self.portraits()
        self.weather()

    # ------------------------------------------------------------------------------------------------------ the steps
    def before_roll_off(self) -> None:
        flight = self.flight
        flight.wake()
        self.checks.that(
            "landing site is reached on sol 8", ZHURONG.moment(flight.now).sol == 8, ZHURONG.moment(flight.now).label
        )
        views = []
        for pan in PANORAMA_PANS:
            flight.look(pan, -9.0)
            shot = self._shot(f"panorama, {pan:+d}°", size=self.panorama_size)
            joints = self.world.joints
            self.checks.near(f"mast points to {pan:+d}°", joints.pan, pan, 0.5, "°")
            views.append(
                View(
                    picture=shot.pixels,
                    pan=joints.pan,
                    tilt=joints.tilt,
                    field=MAST.field,
                    distortion=MAST.k1,
                    falloff=MAST.falloff,
                )
            )
        self.panorama = mosaic(views)
        width = self.panorama.picture.shape[1] * self.panorama.degrees_per_pixel
        self.checks.near("the panorama goes all round", width, 360.0, 0.5, "°")
        # The horizon and the ground below it without a gap; the corners above and below may stay open.
        gap = 1.0 - float(self.panorama.covered[self._rows(-15.0, 2.0)].mean())
        self.checks.that("the panorama has no gap around the horizon", gap < 0.002, f"{100 * gap:.2f} % uncovered")
        flight.look(172.0, -34.0)
        deck = self._shot("the rover's upper deck before roll-off", size=self.key_size)
        self._sees(deck, "rover", 0.15)
        hazard = self._shot("hazard camera: the rails before roll-off", "hazard", self.key_size)
        self._sees(hazard, "platform", 0.03)

    def _rows(self, low: float, high: float) -> slice:
        assert self.panorama is not None
        p = self.panorama
        return slice(int((p.top - high) / p.degrees_per_pixel), int((p.top - low) / p.degrees_per_pixel))

    def roll_off(self) -> None:
        self.flight.look(0.0, 0.0)
        self._drive("roll-off by the rails", 0.0, -6.0)
        r = self.rover
        self.checks.that(
            "the rover stands on the ground",
            abs(r.pose.z - self.world.terrain.at(r.x, r.y)) < 0.15,
            f"{r.pose.z:.2f} m",
        )
        self.checks.that("it did not topple", not r.toppled)
        self.flight.look(-25.0, -6.0)
        self._shot("first view of the terrain from the surface", size=self.key_size)
        self._shot("hazard camera, by the wavelet codec", "hazard", "qvga", codec="rate", rate=1.0, format="grey")

    def platform_from_six_metres(self) -> None:
        a = math.radians(60.0)
        self._drive("to 6 m, 60° south of east", 6.0 * math.cos(a), -6.0 * math.sin(a))
        r = self.rover
        self.checks.near("distance to the platform", math.hypot(r.x, r.y), 6.0, 0.4, "m")
        self.checks.near(
            "bearing from the platform, south of east", math.degrees(math.atan2(-r.y, r.x)), 60.0, 4.0, "°"
        )
        heading = math.degrees(math.atan2(-r.y, -r.x))
        self.flight.look((r.heading - heading + 180.0) % 360.0 - 180.0, -7.0)
        shot = self._shot("the landing platform from 6 m", size=self.key_size)
        self._sees(shot, "platform", 0.10)

    def release(self) -> None:
        flight, plan = self.flight, self.plan
        flight.wake(PORTRAIT - 1800.0)
        self.checks.that("1 June is sol 18", ZHURONG.moment(flight.now).sol == 18, ZHURONG.moment(flight.now).label)
        for leg in (framing.Leg(3.0, -8.0), *plan.approach[1:]):
            self._drive("to the release point", leg.x, leg.y, sleep=False)
        self._turn("along the release heading", plan.release_heading)
        self.checks.near(
            "distance of the release point from the platform",
            math.hypot(self.rover.x, self.rover.y),
            plan.distance,
            0.4,
            "m",
        )
        ended = flight.command("release_camera", refused=True)
        self.checks.that(
            "release without arming is refused and nothing moves", not self.flight.rig.release.released, ended.reason
        )
        flight.command("arm", armed_service=8, armed_subtype=1, armed_function=6)
        flight.command("release_camera")
        self.checks.that(
            "armed, the unit lets the camera go", flight.rig.release.released, "servo beyond its threshold"
        )
        if not flight.rig.release.released:
            raise MissionFailed("the remote camera was not released")
        self.world.set_remote(framing.released(self.world, self.rover.pose))

    def portraits(self) -> None:
        plan = self.plan
        for leg in plan.withdraw:
            self._drive("withdraw to the platform", leg.x, leg.y, backwards=leg.backwards, sleep=False)
        self._turn("to face the camera", plan.front_heading)
        self.flight.look(0.0, 0.0)
        self._portrait("group portrait, from the front")
        self.places["portrait"] = (self.rover.x, self.rover.y)
        # The camera goes on recording while the rover begins its turn and then stands for the second portrait.
        for k in range(self.motion_frames):
            share = (k + 1) / (self.motion_frames + 1)
            turn_to(self.rover, plan.front_heading + 90.0 * share)
            self.rover.show()
            self.motion.append(self._shot(f"motion {k + 1}", "mast_right", "qvga"))
        moved = [
            float(np.abs(a.pixels.astype(float) - b.pixels).mean())
            for a, b in zip(self.motion, self.motion[1:], strict=False)
        ]
        self.checks.that(
            "the rover moves from frame to frame",
            all(m > 0.3 for m in moved),
            ", ".join(f"{m:.1f}" for m in moved) + " levels",
        )
        self._turn("to show its side", plan.side_heading)
        self._portrait("group portrait, from the side")

    def _portrait(self, name: str) -> None:
        shot = self._shot(name, "mast_right", self.key_size)
        found = framing.check(self.flight.eyes.remote.frame(shot.taken))
        self.checks.that(
            f"{name}: rover and platform wholly inside", found.whole, f"rover {found.rover}, platform {found.platform}"
        )

    def weather(self) -> None:
        """Warm noon to late afternoon, asleep, with housekeeping every minute."""
        self.flight.look(0.0, 0.0)
        self.flight.sleep(600.0)

    def drive_south(self, metres: float, name: str) -> None:
        """Days of driving, the unit being off: only the rover moves, to ``metres`` from the platform or, next, further on."""
        first = "6 June" not in self.places
        # Around the camera that stands in the way.
        way = ((self.rover.x + 3.0, self.rover.y - 4.0), (5.0, -14.0)) if first else ()
        end = (2.0, -math.sqrt(metres**2 - 4.0)) if first else (self.rover.x - 3.0, self.rover.y - metres)
        for x, y in (*way, end):
            if not drive_to(self.rover, x, y):
                raise MissionFailed(f"{name}: stuck at {self.rover.x:.1f}, {self.rover.y:.1f}")
        self._mark(name)

    def _mark(self, name: str) -> None:
        self.rover.show()
        self.places[name] = (self.rover.x, self.rover.y)
        self.travelled[name] = (self.rover.pulses_left + self.rover.pulses_right) / 2 * COUNT

    # ------------------------------------------------------------------------------------------------------- helpers
    def _drive(self, what: str, x: float, y: float, *, backwards: bool = False, sleep: bool = True) -> None:
        """The world's rover drives; the unit sleeps meanwhile, or (the days between) the time is taken as passed."""
        before = self.rover.time
        if not drive_to(self.rover, x, y, backwards=backwards):
            raise MissionFailed(f"{what}: the rover is stuck at {self.rover.x:.1f}, {self.rover.y:.1f}")
        self._after(what, before, sleep)

    def _turn(self, what: str, heading: float) -> None:
        before = self.rover.time
        if not turn_to(self.rover, heading):
            raise MissionFailed(f"{what}: the rover cannot turn")
        self._after(what, before, False)

    def _after(self, what: str, before: float, sleep: bool) -> None:
        seconds = self.rover.time - before
        self.rover.show()
        self.flight.sleep(seconds) if sleep else self.flight.skip(seconds)
        self.flight.log.append(
            (self.flight.now, f"world: {what}", f"{seconds:.0f} s, at {self.rover.x:.1f}, {self.rover.y:.1f}")
        )
        self.flight.say(f"  {what}: {seconds:.0f} s, now {self.rover.x:+.1f} m east, {self.rover.y:+.1f} m north")

    def _shot(self, name: str, camera: str = "mast", size: str = "vga", **arguments: Any) -> Shot:
        shot = self.flight.shoot(name, camera, size, **arguments)
        likeness = shot.likeness()
        self.checks.that(f"{name}: the ground has what the lens formed", likeness > 0.97, f"correlation {likeness:.4f}")
        if shot.pixels.ndim == 3:
            r, g, b = (float(shot.pixels[:, :, k].mean()) for k in range(3))
            self.checks.that(f"{name}: the colour of Mars", r > g > b, f"{r:.0f}, {g:.0f}, {b:.0f}")
        return shot

    def _sees(self, shot: Shot, body: str, share: float) -> None:
        frame = self.flight.eyes.scenes[shot.camera].camera.frame(shot.taken)
        part = float((frame.body == frame.names.index(body)).mean()) if body in frame.names else 0.0
        self.checks.that(f"{shot.name}: shows the {body}", part >= share, f"{100 * part:.1f} % of the picture")
