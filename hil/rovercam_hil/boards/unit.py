"""An emulated camera unit ready to run: the standard rig, the firmware on its flash, its key from the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rovercam_hil.boards import filesystem
from rovercam_hil.boards.base import BoardError, Device, VirtualBoard
from rovercam_hil.boards.native.board import NativeBoard
from rovercam_hil.boards.native.process import ARCH
from rovercam_hil.boards.pico import EmulatedPico
from rovercam_hil.devices.rig import Rig, standard_rig
from rovercam_hil.devices.scene import Scene
from rovercam_hil.devices.trace import Trace


@dataclass
class Unit:
    """``board`` is off until power_on()."""

    number: int
    key: bytes
    board: VirtualBoard
    rig: Rig | None

    @property
    def pico(self) -> EmulatedPico:
        """The emulated Pico, with its prompt and its flash operations; raises BoardError for a native board."""
        if not isinstance(self.board, EmulatedPico):
            raise BoardError(f"{self.board.name}: this needs the emulated Pico")
        return self.board


def unit_key(seed: int, unit: int) -> bytes:
    """The key of an emulated unit: 32 bytes that follow from the seed, so that runs repeat. Not secret."""
    return hashlib.sha256(f"rovercam emulated unit {unit}, seed {seed}".encode()).digest()


def make_unit(
    *,
    unit: int = 1,
    seed: int = 1,
    scene: Scene | None = None,
    scenes: Mapping[str, Scene] | None = None,
    bare: bool = False,
    baud: int = 115200,
    usb: bool = False,
    image: str | Path | None = None,
    extra: Mapping[str, bytes] | None = None,
    config: Mapping[str, Any] | None = None,
    flash_file: str | Path | None = None,
    firmware: Path | None = None,
    strap: bool = False,
    flash_log: bool = False,
    trace: Trace | None = None,
    more_devices: Sequence[Device] = (),
    native: bool = False,
) -> Unit:
    """``bare``: a board with nothing attached. ``extra``: files of the unit (board path -> contents). ``native``: the firmware runs in
    MicroPython's unix port (:mod:`rovercam_hil.boards.native.board`) instead of on the emulated Pico: no ``usb``, ``image``, ``strap``, ``flash_log``."""
    key = unit_key(seed, unit)
    rig = None if bare else standard_rig(scene, scenes=dict(scenes or {}), seed=seed, trace=trace)
    settings = {"line": "usb" if usb else "uart", "baud": baud, **(config or {})}
    kept = flash_file is not None and Path(flash_file).exists()
    arch = ARCH if native else filesystem.ARCH
    fs = (
        None
        if kept
        else filesystem.unit_image(unit=unit, key=key, config=settings, extra=extra, firmware=firmware, arch=arch)
    )
    devices = [*(rig.devices if rig is not None else []), *more_devices]
    name = f"unit {unit}"
    if native:
        own = NativeBoard(filesystem=fs, flash_file=flash_file, devices=devices, baud=baud, name=name)
        return Unit(number=unit, key=key, board=own, rig=rig)
    board = EmulatedPico(
        image=image,
        filesystem=fs,
        flash_file=flash_file,
        devices=devices,
        baud=baud,
        usb=usb,
        strap=strap,
        seed=seed,
        flash_log=flash_log,
        name=name,
    )
    return Unit(number=unit, key=key, board=board, rig=rig)
