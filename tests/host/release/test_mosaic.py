"""Mosaicking: pictures cut out of a known sphere go back together, pointing and brightness put right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rovercam.release.mosaic import View, mosaic

FIELD = 46.5
W, H = 160, 120


def _sphere(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """A textured sphere, 0 … 255, periodic in azimuth."""
    out = np.full(np.broadcast(azimuth, elevation).shape, 120.0)
    rng = np.random.default_rng(5)
    for _ in range(60):
        k, m, phase = int(rng.integers(2, 120)), rng.uniform(-70, 70), rng.uniform(0, 7)
        out += 9.0 * np.sin(k * azimuth + m * elevation + phase)
    return np.clip(out, 5, 245)


def _take(pan: float, tilt: float, k1: float = 0.0, gain: float = 1.0) -> np.ndarray:
    half = math.tan(math.radians(FIELD / 2))
    f = W / 2 / (half * (1 + k1 * half * half))
    u, v = np.meshgrid((np.arange(W) + 0.5 - W / 2) / f, (np.arange(H) + 0.5 - H / 2) / f)
    r = np.hypot(u, v)
    t = r.copy()
    for _ in range(20):
        t = r / (1 + k1 * t * t)
    s = np.where(r > 0, t / np.where(r > 0, r, 1), 1.0)
    x, y, z = np.ones_like(u), u * s, -v * s
    c, q = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    x, z = x * c - z * q, x * q + z * c
    azimuth = np.arctan2(y, x) + math.radians(pan)
    grey = _sphere(azimuth, np.arctan2(z, np.hypot(x, y))) * gain
    return np.clip(grey, 0, 255).astype(np.uint8)


def _truth(m) -> np.ndarray:  # type: ignore[no-untyped-def]
    h, w = m.covered.shape
    azimuth = np.radians(m.first_pan + (np.arange(w) + 0.5) * m.degrees_per_pixel)[None, :]
    elevation = np.radians(m.top - (np.arange(h) + 0.5) * m.degrees_per_pixel)[:, None]
    return _sphere(azimuth, elevation)


@pytest.mark.parametrize("k1", [0.0, -0.06])
def test_a_full_turn_goes_back_together(k1: float) -> None:
    views = [View(picture=_take(30.0 * k, -5, k1), pan=30.0 * k, tilt=-5, distortion=k1) for k in range(12)]
    m = mosaic(views, refine=False)
    assert m.covered.shape[1] * m.degrees_per_pixel == pytest.approx(360, abs=0.2)
    middle = slice(m.covered.shape[0] // 4, -m.covered.shape[0] // 4)
    assert m.covered[middle].all()
    error = np.abs(m.picture[middle, :, 1].astype(float) - _truth(m)[middle])
    assert np.median(error) < 3.0


def test_pointing_errors_are_found() -> None:
    rng = np.random.default_rng(2)
    true = [(25.0 * k, -5.0) for k in range(6)]
    said = [(p + rng.normal(0, 0.5), t + rng.normal(0, 0.3)) for p, t in true]
    views = [View(picture=_take(*a), pan=b[0], tilt=b[1]) for a, b in zip(true, said, strict=True)]
    m = mosaic(views, 0.1)

    def spread(angles: list[tuple[float, float]]) -> float:
        off = np.array(angles) - np.array(true)
        return float((off - off.mean(axis=0)).std())

    fixed = [(p + c[0], t + c[1]) for (p, t), c in zip(said, m.corrections, strict=True)]
    assert spread(fixed) < 0.45 * spread(said)


def test_brightness_is_matched_at_the_seams() -> None:
    gains = [1.0, 0.7, 1.0, 0.8]
    views = [View(picture=_take(25.0 * k, 0, gain=g), pan=25.0 * k, tilt=0) for k, g in enumerate(gains)]
    found = mosaic(views, refine=False).gains[:, 1]
    evened = found * gains
    assert evened.std() / evened.mean() < 0.04
    assert np.std(gains) / np.mean(gains) > 0.12


def test_missing_pixels_stay_missing_unless_a_neighbour_has_them() -> None:
    hole = np.ones((H, W), bool)
    hole[40:60, 60:100] = False
    m = mosaic([View(picture=_take(0, 0), pan=0, tilt=0, valid=hole)])
    assert not m.covered[m.covered.shape[0] // 2 - 8, m.covered.shape[1] // 2]
    both = mosaic(
        [View(picture=_take(0, 0), pan=0, tilt=0, valid=hole), View(picture=_take(8, 0), pan=8, tilt=0)], refine=False
    )
    assert both.covered[both.covered.shape[0] // 2 - 8, W // 2]


def test_nothing_to_stitch_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mosaic([])
