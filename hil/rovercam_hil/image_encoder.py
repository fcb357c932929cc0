"""Encode a picture with the firmware's own encoder, in MicroPython's unix port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rovercam.places import firmware_dir

from rovercam_hil.micropython.worker import Worker

ARENA = 48 * 1024  # what the board gives; wider pictures than 640 need more and only run here


class ImageEncoder:
    """A MicroPython process with the encoder loaded. Use as a context manager. Raises MicroPythonMissing."""

    def __init__(self, worker: Worker | None = None) -> None:
        self.worker = worker or Worker([firmware_dir()])
        self.worker.run(Path(__file__).with_name("micropython").joinpath("imaging_agent.py").read_text("utf-8"))

    @staticmethod
    def _pixels(picture: np.ndarray, depth: int) -> tuple[bytes, int, int, int]:
        height, width = picture.shape
        depth = depth or (8 if picture.dtype == np.uint8 else 12)
        return picture.astype(np.uint8 if depth == 8 else "<u2").tobytes(), width, height, depth

    @staticmethod
    def arena_for(width: int) -> int:
        """Bytes of arena for a picture of this width: the board's 48 KB as long as they do."""
        return ARENA if width <= 640 else 80 * width + 24 * 1024

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
        """The layers' files [.0, .1, .2, .3] of a grey picture (H, W); options are those of rover.imaging.segments.Encoder."""
        raw, width, height, depth = self._pixels(picture, depth)
        arena = arena or self.arena_for(width) * (1 if depth == 8 else 2)
        self.worker.eval(f"encode(b0, {width}, {height}, {depth}, {arena}, {int(survey)}, {repeat}, {options!r})", raw)
        return [self.worker.eval(f"files[{n}]") for n in range(4)]

    def stream(self, picture: np.ndarray, *, depth: int = 0, arena: int = 0, **options: Any) -> bytes:
        """A conformant CCSDS 122.0-B-2 stream; options are those of rover.imaging.c122.Stream."""
        raw, width, height, depth = self._pixels(picture, depth)
        blocks = min(int(options.get("segment", 64)), -(-width // 8) * -(-height // 8))
        strips = (blocks + 2 * (width // 8 + 1)) // (width // 8 + 1) + 1
        arena = arena or 120 * (width + 8) + strips * 20 * (width + 8) + blocks * 100 + 20000
        data: bytes = self.worker.eval(f"stream(b0, {width}, {height}, {depth}, {arena}, {options!r})", raw)
        return data

    def close(self) -> None:
        self.worker.close()

    def __enter__(self) -> ImageEncoder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
