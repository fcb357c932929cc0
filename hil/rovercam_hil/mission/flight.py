"""The unit, its line and the ground station on the mission's clock: commands with their stages, pictures, sleep, new sols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.marstime import ZHURONG
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.pictures import render

from rovercam_hil.boards.unit import Unit, make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.mission.checks import MissionFailed
from rovercam_hil.mission.eyes import Eyes, Surroundings
from rovercam_hil.world.world import World

BAUD = 115200
PORT = "emulated line"
PROFILE = 14
"""Long frames, no Reed–Solomon code: the line between the emulated board and the station is clean."""


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
    caption: str = ""
    file: str = ""

    @property
    def when(self) -> str:
        return ZHURONG.moment(self.taken).label

    def likeness(self) -> float:
        """Correlation of the brightness received with the brightness the lens formed."""
        if self.seen is None or self.seen.shape[:2] != self.pixels.shape[:2]:
            return 0.0
        a, b = (p.mean(axis=2) if p.ndim == 3 else p.astype(float) for p in (self.pixels, self.seen))
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@dataclass
class Flight:
    """Open with `with`. ``world`` is what the cameras look at; ``start`` POSIX seconds of the first power-on."""

    out: Path
    world: World
    seed: int
    start: float
    image: Path | None = None
    say: Callable[[str], None] = print
    shots: list[Shot] = field(default_factory=list)
    log: list[tuple[float, str, str]] = field(default_factory=list)
    """(POSIX seconds, command, outcome)."""

    def __enter__(self) -> Flight:
        self.eyes = Eyes.of(self.world)
        self.unit: Unit = make_unit(unit=1, seed=self.seed, scenes=self.eyes.scenes, baud=BAUD, image=self.image)
        assert self.unit.rig is not None
        self.rig = self.unit.rig
        self.eyes.mast.rig = self.rig
        self.air = Surroundings(self.world, self.rig)
        keys = KeyStore(self.out / "keys")
        keys.put(self.unit.number, self.unit.key, overwrite=True)
        for old in self.out.glob("archive.db*"):
            old.unlink()
        self.archive = Archive(self.out / "archive.db")
        self.station = Station(self.archive, keys, now=self.start, name="mission", set_clocks=True)
        self.session = Session(self.station, start=self.start, record=True)
        self.link = self.session.add(self.unit.board, PORT)
        self.recording: list[tuple[float, bytes]] = []
        self.heard: list[updates.Update] = []
        self.station.subscribe(self.heard.append)
        self._epoch()
        return self

    def __exit__(self, *_: object) -> None:
        self.unit.board.close()
        self.station.commit(self.session.now)
        self._keep()
        self.archive.close()

    @property
    def now(self) -> float:
        return self.session.now

    def _epoch(self) -> None:
        self.eyes.at(self.session.start)
        self.air.epoch = self.session.start

    def _keep(self) -> None:
        self.recording += [(self.session.start + t, data) for t, data in self.link.recording]
        self.link.recording.clear()

    # -------------------------------------------------------------------------------------------------- time and power
    def wake(self, at: float | None = None) -> None:
        """Power on, at POSIX time ``at`` (the unit was off and its days are skipped), until it is ready for commands."""
        if at is not None and at > self.now:
            if self.unit.board.powered:
                self.unit.board.power_off()
            self._keep()
            self.session.start += at - self.now
            self._epoch()
        self.heard.clear()
        self.unit.board.power_on()
        self.session.run_until(
            lambda: any(isinstance(u, updates.Telemetry) for u in self.heard), 20, "the first telemetry"
        )
        self.session.run(2.0)
        self.say(f"{ZHURONG.moment(self.now).label}: unit {self.unit.number} is awake")
        self.command("set_profile", profile=PROFILE)

    def sleep(self, seconds: float) -> None:
        """The unit sleeps for ``seconds`` (housekeeping every minute), while the rover drives or nothing happens."""
        self.command("set_mode", mode="sleep")
        self.session.slice_s = 0.5
        self.session.run(seconds)
        self.session.slice_s = 0.02
        self.command("set_mode", mode="normal")

    def skip(self, seconds: float) -> None:
        """Take ``seconds`` as passed for everything but the unit, whose clock is then set anew."""
        self._keep()
        self.session.start += seconds
        self._epoch()
        self.command("set_time", seconds=int(self.now))

    # -------------------------------------------------------------------------------------------------------- commands
    def command(
        self, name: str, *, refused: bool = False, timeout: float = 60.0, **arguments: Any
    ) -> updates.CommandChanged:
        """Send one telecommand and wait for its end. Raises MissionFailed when it ends otherwise than expected."""
        sent = self.station.command(self.unit.number, name, arguments, self.now)

        def end() -> updates.CommandChanged | None:
            found = (u for u in self.heard if isinstance(u, updates.CommandChanged) and u.id == sent.id and u.ended)
            return next(found, None)

        self.heard.clear()
        self.session.run_until(lambda: end() is not None, timeout, f"the end of {name}")
        ended = end()
        assert ended is not None
        self.log.append(
            (self.now, f"{name} {' '.join(f'{k}={v}' for k, v in arguments.items())}", ended.state + " " + ended.reason)
        )
        if (ended.state == "done") == refused:
            raise MissionFailed(f"{name} {arguments}: {ended.state} {ended.reason}")
        return ended

    def look(self, pan: float, tilt: float) -> None:
        """Turn the mast's head ``pan`` degrees to the right, ``tilt`` up, by the unit's servos."""
        from rovercam_hil.mission.eyes import servo_pan

        self.command("point_mast", pan=servo_pan(pan), tilt=round(tilt, 1))
        self.session.run(0.3)
        self.eyes.mast.follow()  # other cameras see the head, too

    def shoot(
        self, name: str, camera: str = "mast", size: str = "vga", *, timeout: float = 240.0, **arguments: Any
    ) -> Shot:
        """Take a picture, wait until all of it is on the ground, decode it there."""
        arguments = {"camera": camera, "size": size, **(arguments or {"format": "jpeg"})}
        began = self.now
        self.heard.clear()
        sent = self.station.command(self.unit.number, "capture", arguments, began)

        def failed() -> str:
            found = (u.reason or u.state for u in self.heard
                     if isinstance(u, updates.CommandChanged) and u.id == sent.id and u.state in ("failed", "lost"))  # fmt: skip
            return next(found, "")

        def down() -> updates.PictureChanged | None:
            return next((u for u in self.heard if isinstance(u, updates.PictureChanged) and u.state == "down"), None)

        self.session.run_until(lambda: bool(failed() or down()), timeout, f"the picture {name!r}")
        got = down()
        if got is None:
            raise MissionFailed(f"{name}: {failed()}")
        rendered = render(self.archive, got.product)
        codec = "the camera's JPEG" if arguments.get("format") == "jpeg" else f"wavelet codec, {arguments.get('codec')}"
        shot = Shot(
            name=name, camera=camera, pixels=rendered.pixels, seen=self.eyes.scenes[camera].seen, taken=began,
            product=got.product, size=got.received, seconds=self.now - began, codec=codec,
        )  # fmt: skip
        self.shots.append(shot)
        self.log.append(
            (began, f"capture {' '.join(f'{k}={v}' for k, v in arguments.items())}", f"down, {got.received} bytes")
        )
        self.say(f"{shot.when}: {name}, {got.received} bytes, down {shot.seconds:.1f} s after the command")
        return shot
