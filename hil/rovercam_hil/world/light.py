"""Sun and air: how much light comes from where, for a Sun position and a dust optical depth.

A compact model of a dusty sky. Direct sunlight is dimmed by exp(-tau / mu); the dust's single-scattering albedo is lower
in blue, so the sky is tan away from the Sun; forward scattering by micrometre grains makes the aureole bluish and, near
sunset, a blue glow. Radiances are relative: 1 is a white diffuse surface facing the Sun above the air at 1.52 AU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

SUN_RADIUS = math.radians(0.175)
_ABSORPTION = np.array([0.12, 0.20, 0.34])  # share of slant optical depth that is absorbed: red, green, blue


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector (east, north, up) from degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)])


def _airmass(sine: np.ndarray | float) -> np.ndarray:
    """Slant path through a layer over a curved planet; 1 at zenith, about 20 at the horizon."""
    s = np.maximum(np.asarray(sine, dtype=float), 0.0)
    return 1.0 / (s + 0.05 * np.exp(-8.0 * s))


@dataclass(frozen=True)
class Light:
    """Light at one moment. Directions are unit vectors (east, north, up)."""

    sun: np.ndarray
    """Towards the Sun."""
    tau: float
    """Dust optical depth of the whole column."""
    direct: np.ndarray
    """Irradiance (R, G, B) of a surface facing the Sun at the ground; zero at night."""
    diffuse: np.ndarray
    """Irradiance (R, G, B) of a level surface from the sky."""
    sky_scale: float

    @property
    def day(self) -> bool:
        return bool(self.direct.max() > 0)

    def sky(self, directions: np.ndarray) -> np.ndarray:
        """Radiance (n, 3) of the sky in `directions` (n, 3); below the horizon that of the horizon."""
        return _sky_many(directions, self.sun, self.tau) * self.sky_scale


def irradiance(elevation: float, tau: float, sun_distance: float) -> tuple[np.ndarray, np.ndarray]:
    """(direct on a surface facing the Sun, diffuse on a level surface), each R, G, B; Sun's `elevation` in degrees."""
    power = (1.52 / sun_distance) ** 2
    mu = math.sin(math.radians(elevation))
    slant = tau * float(_airmass(mu))
    visible = min(max((elevation + 0.175) / 0.35, 0.0), 1.0)
    direct = power * visible * np.exp(-slant) * np.exp(-0.25 * slant * _ABSORPTION)
    # All light not absorbed and not sent back to space reaches the ground; twilight fades by a decade every 5 degrees.
    reaching = power * max(mu, 0.0) * np.exp(-slant * _ABSORPTION) / (1.0 + 0.18 * slant)
    glow = power * 0.012 * math.exp(min(elevation, 0.0) / 2.2) * np.array([0.9, 0.8, 0.8])
    night = 2e-7
    return direct, np.maximum(reaching - direct * max(mu, 0.0), 0.0) + glow + night


def make_light(azimuth: float, elevation: float, tau: float = 0.45, sun_distance: float = 1.52) -> Light:
    """Light for the Sun at `azimuth`, `elevation` (degrees), dust optical depth `tau`, heliocentric distance in AU."""
    sun = direction(azimuth, elevation)
    direct, diffuse = irradiance(elevation, tau, sun_distance)
    probes = _hemisphere()
    integral = (_sky_many(probes, sun, tau) * probes[:, 2:3]).mean(axis=0) * 2 * math.pi
    # Radiances are in units in which a surface shows albedo × irradiance, hence the factor pi.
    scale = float(math.pi * (diffuse / integral).mean())
    return Light(sun=sun, tau=tau, direct=direct, diffuse=diffuse, sky_scale=scale)


@njit(cache=True)
def sky_colour(x, y, z, sx, sy, sz, tau):
    """Unscaled radiance (R, G, B) of the sky towards (x, y, z) with the Sun towards (sx, sy, sz)."""
    cosine = min(max(x * sx + y * sy + z * sz, -1.0), 1.0)
    up = max(z, 0.0)
    chord = math.sqrt(2.0 - 2.0 * cosine)  # stands for the angle from the Sun: 0 … 2
    # Two lobes: the narrow forward peak of large grains, and a broad one.
    peak = math.exp(-chord / 0.13)
    broad = 0.30 + 0.70 * math.exp(-chord / 0.70)
    airmass = min(1.0 / (up + 0.05 * math.exp(-8.0 * up)), 14.0)
    path = 1.0 - math.exp(-(0.35 + tau) * airmass)
    low_sun = math.exp(-(max(sz, 0.0) * max(sz, 0.0)) / 0.05)
    near = math.exp(-chord * chord / 0.16) * (0.25 + 0.75 * low_sun)
    k = path * (broad + 7.0 * peak)
    return (
        k * (0.93 * (1 - near) + 0.82 * near),
        k * (0.72 * (1 - near) + 0.86 * near),
        k * (0.49 * (1 - near) + 0.95 * near),
    )


@njit(cache=True)
def _sky_many(directions, sun, tau):
    out = np.empty((len(directions), 3))
    for i in range(len(directions)):
        d = directions[i]
        out[i] = sky_colour(d[0], d[1], d[2], sun[0], sun[1], sun[2], tau)
    return out


def _hemisphere(n: int = 600) -> np.ndarray:
    """Evenly spread directions of the upper hemisphere."""
    k = np.arange(n) + 0.5
    z = k / n
    r, a = np.sqrt(1 - z * z), math.pi * (1 + 5**0.5) * k
    return np.column_stack([r * np.cos(a), r * np.sin(a), z])
