"""The released camera: unit 2, the same firmware in role `remote`, with a battery of its own and a radio to the rover."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rovercam_hil.boards import filesystem
from rovercam_hil.boards.apart import Apart
from rovercam_hil.boards.base import VirtualBoard
from rovercam_hil.boards.unit import Unit, make_unit, unit_key
from rovercam_hil.process import Ask
from rovercam_hil.relay.contacts import Plan

if TYPE_CHECKING:
    from rovercam_hil.mission.eyes import Eye

NUMBER = 2
AIR_BAUD = 57600
"""Of the radio; on both sides of it is a UART."""
CONFIG = {"role": "remote", "profile": 2}


class Seeing(Protocol):
    """``taken``: when it last took a picture, board seconds."""

    taken: float


class Battery:
    """One lithium cell, discharged by what the unit draws; charged by nobody. Board seconds in.

    ``state``: share of the charge left, at volts of an open cell (a common 18650's curve, rounded); ``resistance`` in ohms.
    """

    STATE = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    VOLTS = (3.0, 3.3, 3.45, 3.58, 3.68, 3.82, 3.98, 4.18)
    IDLE, CAMERA, RADIO = 0.055, 0.140, 0.045
    """Amperes: the board, the camera for some seconds after a picture, the radio while bytes go out."""

    def __init__(self, board: VirtualBoard, eye: Seeing, capacity: float = 0.35, resistance: float = 0.18) -> None:
        """capacity in ampere-hours."""
        self.board, self.eye = board, eye
        self.capacity, self.resistance = capacity, resistance
        self.drawn = 0.0
        """Ampere-seconds."""
        self._time = 0.0
        self._sent = 0
        self._now = self.IDLE

    def current(self, time: float) -> float:
        """Amperes; the charge is brought up to ``time``."""
        step = time - self._time
        if step > 0.05:
            sent = self.board.port.sent
            busy = min(1.0, (sent - self._sent) * 10 / AIR_BAUD / step)
            seeing = time - self.eye.taken < 4.0
            self._now = self.IDLE + self.RADIO * busy + self.CAMERA * seeing
            self.drawn += self._now * step
            self._time, self._sent = time, sent
        return self._now

    def voltage(self, time: float) -> float:
        """Volts under load."""
        amperes = self.current(time)
        left = 1.0 - self.drawn / 3600.0 / self.capacity
        return float(np.interp(left, self.STATE, self.VOLTS)) - amperes * self.resistance


class FarEye:
    """What the released camera sees, asked of the process that has the world; ``taken`` as mission.eyes.Eye's."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.taken = -1e9

    def picture(self, time: float, width: int, height: int) -> np.ndarray:
        self.taken = time
        found: np.ndarray = self._ask("picture", time, width, height)
        return found

    def light(self, time: float) -> float:
        found: float = self._ask("light", time)
        return found


class FarUnit:
    """Unit 2 with its battery, in its own process."""

    def __init__(self, ask: Ask, seed: int, image: str | None, native: bool = False) -> None:
        eye = FarEye(ask)
        unit = make_unit(
            unit=NUMBER, seed=seed, scenes={"mast": eye}, baud=AIR_BAUD, image=image, config=CONFIG, native=native
        )
        assert unit.rig is not None
        self.board = unit.board
        self.battery = Battery(unit.board, eye)
        unit.rig.power.voltage = self.battery.voltage
        unit.rig.power.current = self.battery.current


class Remote:
    """The released camera's unit, off at first; ``eye`` is what its one camera looks through."""

    def __init__(self, eye: Eye, seed: int, image: str | Path | None, native: bool = False) -> None:
        self.eye = eye
        self.number = NUMBER
        self.key = unit_key(seed, NUMBER)
        arguments = {"seed": seed, "image": None if image is None else str(image), "native": native}
        self.board = Apart(f"unit {NUMBER}", FarUnit, arguments, self._serve)

    def _serve(self, name: str, *arguments: Any) -> Any:
        return self.eye.picture(*arguments) if name == "picture" else self.eye.light(*arguments)

    @property
    def drawn(self) -> float:
        """Ampere-seconds its battery has given."""
        found: float = self.board.ask("battery.drawn")
        return found


class Gate:
    """One direction of the line between rover and station, open while a pass of the contact plan lasts.

    What is sent outside a pass is sent to nobody; ``lost`` counts it. Without a plan the gate is open. ``epoch``: POSIX
    seconds at board time 0.
    """

    def __init__(self, epoch: Callable[[], float]) -> None:
        self.plan: Plan | None = None
        self.epoch = epoch
        self.lost = 0
        self._data = bytearray()
        self._times: list[float] = []

    def open(self, time: float) -> bool:
        at = self.epoch() + time
        return self.plan is None or any(c.start <= at < c.end for c in self.plan.contacts)

    def push(self, data: bytes, times: list[float]) -> None:
        if self.plan is None:
            self._data += data
            self._times += times
            return
        for byte, time in zip(data, times, strict=True):
            if self.open(time):
                self._data.append(byte)
                self._times.append(time)
            else:
                self.lost += 1

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        data, times = bytes(self._data), self._times
        self._data, self._times = bytearray(), []
        return data, times


def in_rover_store(rover: Unit) -> int:
    """Bytes of relayed frames on the rover's flash: what the bench sees by looking into it, in contact or not."""
    fs = filesystem.mount(rover.board.flash_bytes())
    try:
        return sum(fs.stat(f"/r/{name}").size for name in fs.listdir("/r"))
    except FileNotFoundError:
        return 0
    finally:
        fs.unmount()
