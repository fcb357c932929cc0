"""What a camera looks at. A scene gives pictures of a moment; the world's Mars attaches through the same protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

Picture = NDArray[np.uint8]  # (height, width) grey or (height, width, 3) RGB


class SceneError(ValueError):
    """A scene that cannot be used: what was expected and what came."""


@runtime_checkable
class Scene(Protocol):
    """``picture`` of the moment ``time`` (board seconds) for a camera of ``width`` × ``height``; the camera fits other
    sizes. ``light`` is the illumination relative to what the automatic exposure finds comfortable (1.0)."""

    def picture(self, time: float, width: int, height: int) -> Picture: ...

    def light(self, time: float) -> float: ...


def fit(picture: Picture, width: int, height: int) -> Picture:
    """``picture`` for a ``width`` × ``height`` sensor: untouched when it has that size, else cropped around the centre
    to the aspect ratio and resampled."""
    h, w = picture.shape[:2]
    if (w, h) == (width, height):
        return picture
    crop_w, crop_h = min(w, max(1, round(h * width / height))), min(h, max(1, round(w * height / width)))
    x, y = (w - crop_w) // 2, (h - crop_h) // 2
    part = PillowImage.fromarray(picture[y : y + crop_h, x : x + crop_w])
    return np.asarray(part.resize((width, height), PillowImage.Resampling.LANCZOS))


class ArrayScene:
    """A fixed picture."""

    def __init__(self, picture: Picture, light: float = 1.0) -> None:
        picture = np.ascontiguousarray(picture)
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
            raise SceneError(f"a scene is 8-bit grey or RGB, this is {picture.dtype} of shape {picture.shape}")
        self._picture = picture
        self.brightness = light

    def picture(self, time: float, width: int, height: int) -> Picture:
        return self._picture

    def light(self, time: float) -> float:
        return self.brightness


class FileScene(ArrayScene):
    """A picture file. One of exactly a camera resolution arrives pixel for pixel in Y; 16-bit pictures are scaled."""

    def __init__(self, path: str | Path, light: float = 1.0) -> None:
        path = Path(path)
        if not path.is_file():
            raise SceneError(f"scene {path}: no such file")
        try:
            with PillowImage.open(path) as file:
                file.load()
                if file.mode.startswith(("I", "F")):
                    pixels = np.asarray(file, dtype=np.float64)
                    top = 65535.0 if pixels.max(initial=0) > 255 else 255.0
                    grey = np.clip(pixels * (255.0 / top), 0, 255).round().astype(np.uint8)
                    super().__init__(grey, light)
                    return
                plain = "L" if file.mode in ("L", "1", "LA") else "RGB"
                super().__init__(np.asarray(file.convert(plain)), light)
        except (OSError, SyntaxError, PillowImage.DecompressionBombError) as error:
            raise SceneError(f"scene {path} is not a picture that can be read: {error}") from error


class PatternScene:
    """A test pattern of any size: colour bars, grey ramp, fine lines, and a square that moves one pixel per 0.1 s."""

    def picture(self, time: float, width: int, height: int) -> Picture:
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        out = np.empty((height, width, 3), np.uint8)
        bars = (x * 8 // max(1, width)).astype(int)
        colours = np.array(
            [(235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16), (235, 16, 235), (235, 16, 16), (16, 16, 235),
             (16, 16, 16)], np.uint8)  # fmt: skip
        out[:] = colours[bars]
        ramp = y * 3 // max(1, height) == 1
        out[ramp] = (x * 255 // max(1, width - 1)).astype(np.uint8)[ramp][:, None]
        lines = y * 3 // max(1, height) == 2
        out[lines] = np.where((x // (1 + 4 * y // max(1, height))) & 1, 220, 30).astype(np.uint8)[lines][:, None]
        at = int(time * 10) % max(1, width - 16)
        out[4:20, at : at + 16] = 255
        return out

    def light(self, time: float) -> float:
        return 1.0


class MarsScene:
    """A seeded synthetic view of a plain on Mars: dusty sky, horizon hills, sand ripples, rocks with shadows.

    A simple stand-in that needs no ray tracer; the world's renderer gives true views.
    """

    def __init__(self, seed: int = 1, size: tuple[int, int] = (1280, 960)) -> None:
        self.seed = seed
        self.size = size
        self._kept: dict[tuple[int, int], Picture] = {}

    def picture(self, time: float, width: int, height: int) -> Picture:
        if (width, height) not in self._kept:
            self._kept[(width, height)] = self._make(width, height)
        return self._kept[(width, height)]

    def light(self, time: float) -> float:
        return 1.0

    def _noise(self, rng: np.random.Generator, width: int, height: int, cells: tuple[int, int]) -> NDArray[np.float64]:
        coarse = rng.random((cells[1], cells[0]))
        image = PillowImage.fromarray((coarse * 255).astype(np.uint8))
        fine = image.resize((width, height), PillowImage.Resampling.BICUBIC)
        return np.asarray(fine, dtype=np.float64) / 255.0 - 0.5

    def _make(self, width: int, height: int) -> Picture:
        rng = np.random.default_rng(self.seed)
        x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
        hills = self._noise(rng, width, 4, (12, 2))[0] * 0.10 + self._noise(rng, width, 4, (60, 2))[0] * 0.02
        horizon = 0.36 + hills[None, :]
        sky = np.stack((205 - 60 * y, 165 - 60 * y, 130 - 50 * y), axis=-1)
        depth = np.clip((y - horizon) / (1.0 - horizon), 1e-3, 1.0)  # 0 at the horizon, 1 at our feet
        distance = 1.0 / (depth + 0.03)
        relief = np.zeros((height, width))
        for octave in range(6):
            cells = (6 << octave, 4 << octave)
            relief += self._noise(rng, width, height, cells) * 0.6**octave
        ripples = np.sin(distance * 9.0 + x * 14.0 + relief * 3.0) * np.clip(depth * 1.5, 0, 1)
        shade = 1.0 + 0.22 * relief + 0.07 * ripples + rng.normal(0, 0.015, (height, width))
        ground = np.stack((168 * shade, 112 * shade, 78 * shade), axis=-1)
        haze = np.exp(-depth * 7.0)[..., None] * 0.7
        ground = ground * (1 - haze) + np.array((190.0, 150.0, 118.0)) * haze
        out = np.where((y < horizon)[..., None], sky, ground)
        for _ in range(140):  # far rocks first
            self._rock(rng, out, width, height)
        return np.clip(out, 0, 255).astype(np.uint8)

    def _rock(self, rng: np.random.Generator, out: NDArray[np.float64], width: int, height: int) -> None:
        depth = rng.random() ** 2 * 0.95 + 0.02
        cx, cy = rng.random() * width, (0.42 + 0.58 * depth) * height
        r = (0.004 + 0.03 * depth) * width * (0.4 + rng.random())
        x0, x1 = int(max(0, cx - 2.5 * r)), int(min(width, cx + 2.5 * r))
        y0, y1 = int(max(0, cy - r)), int(min(height, cy + 1.2 * r))
        if x1 <= x0 or y1 <= y0:
            return
        px, py = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
        u, v = (px - cx) / r, (py - cy) / (0.7 * r)
        turn = np.arctan2(v, u)
        edge = 1.0 + 0.15 * np.sin(3 * turn + rng.random() * 6) + 0.1 * np.sin(5 * turn + rng.random() * 6)
        part = out[y0:y1, x0:x1]
        shadow = ((u - 0.9) / 1.5) ** 2 + ((v - 0.5) / 0.45) ** 2 < 1
        part[shadow] *= 0.55
        body = u * u + v * v < edge * edge
        light = np.clip(0.75 - 0.35 * u - 0.45 * v, 0.25, 1.35) * (0.8 + 0.3 * rng.random())
        colour = np.array((140.0, 100.0, 78.0))
        part[body] = (light[..., None] * colour)[body]


def open_scene(name: str, seed: int = 1) -> Scene:
    """A scene by what the command line says: ``mars``, ``pattern`` or a picture file. Raises SceneError."""
    if name == "mars":
        return MarsScene(seed)
    if name == "pattern":
        return PatternScene()
    if not Path(name).suffix and not Path(name).exists():
        raise SceneError(f"scene {name!r}: expected 'mars', 'pattern' or a picture file")
    return FileScene(name)
