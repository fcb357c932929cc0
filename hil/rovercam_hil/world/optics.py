"""Lens and sensor: from directions to radiance and from radiance to the 8-bit picture a camera module gives.

Lenses are described in the camera's frame: x along the line of sight, y to the left, z up. The sensor model is physical
in kind: light collected = radiance × exposure; shot and read noise in electrons; gain lifts both; a full well clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Lens:
    """`field` is the full horizontal field of view in degrees, distortion included.

    kind "rectilinear": r = f tan(a) (1 + k1 tan² a), k1 < 0 is barrel distortion; kind "fisheye": r = f a, which bends
    straight lines and the horizon.
    """

    field: float
    kind: str = "rectilinear"
    k1: float = 0.0
    falloff: float = 0.8
    """Strength of vignetting: share of the natural cos⁴ law."""
    dust: int = 0
    """Seed of the specks on the front glass; 0 is a clean lens."""
    dust_amount: float = 1.0

    def focal(self, width: int) -> float:
        """Focal length in pixels for a picture `width` pixels wide."""
        half = math.radians(self.field / 2)
        if self.kind == "fisheye":
            return width / 2 / half
        t = math.tan(half)
        return width / 2 / (t * (1 + self.k1 * t * t))

    def directions(self, width: int, height: int, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        """Unit vectors (height, width, 3) through the pixels' middles, shifted by (dx, dy) pixels."""
        return _directions(self, width, height, dx, dy)

    def project(self, points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates (n, 2: column, row) of points in the camera's frame, and whether they lie in front."""
        p = np.asarray(points, dtype=float)
        side = np.hypot(p[:, 1], p[:, 2])
        angle = np.arctan2(side, p[:, 0])
        f = self.focal(width)
        if self.kind == "fisheye":
            r = f * angle
            front = angle < math.radians(100)
        else:
            front = p[:, 0] > 1e-6
            t = np.where(front, side / np.where(front, p[:, 0], 1.0), 0.0)
            r = f * t * (1 + self.k1 * t * t)
        k = r / np.where(side > 0, side, 1.0)
        return np.column_stack([width / 2 - p[:, 1] * k, height / 2 - p[:, 2] * k]), front

    def transmission(self, width: int, height: int) -> np.ndarray:
        """(height, width) 0 … 1: vignetting and dust on the lens."""
        return _transmission(self, width, height)


@lru_cache(maxsize=24)
def _directions(lens: Lens, width: int, height: int, dx: float, dy: float) -> np.ndarray:
    f = lens.focal(width)
    u, v = np.meshgrid((np.arange(width) + 0.5 + dx - width / 2) / f, (np.arange(height) + 0.5 + dy - height / 2) / f)
    r = np.hypot(u, v)
    if lens.kind == "fisheye":
        angle = r
    else:
        t = r.copy()
        for _ in range(12):  # invert r = t (1 + k1 t²)
            t = t - (t * (1 + lens.k1 * t * t) - r) / (1 + 3 * lens.k1 * t * t)
        angle = np.arctan(t)
    k = np.sin(angle) / np.where(r > 0, r, 1.0)
    d = np.stack([np.cos(angle), -u * k, -v * k], axis=-1)
    d.setflags(write=False)
    return d


@lru_cache(maxsize=8)
def _transmission(lens: Lens, width: int, height: int) -> np.ndarray:
    d = _directions(lens, width, height, 0.0, 0.0)
    cosine = np.clip(d[:, :, 0], 0.05, 1.0)
    power = 4.0 if lens.kind == "rectilinear" else 1.2
    t = 1.0 - lens.falloff * (1.0 - cosine**power)
    if lens.dust:
        rng = np.random.default_rng([lens.dust, 0xD057])
        y, x = np.mgrid[0:height, 0:width] / width
        for _ in range(int(14 * lens.dust_amount)):
            cx, cy = rng.uniform(0, 1), rng.uniform(0, height / width)
            radius = rng.gamma(2.0, 0.008) + 0.004
            depth = rng.uniform(0.01, 0.055)
            r = np.hypot(x - cx, y - cy) / radius
            t = t * (1.0 - depth / (1.0 + np.exp(np.minimum((r - 1.0) * 9.0, 60.0))))
    t.setflags(write=False)
    return t


@dataclass(frozen=True)
class Sensor:
    """A small rolling-shutter colour sensor; electrons per unit radiance and second, full well, noise."""

    sensitivity: float = 9.0e5
    """Electrons per pixel, second and unit of radiance (green)."""
    full_well: float = 9000.0
    read_noise: float = 5.0
    dark: float = 12.0
    """Electrons per second at 0 °C, doubling every 8 °C."""
    white_balance: tuple[float, float, float] = (1.07, 0.99, 1.22)
    colour_response: tuple[float, float, float] = (0.95, 1.0, 0.80)

    def expose(self, radiance: np.ndarray, exposure: float, gain: float, rng: np.random.Generator,
               temperature: float = -20.0) -> np.ndarray:  # fmt: skip
        """Linear picture 0 … 1 (H, W, 3) with noise; more than the full well or the converter's range clips."""
        dark = self.dark * 2.0 ** (temperature / 8.0) * exposure
        electrons = radiance * (self.sensitivity * exposure) * np.array(self.colour_response) + dark
        # Poisson for few electrons is near enough normal above twenty, and far faster.
        noise = np.sqrt(np.maximum(electrons, 0.0) + self.read_noise**2)
        electrons = electrons + noise * rng.standard_normal(electrons.shape, dtype=np.float32)
        electrons = np.minimum(electrons, self.full_well)
        return np.clip((electrons - dark) * gain / self.full_well, 0.0, 1.0)

    def develop(self, linear: np.ndarray) -> np.ndarray:
        """White balance, tone curve and 8 bits, as a camera module's own processor does."""
        balanced = linear * np.array(self.white_balance)
        # Clipped pixels stay white whatever the balance.
        burnt = (linear >= 0.999).any(axis=-1, keepdims=True)
        balanced = np.where(burnt, np.maximum(balanced, linear), balanced)
        curve = _tone_curve()
        return curve[np.clip(balanced * 4095.0, 0, 4095).astype(np.uint16)]

    def auto(self, radiance: np.ndarray) -> tuple[float, float]:
        """(exposure s, gain) that put the bright part of the picture a little below clipping."""
        level = float(np.percentile(radiance[::4, ::4, :].max(axis=-1), 92)) + 1e-9
        wanted = 0.66 * self.full_well / (self.sensitivity * level)
        exposure = min(max(wanted, 1e-5), 0.5)
        return exposure, min(max(wanted / exposure, 1.0), 32.0)


@lru_cache(maxsize=1)
def _tone_curve() -> np.ndarray:
    x = np.linspace(0.0, 1.0, 4096)
    y = np.where(x < 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    y = y + 0.06 * np.sin(2 * math.pi * (y - 0.5)) * y  # slight contrast
    return (np.clip(y, 0, 1) * 255 + 0.5).astype(np.uint8)


MAST = Lens(field=46.5, k1=-0.06, dust=11)
HAZARD = Lens(field=124.0, kind="fisheye", falloff=0.7, dust=23, dust_amount=2.0)
REMOTE = Lens(field=54.0, k1=-0.07, dust=31)
