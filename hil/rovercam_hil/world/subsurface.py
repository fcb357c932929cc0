"""What lies under the rover's way, and the echoes a ground-penetrating radar would have of it.

Layers as Zhurong's radar found them (Li et al., Nature 610, 2022): loose ground to about 10 m, two sequences of coarser
debris to about 30 and 80 m. At some sites, by the seed, a lens of ice-rich ground lies in the first sequence; that is the
model's, not a finding. One antenna position is one echo trace: vertical incidence, each boundary reflects by its step
in permittivity, a Ricker wavelet, spreading, attenuation, clutter and noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rovercam_hil.world.noise import gradient_noise

C = 0.2998
"""Metres per nanosecond."""
FREQUENCY = 0.055
"""GHz: the middle of the low-frequency channel, 15 to 95 MHz."""
STEP = 2.0
"""Nanoseconds between two samples of a trace."""
LONGEST = 1400.0
"""Nanoseconds of a trace."""
PERMITTIVITY = (3.3, 4.5, 6.0, 7.5)
"""Of the layers, from above."""
ICE = 3.15
DEPTHS = (10.0, 30.0, 78.0)
ATTENUATION = 0.0011
"""Nepers per nanosecond of two-way time."""
NOISE = 0.0015
"""Of a trace, before the losses are made up for; a mirror at the surface would give 1."""


@dataclass(frozen=True)
class Lens:
    """Metres along the way and down."""

    start: float
    end: float
    top: float
    thickness: float


@dataclass(frozen=True)
class Radargram:
    """``echo[i, k]``: at ``time[i]`` (ns, two-way) and ``way[k]`` (m)."""

    way: np.ndarray
    time: np.ndarray
    echo: np.ndarray

    @property
    def made_up(self) -> np.ndarray:
        """Echoes without their losses: reflection coefficients, and noise that grows with depth."""
        return self.echo / np.asarray(loss(self.time))[:, None]


class Subsurface:
    """Under a way of ``length`` metres; ``lens`` is None where there is none."""

    def __init__(self, length: float, seed: int) -> None:
        self.length = length
        self._rng = np.random.default_rng([seed, 0x6E0])
        self._seed = seed
        self.lens: Lens | None = None
        there, at, half, top, thickness = self._rng.random(5)
        if there < 0.5:
            half = 3.0 + 3.0 * half
            middle = half + 1.0 + at * max(0.0, length - 2.0 * half - 2.0)
            self.lens = Lens(
                *(float(v) for v in (middle - half, middle + half, 14.0 + 8.0 * top, 3.0 + 2.0 * thickness))
            )

    def boundaries(self, x: float) -> list[tuple[float, float]]:
        """(depth, permittivity below it), from above, at ``x`` metres of the way."""
        wave = [float(gradient_noise(x / 23.0, 0.5 + 7.0 * k, self._seed + 70 + k)[0]) for k in range(len(DEPTHS))]
        found = [(d * (1.0 + 0.05 * w), e) for d, w, e in zip(DEPTHS, wave, PERMITTIVITY[1:], strict=True)]
        if self.lens is not None and self.lens.start <= x <= self.lens.end:
            bottom = self.lens.top + self.lens.thickness
            found += [(self.lens.top, ICE), (bottom, PERMITTIVITY[1])]
        return sorted(found)

    def radargram(self, step: float = 0.5) -> Radargram:
        """A trace every ``step`` metres."""
        way = np.arange(0.0, self.length, step)
        time = np.arange(0.0, LONGEST, STEP)
        echo = np.stack([self._trace(float(x), time) for x in way], axis=1)
        return Radargram(way, time, echo)

    def _trace(self, x: float, time: np.ndarray) -> np.ndarray:
        out = self._rng.normal(0.0, NOISE, len(time)) * np.exp(-time / 500.0)
        above, depth, at = PERMITTIVITY[0], 0.0, 0.0
        for bottom, below in self.boundaries(x):
            at += 2.0 * (bottom - depth) * math.sqrt(above) / C
            reflected = (math.sqrt(above) - math.sqrt(below)) / (math.sqrt(above) + math.sqrt(below))
            out += reflected * loss(at) * ricker(time - at)
            above, depth = below, bottom
        return out


def loss(time: np.ndarray | float) -> np.ndarray | float:
    """What is left of an echo after ``time`` ns two-way: spreading from 20 ns on, and attenuation."""
    return 20.0 / np.maximum(time, 20.0) * np.exp(-ATTENUATION * np.asarray(time))


def ricker(time: np.ndarray) -> np.ndarray:
    """The radar's pulse around ``time`` 0, ns."""
    a = (math.pi * FREQUENCY * time) ** 2
    return (1.0 - 2.0 * a) * np.exp(-a)
