"""The two units, their line and the ground station on the mission's clock: commands with their stages, pictures, sleep, new sols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rovercam.archive import Archive
from rovercam.dictionary import load
from rovercam.keys import KeyStore
from rovercam.marstime import ZHURONG
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.pictures import render

from rovercam_hil.boards.unit import Unit, make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.devices.arducam_mega import SIZES
from rovercam_hil.mission import remote
from rovercam_hil.mission.checks import MissionFailed
from rovercam_hil.mission.eyes import Eye, Eyes, Surroundings, head_pan, servo_pan
from rovercam_hil.world.ahead import Ahead
from rovercam_hil.world.dynamics import Rover
from rovercam_hil.world.world import World

BAUD = 115200
PORT = "emulated line"
PROFILE = 11
"""Long frames, no Reed–Solomon code: the line between the emulated board and the station is clean."""
ROVER, REMOTE = 1, remote.NUMBER
WHEEL_TICK = 0.05
"""Seconds of a step of the rover's dynamics while the unit drives."""


@dataclass
class Shot:
    """One picture that came down. `seen` is what the lens formed, `pixels` what the ground has."""

    name: str
    camera: str
    pixels: np.ndarray
    seen: np.ndarray | None
    taken: float
    """POSIX seconds."""
    product: int
    size: int
    """Bytes received."""
    seconds: float
    """From the command to the last byte, virtual."""
    codec: str
    unit: int = ROVER
    caption: str = ""
    file: str = ""

    @property
    def when(self) -> str:
        return ZHURONG.moment(self.taken).label

    @property
    def down(self) -> float:
        """POSIX seconds at which the last byte was on the ground."""
        return self.taken + self.seconds

    def likeness(self) -> float:
        """Correlation of the brightness received with the brightness the lens formed."""
        if self.seen is None or self.seen.shape[:2] != self.pixels.shape[:2]:
            return 0.0
        a, b = (p.mean(axis=2) if p.ndim == 3 else p.astype(float) for p in (self.pixels, self.seen))
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@dataclass(frozen=True)
class Exposed:
    """A picture that a unit has taken and kept."""

    name: str
    camera: str
    size: str
    unit: int
    began: float
    seen: np.ndarray | None
    product: int
    """The unit's number of it."""


@dataclass
class Flight:
    """Open with `with`. ``world`` is what the cameras look at; ``start`` POSIX seconds of the first power-on."""

    out: Path
    world: World
    seed: int
    start: float
    image: Path | None = None
    say: Callable[[str], None] = print
    pace: float = 0.0
    """Virtual seconds per second of the wall clock, at most; 0: as fast as it goes."""
    native: bool = False
    """The units run natively, not on emulated Picos."""
    shots: list[Shot] = field(default_factory=list)
    log: list[tuple[float, str, str]] = field(default_factory=list)
    """(POSIX seconds, command, outcome)."""

    def __enter__(self) -> Flight:
        self.eyes = Eyes.of(self.world)
        self.unit: Unit = make_unit(
            unit=ROVER, seed=self.seed, scenes=self.eyes.scenes, baud=BAUD, image=self.image, native=self.native
        )
        assert self.unit.rig is not None
        self.rig = self.unit.rig
        self.eyes.mast.rig = self.eyes.right.rig = self.rig
        self.air = Surroundings(self.world, self.rig)
        self.far_eye = Eye(self.eyes.remote)
        self.far = remote.Remote(self.far_eye, self.seed, self.image, self.native)
        keys = KeyStore(self.out / "keys")
        for unit in (self.unit, self.far):
            keys.put(unit.number, unit.key, overwrite=True)
        for old in self.out.glob("archive.db*"):
            old.unlink()
        self.archive = Archive(self.out / "archive.db")
        self.station = Station(self.archive, keys, now=self.start, name="mission", set_clocks=True)
        self.session = Session(self.station, start=self.start, record=True)
        self.gates = [remote.Gate(lambda: self.session.start) for _ in range(2)]
        self.link = self.session.add(self.unit.board, PORT, *self.gates)
        self.session.join(self.rig.radio, self.far.board)
        if self.pace:
            self.session.on_slice.append(_Pace(self.pace))
        self.recording: list[tuple[float, bytes]] = []
        self.heard: list[updates.Update] = []
        self.commands: dict[int, updates.CommandChanged] = {}
        self.station.subscribe(self._hear)
        self.ahead = Ahead(self.world)
        self._epoch()
        return self

    def __exit__(self, *_: object) -> None:
        for unit in (self.unit, self.far):
            unit.board.close()
        self.ahead.close()
        self.station.commit(self.session.now)
        self._keep()
        self.archive.close()

    @property
    def now(self) -> float:
        return self.session.now

    def _hear(self, update: updates.Update) -> None:
        self.heard.append(update)
        if isinstance(update, updates.CommandChanged):
            self.commands[update.id] = update

    def _epoch(self) -> None:
        self.eyes.at(self.session.start)
        self.air.epoch = self.session.start

    def _keep(self) -> None:
        self.recording += [(self.session.start + t, data) for t, data in self.link.recording]
        self.link.recording.clear()

    def drives(self, rover: Rover) -> None:
        """The unit's wheel motors, encoders and inertial sensor are this rover's."""
        self.rig.chassis.body = rover
        self.rig.chassis.tick = WHEEL_TICK

    # -------------------------------------------------------------------------------------------------- time and power
    def wake(self, at: float | None = None) -> None:
        """Power on, at POSIX time ``at`` (the unit was off and its days are skipped), until it is ready for commands."""
        if at is not None and at > self.now:
            if self.unit.board.powered:
                self.unit.board.power_off()
            self._keep()
            self.session.start += at - self.now
            self._epoch()
        self.unit.board.power_on()
        self._first_report(ROVER)
        self.command("set_profile", profile=PROFILE)

    def wake_remote(self) -> None:
        """The released camera's unit starts, and is heard by the rover's radio."""
        self.command("start_radio")
        self.far.board.power_on()
        self._first_report(REMOTE)

    def rest_remote(self) -> None:
        """The released camera has done its work: the rover listens to it no longer, and it goes out."""
        self.command("stop_radio")
        self.far.board.power_off()

    def _first_report(self, unit: int) -> None:
        self.heard.clear()
        self.session.run_until(
            lambda: any(isinstance(u, updates.Telemetry) and u.unit == unit for u in self.heard),
            30,
            "the first telemetry",
        )
        self.session.run(2.0)
        self.say(f"{ZHURONG.moment(self.now).label}: unit {unit} is awake")

    def sleep(self, seconds: float) -> None:
        """The unit sleeps for ``seconds`` (housekeeping every minute), while the rover drives or nothing happens."""
        self.command("set_mode", mode="sleep")
        self.session.slice_s = 0.5
        self.session.run(seconds)
        self.session.slice_s = 0.02
        self.command("set_mode", mode="normal")

    def skip(self, seconds: float) -> None:
        """Take ``seconds`` as passed for everything but the units, whose clocks are then set anew."""
        self.session.run(0.5)  # what is under way arrives
        self._keep()
        self.session.start += seconds
        self._epoch()
        for unit in (self.unit, self.far):
            if unit.board.powered:
                self.command("set_time", unit=unit.number, seconds=int(self.now))

    # -------------------------------------------------------------------------------------------------------- commands
    def send(self, name: str, *, unit: int = ROVER, **arguments: Any) -> int:
        """Queue one telecommand and go on; its number."""
        return self.station.command(unit, name, arguments, self.now).id

    def finish(self, number: int, *, refused: bool = False, timeout: float = 60.0) -> updates.CommandChanged:
        """Wait for the end of a command. Raises MissionFailed when it ends otherwise than expected."""
        what = self.commands[number]
        self.session.run_until(lambda: self.commands[number].ended, timeout, f"the end of {what.name}")
        ended = self.commands[number]
        said = " ".join(f"{k}={v}" for k, v in what.arguments.items())
        who = "" if what.unit == ROVER else f"unit {what.unit}: "
        self.log.append((self.now, f"{who}{what.name} {said}", ended.state + " " + ended.reason))
        if (ended.state == "done") == refused:
            raise MissionFailed(f"{who}{what.name} {said}: {ended.state} {ended.reason}")
        return ended

    def command(
        self, name: str, *, unit: int = ROVER, refused: bool = False, timeout: float = 60.0, **arguments: Any
    ) -> updates.CommandChanged:
        """Send one telecommand and wait for its end, as above."""
        self.heard.clear()
        return self.finish(self.send(name, unit=unit, **arguments), refused=refused, timeout=timeout)

    def event(self, name: str, unit: int = ROVER) -> updates.EventReceived:
        """The last event of this name since the last command() began. Raises MissionFailed when there is none."""
        for update in reversed(self.heard):
            if isinstance(update, updates.EventReceived) and (update.name, update.unit) == (name, unit):
                return update
        raise MissionFailed(f"unit {unit} reported no {name}")

    def look(self, pan: float, tilt: float) -> None:
        """Turn the mast's head ``pan`` degrees to the right, ``tilt`` up, by the unit's servos."""
        self.command("point_mast", pan=servo_pan(pan), tilt=round(tilt, 1))
        self.session.run(0.3)
        self.eyes.mast.follow()  # other cameras see the head, too

    def foresee(self, camera: str, size: str, pan: float | None = None, tilt: float = 0.0, after: float = 3.0) -> None:
        """A picture of the rover's will be wanted in about ``after`` seconds: the second process renders it meanwhile."""
        joints = None if pan is None else replace(self.world.joints, pan=head_pan(servo_pan(pan)), tilt=round(tilt, 1))
        pixels = SIZES[load().enums["picture_size"][size]]
        self.ahead.begin(self.eyes.scenes[camera].camera, self.now + after, pixels, joints)

    # -------------------------------------------------------------------------------------------------------- pictures
    def eye(self, camera: str, unit: int = ROVER) -> Eye:
        return self.far_eye if unit == REMOTE else self.eyes.scenes[camera]

    def shoot(
        self, name: str, camera: str = "mast", size: str = "vga", *, unit: int = ROVER, timeout: float = 240.0,
        **arguments: Any,
    ) -> Shot:  # fmt: skip
        """Take a picture, wait until all of it is on the ground, decode it there."""
        arguments = {"camera": camera, "size": size, **(arguments or {"format": "jpeg"})}
        began = self.now
        self.heard.clear()
        sent = self.send("capture", unit=unit, **arguments)
        got = self._down(unit, None, timeout, name, lambda: self._refusal(sent))
        return self._keep_shot(name, camera, unit, arguments, began, self.eye(camera, unit).seen, got)

    def expose(self, name: str, camera: str, size: str, unit: int) -> Exposed:
        """Take a picture and leave it on the unit: what `fetch` needs."""
        began = self.now
        self.command("capture", unit=unit, camera=camera, size=size, format="jpeg", downlink=False)
        number = int(self.event("picture_taken", unit).values["product"])
        return Exposed(name, camera, size, unit, began, self.eye(camera, unit).seen, number)

    def fetch(self, exposed: Sequence[Exposed], timeout: float = 300.0) -> list[Shot]:
        """Have pictures sent that were left on a unit."""
        self.heard.clear()
        for number in [self.send("downlink_product", unit=e.unit, product=e.product) for e in exposed]:
            self.finish(number)
        shots = []
        for e in exposed:
            got = self._down(e.unit, e.product, timeout, e.name, str)
            arguments = {"camera": e.camera, "size": e.size, "format": "jpeg"}
            shots.append(self._keep_shot(e.name, e.camera, e.unit, arguments, e.began, e.seen, got))
        return shots

    def _refusal(self, number: int) -> str:
        ended = self.commands[number]
        return (ended.reason or ended.state) if ended.state in ("failed", "lost") else ""

    def _down(
        self, unit: int, number: int | None, timeout: float, name: str, failed: Callable[[], str]
    ) -> updates.PictureChanged:
        def down() -> updates.PictureChanged | None:
            found = (u for u in self.heard if isinstance(u, updates.PictureChanged) and u.unit == unit and u.state == "down"
                     and number in (None, u.number))  # fmt: skip
            return next(found, None)

        self.session.run_until(lambda: bool(failed() or down()), timeout, f"the picture {name!r}")
        got = down()
        if got is None:
            raise MissionFailed(f"{name}: {failed()}")
        return got

    def _keep_shot(
        self, name: str, camera: str, unit: int, arguments: dict[str, Any], began: float, seen: np.ndarray | None,
        got: updates.PictureChanged,
    ) -> Shot:  # fmt: skip
        rendered = render(self.archive, got.product)
        codec = "the camera's JPEG" if arguments.get("format") == "jpeg" else f"wavelet codec, {arguments.get('codec')}"
        shot = Shot(
            name=name, camera=camera, pixels=rendered.pixels, seen=seen, taken=began, product=got.product,
            size=got.received, seconds=self.now - began, codec=codec, unit=unit,
        )  # fmt: skip
        self.shots.append(shot)
        who = "" if unit == ROVER else f"unit {unit}: "
        said = " ".join(f"{k}={v}" for k, v in arguments.items())
        self.log.append((began, f"{who}capture {said}", f"down, {got.received} bytes"))
        self.say(f"{shot.when}: {name}, {got.received} bytes, down {shot.seconds:.1f} s after the command")
        return shot


class _Pace:
    """Holds the virtual clock back to so many times the wall clock's speed."""

    def __init__(self, speed: float) -> None:
        import time

        self._time, self._speed = time, speed
        self._offset: float | None = None

    def __call__(self, now: float) -> None:
        wall = self._time.monotonic()
        ahead = 0.0 if self._offset is None else now / self._speed - wall - self._offset
        if self._offset is None or not -1.0 < ahead < 60.0:
            self._offset = now / self._speed - wall  # begins, fell behind, or days were skipped
        elif ahead > 0:
            self._time.sleep(ahead)
