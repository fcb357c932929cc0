"""A unit on the bench with its line and its ground station, emulated or real, and what it takes to share it."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rovercam import places
from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.station import updates
from rovercam.station.core import Station

from rovercam_hil.boards import filesystem
from rovercam_hil.boards.base import VIRTUAL_BOARDS, Board, VirtualBoard
from rovercam_hil.boards.native.process import ARCH as NATIVE_ARCH
from rovercam_hil.boards.real import NoPowerControl, RealBoard
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.devices.rig import Rig
from rovercam_hil.devices.scene import ArrayScene, Picture, Scene
from rovercam_hil.lab.lease import SCHEME, lease
from rovercam_hil.suite.ground import FactMissing, Ground
from rovercam_hil.suite.wire import Wire

START_S = 20.0  # from power-on to the first telemetry; 1.5 s on the emulated Pico
SAMPLE_PATH = "/t/sample.bin"  # lies on every emulated unit of the bench
SAMPLE = bytes((11 * k * k + k // 13) & 255 for k in range(12_000))
HEARD_S = 30.0  # a real board may be in a long silence


class CannotControl(Exception):
    """This board does not let the bench do that: the scenario is skipped, with this reason."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for. board: "pico" (emulated), "native" or a port's URL."""

    board: str = "pico"
    image: str | None = None
    seed: int = 1
    baud: int = 921600
    power_command: str = ""
    unit: int = 1
    firmware: Path | None = None

    @property
    def emulated(self) -> bool:
        """In virtual time, with models of the chips: not a real board."""
        return self.board in VIRTUAL_BOARDS

    @property
    def native(self) -> bool:
        return self.board == "native"

    @property
    def arch(self) -> str:
        """What firmware for the unit is compiled for."""
        return NATIVE_ARCH if self.native else filesystem.ARCH


class View(ArrayScene):
    """What the cameras of a shared unit look at; ``show`` another picture or scene, ``brightness`` is the light."""

    def __init__(self) -> None:
        self._default = default_picture()
        super().__init__(self._default)
        self._scene: Scene | None = None

    def show(self, picture: Picture | Scene, light: float = 1.0) -> None:
        if isinstance(picture, Scene):
            self._scene = picture
        else:
            ArrayScene.__init__(self, picture, light)
            self._scene = None

    def default(self) -> None:
        self.show(self._default)

    def picture(self, time: float, width: int, height: int) -> Picture:
        return self._picture if self._scene is None else self._scene.picture(time, width, height)

    def light(self, time: float) -> float:
        return self.brightness if self._scene is None else self._scene.light(time)


def default_picture(width: int = 96, height: int = 96) -> Picture:
    """A small colour picture with flat parts, edges and texture; the same every time."""
    import numpy as np

    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rng = np.random.default_rng(96)
    base = 90 + 60 * np.sin(x / 17.0) * np.cos(y / 23.0) + 40 * ((x // 24 + y // 24) & 1)
    texture = rng.normal(0, 6, (height, width)) * (y > height // 2)
    grey = np.clip(base + texture, 0, 255)
    out = np.stack((grey, np.clip(grey * 0.8 + 10, 0, 255), np.clip(grey * 0.6 + x / 2, 0, 255)), axis=-1)
    return out.astype(np.uint8)


@dataclass
class BenchUnit:
    """One unit under test. ``disturbed``: its state is not to be trusted by the next scenario."""

    options: Options
    wire_kind: str
    board: Board
    wire: Wire
    session: Session
    station: Station
    archive: Archive
    ground: Ground
    number: int
    key: bytes
    rig: Rig | None
    view: View | None
    disturbed: bool = False
    marks: dict[str, int] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------ what a scenario may do
    @property
    def emulated(self) -> VirtualBoard:
        """The emulated (or native) board; raises CannotControl on a real one."""
        if not isinstance(self.board, VirtualBoard):
            raise CannotControl("only the emulated board lets the bench look inside the chip")
        return self.board

    @property
    def models(self) -> Rig:
        """The chips around the board, to be set and broken; raises CannotControl on a real board."""
        if self.rig is None:
            raise CannotControl("a real board's chips cannot be set or broken by the bench")
        return self.rig

    def faulty(self) -> dict[str, Any]:
        """Every device that knows faults, by name."""
        rig = self.models
        return {
            **{f"camera_{k}": c for k, c in rig.cameras.items()},
            "weather": rig.weather,
            "power": rig.power,
            "attitude": rig.attitude,
        }

    def sample(self) -> bytes:
        """A file of 12 000 bytes that is on the unit at SAMPLE_PATH; a real board gets it when it is first asked for."""
        if self.rig is None and not self.marks.get("sample") and not isinstance(self.board, VirtualBoard):
            self.ground.put(SAMPLE, SAMPLE_PATH, timeout=300)
            self.marks["sample"] = 1
        return SAMPLE

    def mend(self) -> None:
        """Everything back to how a scenario finds it: no faults, clear line, the default view."""
        self.wire.clear()
        if isinstance(self.board, VirtualBoard):
            self.board.forget_power_cut()
        if self.rig is not None:
            for device in self.faulty().values():
                device.clear()
        if self.view is not None:
            self.view.default()
        if not self.board.powered:
            self.board.power_on()

    def wait_started(self, timeout: float = START_S) -> None:
        """The unit is heard and takes commands. Raises FactMissing."""
        since = self.ground.mark()
        self.ground.wait(
            "a frame of the unit",
            lambda: bool(
                self.ground.found(updates.Telemetry, since) or self.ground.found(updates.EventReceived, since)
            ),
            timeout,
        )
        self.commandable(timeout)

    def commandable(self, timeout: float = 20.0) -> None:
        """The unit answers a ping. Raises FactMissing."""
        end = self.ground.elapsed + timeout
        while True:
            number = self.ground.queue("ping")
            try:  # a report may be lost on the line, and is not sent twice: then ask again
                if self.ground.ended(number, max(1.0, min(8.0, end - self.ground.elapsed))).state == "done":
                    break
            except FactMissing:
                pass
            if self.ground.elapsed >= end:
                raise FactMissing(f"the unit does not answer a ping within {timeout:g} s.\n{self.ground.summary()}")

    def last_words(self) -> str:
        return (
            bytes(self.board.repl_log[-600:]).decode(errors="replace")
            if self.wire_kind != "usb"
            else "(the USB port is the line)"
        )

    def rest(self) -> None:
        """Nothing is open on disk, so that the process can be copied with the unit in it; ``go_on`` ends that."""
        self.station.commit(self.session.now)
        self.archive.close()

    def go_on(self, folder: Path) -> None:
        """After ``rest``, with a copy of the unit's archive and keys in a new ``folder``."""
        shutil.copytree(self.archive.path.parent, folder)
        self.archive.path = folder / self.archive.path.name
        self.archive.db = Archive(self.archive.path).db
        self.station.keys.folder = folder / self.station.keys.folder.name

    def close(self) -> None:
        self.station.commit(self.session.now)
        self.board.close()
        self.archive.close()


class Power:
    """The unit's supply and reset. On a real board ``cycle`` needs --power-command; what cannot be done is CannotControl."""

    def __init__(self, unit: BenchUnit) -> None:
        self._unit = unit

    def cut(self) -> None:
        """Away this instant, also in the middle of a flash write."""
        self._unit.disturbed = True
        if isinstance(self._unit.board, VirtualBoard):
            self._unit.board.forget_power_cut()
        try:
            self._unit.board.power_cut()
        except NoPowerControl as error:
            raise CannotControl(str(error)) from None

    def on(self) -> None:
        self._unit.board.power_on()

    def cycle(self, off: float = 0.5) -> None:
        """Off for a while and on again; returns when the unit takes commands."""
        self.cut()
        self._unit.ground.run(off)
        self.on()
        self._unit.wait_started()

    def reset(self) -> None:
        """The reset pin."""
        self._unit.disturbed = True
        self._unit.emulated.reset()

    def cut_in_flash_write(self, operation: int, fraction: float = 0.5) -> None:
        """The supply goes inside the flash operation that comes so many after now."""
        self._unit.disturbed = True
        board = self._unit.emulated
        board.cut_power_at_flash_op(board.flash_operations + operation, fraction)


def build(
    options: Options,
    folder: Path,
    *,
    wire: str = "uart",
    bare: bool = False,
    extra: Mapping[str, bytes] | None = None,
    config: Mapping[str, Any] | None = None,
    start: bool = True,
    baud: int | None = None,
) -> BenchUnit:
    """A unit with a new station whose archive lies in ``folder``. Emulated: with a new flash, powered and started."""
    folder.mkdir(parents=True, exist_ok=True)
    baud = baud or options.baud
    view = None
    rig = None
    board: Board
    if options.emulated:
        view = View()
        made = make_unit(
            unit=options.unit, seed=options.seed, scene=view, bare=bare, baud=baud, usb=wire == "usb",
            image=options.image, extra={SAMPLE_PATH: SAMPLE, **(extra or {})}, config=config, firmware=options.firmware,
            native=options.native,
        )  # fmt: skip
        board, rig, key = made.board, made.rig, made.key
        keys = KeyStore(folder / "keys")
        keys.put(options.unit, key, overwrite=True)
    else:
        if bare or extra or config:
            raise CannotControl(
                "a real board is tested as it was flashed: its files and settings are not the bench's to choose"
            )
        board = _real(options, baud)
        keys = KeyStore(places.home() / "keys")
        key = keys.get(options.unit)
    line = Wire(0 if wire == "usb" else baud, options.seed)
    archive = Archive(folder / "archive.db")
    start_time = 1_623_369_600.0
    if not options.emulated:
        import time

        start_time = time.time()
    station = Station(archive, keys, now=start_time, name="bench", set_clocks=True)
    session = Session(station, start=start_time)
    session.add(board, "unit", down=line.down, up=line.up)  # type: ignore[arg-type]
    if wire == "usb":
        session.links[0].baud = 8_000_000
    line.now = lambda: session.elapsed
    made_unit: list[BenchUnit] = []
    ground = Ground(session, station, archive, options.unit, lambda: made_unit[0].last_words())  # noqa: PLW0108 - it is made below
    unit = BenchUnit(
        options=options, wire_kind=wire, board=board, wire=line, session=session, station=station, archive=archive,
        ground=ground, number=options.unit, key=key, rig=rig, view=view,
    )  # fmt: skip
    made_unit.append(unit)
    if start:
        board.power_on()
        unit.wait_started(START_S if options.emulated else HEARD_S)
    return unit


def _real(options: Options, baud: int) -> RealBoard:
    if not options.board.startswith(SCHEME):
        return RealBoard(options.board, baud=baud, power_command=options.power_command)
    held = lease(options.board)
    try:
        return RealBoard(
            held.url, baud=held.baud, power_command=options.power_command, switch=held.switch, on_close=held.close
        )
    except Exception:
        held.close()
        raise


def randomness(seed: int, name: str) -> random.Random:
    """A scenario's own: the same for the same seed and scenario, whatever ran before."""
    return random.Random(f"{seed}/{name}")


def digest(recording: list[tuple[int, float, bytes]]) -> str:
    """Hash of a recording with its times: equal for equal bytes at equal times."""
    h = hashlib.sha256()
    for direction, at, data in recording:
        h.update(f"{direction} {at:.9f} {len(data)} ".encode())
        h.update(data)
    return h.hexdigest()
