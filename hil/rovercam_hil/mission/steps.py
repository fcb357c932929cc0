"""The mission, step by step: what the rover does in the world, what the units are told, and what must be true afterwards.

The units really take and send every picture; the drives that matter (roll-off, the last metre and a half to the release
point, the turn before the released camera) are commanded to the unit, whose firmware turns the wheels. The ways between
are driven in the world model by its reference driver, to keep the demonstration short, unless ``all_wheels`` is set.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from rovercam.marstime import ZHURONG
from rovercam.release.mosaic import Mosaic, View, mosaic

from rovercam_hil.mission.checks import Checks, MissionFailed
from rovercam_hil.mission.flight import REMOTE, Flight, Shot
from rovercam_hil.mission.orbit import FlyBys, fly_by
from rovercam_hil.mission.passes import Passes, in_two_passes
from rovercam_hil.world import framing
from rovercam_hil.world.dynamics import Rover, drive_to, on_deck, turn_to
from rovercam_hil.world.optics import MAST
from rovercam_hil.world.world import World

ROLL_OFF = 1_621_651_200.0
"""22 May 2021 02:40 UTC, as published."""
PORTRAIT = ZHURONG.time_of(18, 13.2)
"""1 June 2021 is sol 18; the hour is ours."""
PANORAMA_PANS = tuple(range(-160, 161, 40))
MOTION_PART = 0.3
"""Share of the turn from the front to the side portrait that the motion sequence shows."""
STANDSTILL = 3.0
"""Seconds until the model has seen that the motors are off."""


@dataclass(frozen=True)
class Drive:
    """One drive by the unit's firmware: what the unit says of it, and what was so. Metres and degrees."""

    what: str
    forward: float
    turned: float
    slip: int
    seconds: float
    true_way: float
    true_turn: float


@dataclass
class Mission:
    """State over the steps; each step is a method, in order of `run`."""

    flight: Flight
    checks: Checks
    plan: framing.Plan
    motion_frames: int = 4
    panorama_size: str = "qvga"
    key_size: str = "vga"
    all_wheels: bool = False
    """Every drive by the unit's firmware."""
    panorama: Mosaic | None = None
    motion: list[Shot] = field(default_factory=list)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    """True places of the rover, metres east and north of the platform."""
    drives: list[Drive] = field(default_factory=list)
    passes: Passes | None = None

    def __post_init__(self) -> None:
        self.world: World = self.flight.world
        self.rover: Rover = on_deck(self.world, seed=self.flight.seed)
        self.rover.show()
        self.world.movers.append(self.rover.show)
        self.flight.drives(self.rover)
        self.fly_bys: Callable[[], FlyBys]

    def run(self, sols: int = 3) -> None:
        """sols: 1 ends after the roll-off, 2 after the portraits."""
        self.before_roll_off()
        self.roll_off()
        self.platform_from_six_metres()
        if sols < 2:
            return
        self.release()
        self.portraits()
        if sols > 2:
            # Days later, and in another process: the drive south and the two passes of the orbiter.
            self.fly_bys = self.flight.ahead.run(fly_by, self.rover.state())
            self.weather()

    # ------------------------------------------------------------------------------------------------------ the steps
    def before_roll_off(self) -> None:
        flight = self.flight
        for k, pan in enumerate(PANORAMA_PANS):
            flight.foresee("mast", self.panorama_size, pan, -9.0, after=6.0 + 3.4 * k)
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
        flight.foresee("mast", self.key_size, 172.0, -34.0, after=1.5)
        flight.foresee("hazard", self.key_size, 172.0, -34.0, after=10.0)
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
        done = self._by_wheels("roll-off by the rails", "drive", distance=6.0)
        r = self.rover
        self.checks.near("roll-off: the way by the unit's encoders", done.forward, 6.0, 0.05, "m")
        self.checks.near("roll-off: odometry against the truth", done.forward, done.true_way, 0.4, "m")
        self.checks.near("roll-off: straight down the rails, by the gyroscope", r.heading, -90.0, 3.0, "°")
        self.checks.that(
            "the rover stands on the ground",
            abs(r.pose.z - self.world.terrain.at(r.x, r.y)) < 0.15,
            f"{r.pose.z:.2f} m",
        )
        self.checks.that("it did not topple", not r.toppled)
        self.flight.foresee("mast", self.key_size, -25.0, -6.0, after=2.0)
        self.flight.foresee("hazard", "qvga", -25.0, -6.0, after=9.0)
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
        pan = (r.heading - heading + 180.0) % 360.0 - 180.0
        self.flight.foresee("mast", self.key_size, pan, -7.0, after=2.0)
        self.flight.look(pan, -7.0)
        shot = self._shot("the landing platform from 6 m", size=self.key_size)
        self._sees(shot, "platform", 0.10)

    def release(self) -> None:
        flight, plan = self.flight, self.plan
        flight.wake(PORTRAIT - 1800.0)
        self.checks.that("1 June is sol 18", ZHURONG.moment(flight.now).sol == 18, ZHURONG.moment(flight.now).label)
        *legs, last = plan.approach[1:]
        for leg in (framing.Leg(3.0, -8.0), *legs):
            self._drive("to the release point", leg.x, leg.y, sleep=False)
        self._turn("along the release heading", plan.release_heading)
        way = math.hypot(last.x - self.rover.x, last.y - self.rover.y)
        done = self._by_wheels("to the release point", "drive", distance=round(way, 3))
        self.checks.near("the last metres: odometry against the truth", done.forward, done.true_way, 0.15, "m")
        self.checks.near("heading after the last metres", self.rover.heading, plan.release_heading, 4.0, "°")
        aim = framing.release_heading_at(self.world, plan, self.rover.x, self.rover.y)
        self._turn("to aim the camera", aim)
        self.checks.near("heading at the release", (self.rover.heading - aim + 180.0) % 360.0 - 180.0, 0.0, 1.0, "°")
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
        flight.wake_remote()
        role = flight.command("ping", unit=REMOTE)
        self.checks.that("the released camera answers through the rover", role.state == "done", role.state)
        port = flight.station.link(REMOTE).port
        self.checks.that("it is heard by the rover's radio alone", port == "radio of unit 1", port)

    def portraits(self) -> None:
        plan = self.plan
        for leg in plan.withdraw:
            self._drive("withdraw to the platform", leg.x, leg.y, backwards=leg.backwards, sleep=False)
        self._turn("to face the camera", plan.front_heading)
        self.flight.look(0.0, 0.0)
        self._portrait("group portrait, from the front")
        self.places["portrait"] = (self.rover.x, self.rover.y)
        # Its first part by the unit's wheels, before the camera; all of it would take the two emulated units minutes.
        self._motion(MOTION_PART * ((plan.side_heading - plan.front_heading + 180.0) % 360.0 - 180.0))
        self._turn("to show its side", plan.side_heading)
        self.passes = in_two_passes(self.flight, self.checks, self._side_portrait)
        self._battery()
        self.flight.rest_remote()

    def _motion(self, angle: float) -> None:
        """The camera goes on recording while the rover, by its own wheels, turns to show its side."""
        flight, start = self.flight, self.rover.heading
        began = flight.now
        turning = flight.send("turn", angle=round(angle, 1))
        exposed = []
        for k in range(self.motion_frames):
            goal = 0.8 * (k + 1) / self.motion_frames * abs(angle)
            flight.session.run_until(partial(self._turned, start, goal), 120, "the rover's turn")
            exposed.append(flight.expose(f"motion {k + 1}", "mast", "qvga", REMOTE))
        flight.finish(turning, timeout=180)
        seconds = flight.now - began
        flight.session.run(STANDSTILL)
        done = self._drove("turn before the camera", seconds, 0.0, self.rover.heading - start)
        self.checks.near("the turn by the gyroscope against the truth", done.turned, done.true_turn, 3.0, "°")
        self.motion = [self._checked(shot) for shot in flight.fetch(exposed)]
        moved = [
            float(np.abs(a.pixels.astype(float) - b.pixels).mean())
            for a, b in zip(self.motion, self.motion[1:], strict=False)
        ]
        self.checks.that(
            "the rover moves from frame to frame",
            all(m > 0.3 for m in moved),
            ", ".join(f"{m:.1f}" for m in moved) + " levels",
        )

    def _turned(self, start: float, goal: float) -> bool:
        return abs((self.rover.heading - start + 180.0) % 360.0 - 180.0) >= goal

    def _side_portrait(self) -> Shot:
        return self._portrait("group portrait, from the side")

    def _battery(self) -> None:
        """The released camera lives on what it took along."""
        found = self.flight.archive.history(REMOTE, "bus_voltage", self.flight.start, 1e11)
        volts = [float(v) for v in found.values]
        self.checks.that(
            "the released camera's telemetry shows its battery falling", len(volts) > 2 and volts[-1] < volts[0],
            f"{volts[0]:.2f} V to {volts[-1]:.2f} V, {self.flight.far.drawn / 3.6:.1f} mAh drawn",
        )  # fmt: skip

    def _portrait(self, name: str) -> Shot:
        shot = self._shot(name, "mast", self.key_size, unit=REMOTE)
        found = framing.check(self.flight.eyes.remote.frame(shot.taken))
        self.checks.that(
            f"{name}: rover and platform wholly inside", found.whole, f"rover {found.rover}, platform {found.platform}"
        )
        return shot

    def weather(self) -> None:
        """Warm noon to late afternoon, asleep, with housekeeping every minute."""
        self.flight.look(0.0, 0.0)
        self.flight.sleep(360.0)

    # ------------------------------------------------------------------------------------------------------- helpers
    def _drive(self, what: str, x: float, y: float, *, backwards: bool = False, sleep: bool = True) -> None:
        """The world's rover drives; the unit sleeps meanwhile, or (the days between) the time is taken as passed."""
        if self.all_wheels:
            self._steer(what, x, y, backwards)
            return
        before = self.rover.time
        if not drive_to(self.rover, x, y, backwards=backwards):
            raise MissionFailed(f"{what}: the rover is stuck at {self.rover.x:.1f}, {self.rover.y:.1f}")
        self._after(what, before, sleep)

    def _steer(self, what: str, x: float, y: float, backwards: bool) -> None:
        """As an operator would who knows where the rover is: turn, drive, look again."""
        for _ in range(6):
            dx, dy = x - self.rover.x, y - self.rover.y
            way = math.hypot(dx, dy)
            if way < 0.2:
                return
            self._turn(what, math.degrees(math.atan2(dy, dx)) + (180.0 if backwards else 0.0))
            way = min(way, 15.0)
            self._by_wheels(what, "drive", distance=round(-way if backwards else way, 3))
        raise MissionFailed(f"{what}: still {way:.1f} m away after six drives")

    def _turn(self, what: str, heading: float) -> None:
        if self.all_wheels:
            off = (heading - self.rover.heading + 180.0) % 360.0 - 180.0
            if abs(off) > 1.0:
                self._by_wheels(what, "turn", angle=round(off, 1))
            return
        before = self.rover.time
        if not turn_to(self.rover, heading):
            raise MissionFailed(f"{what}: the rover cannot turn")
        self._after(what, before, False)

    def _by_wheels(self, what: str, command: str, **arguments: Any) -> Drive:
        """The unit drives: motors, encoders and inertial sensor are those of the world's rover."""
        rover, flight = self.rover, self.flight
        flight.rig.chassis.moved()
        began, way, heading = flight.now, rover.travelled, rover.heading
        flight.command(command, timeout=700, **arguments)
        seconds = flight.now - began
        flight.session.run(STANDSTILL)
        done = self._drove(what, seconds, rover.travelled - way, rover.heading - heading)
        rover.show()
        flight.say(
            f"  {what}, by the unit's wheels: {seconds:.0f} s, now {rover.x:+.1f} m east, {rover.y:+.1f} m north"
        )
        return done

    def _drove(self, what: str, seconds: float, way: float, turn: float) -> Drive:
        values = self.flight.event("drive_ended").values
        turn = (turn + 180.0) % 360.0 - 180.0
        done = Drive(what, values["forward"], values["turned"], values["slip"], seconds, way, turn)
        self.drives.append(done)
        return done

    def _after(self, what: str, before: float, sleep: bool) -> None:
        seconds = self.rover.time - before
        self.flight.rig.chassis.moved()
        self.rover.show()
        self.flight.sleep(seconds) if sleep else self.flight.skip(seconds)
        self.flight.log.append(
            (self.flight.now, f"world: {what}", f"{seconds:.0f} s, at {self.rover.x:.1f}, {self.rover.y:.1f}")
        )
        self.flight.say(f"  {what}: {seconds:.0f} s, now {self.rover.x:+.1f} m east, {self.rover.y:+.1f} m north")

    def _shot(self, name: str, camera: str = "mast", size: str = "vga", **arguments: Any) -> Shot:
        return self._checked(self.flight.shoot(name, camera, size, **arguments))

    def _checked(self, shot: Shot) -> Shot:
        likeness = shot.likeness()
        self.checks.that(
            f"{shot.name}: the ground has what the lens formed", likeness > 0.97, f"correlation {likeness:.4f}"
        )
        if shot.pixels.ndim == 3:
            r, g, b = (float(shot.pixels[:, :, k].mean()) for k in range(3))
            self.checks.that(f"{shot.name}: the colour of Mars", r > g > b, f"{r:.0f}, {g:.0f}, {b:.0f}")
        return shot

    def _sees(self, shot: Shot, body: str, share: float) -> None:
        frame = self.flight.eyes.scenes[shot.camera].camera.frame(shot.taken)
        part = float((frame.body == frame.names.index(body)).mean()) if body in frame.names else 0.0
        self.checks.that(f"{shot.name}: shows the {body}", part >= share, f"{100 * part:.1f} % of the picture")
