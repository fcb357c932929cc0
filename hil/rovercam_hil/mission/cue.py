"""The search for water and ice: radar and weather, and a product that says where to look again: "candidate", never more.

Radar: an echo whose sign is the other way round comes from a boundary below which waves go faster, as under the top of
ice-rich ground. Weather: the frost point, from the unit's own temperature and humidity over ice, says how cold the ground
must get for frost. The radar is a payload of its own in the model: its traces do not pass through the camera unit;
temperature and humidity are the unit's telemetry.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rovercam_hil.mission.checks import Checks
from rovercam_hil.world.environment import saturated, saturation
from rovercam_hil.world.subsurface import FREQUENCY, STEP, C, Radargram, Subsurface, ricker

ASSUMED = 4.0
"""Permittivity by which time is taken for depth; what is usual for such ground."""
UNCERTAINTY = 0.15
"""Of the depth, by that assumption."""
PICTURE = "science/radargram.png"
_DEPTH = C / 2 / math.sqrt(ASSUMED)  # metres per ns, two-way
_SHALLOWEST = 40.0  # ns: before it the surface's own echo rings
_DEEPEST = 700.0  # ns: below, noise made up for attenuation is as strong as echoes
_LEAST = 0.03  # reflection coefficient
_OVER_NOISE = 5.0  # times the scatter from trace to trace
_STACK = 5  # neighbouring traces averaged
_SHORTEST = 3.0  # m along the way
_JUMP = 20.0  # ns between neighbouring traces of one boundary


@dataclass(frozen=True)
class Candidate:
    """A boundary with a reversed echo: metres of the way, depth and its uncertainty in metres, mean reflection."""

    start: float
    end: float
    depth: float
    uncertainty: float
    reflection: float


@dataclass(frozen=True)
class Cue:
    candidates: list[Candidate]
    frost_point: float
    """°C."""
    pressure: float
    """Pa of water vapour."""
    radargram: Radargram

    @property
    def verdict(self) -> str:
        if not self.candidates:
            return "No candidate: every echo is that of a boundary to denser ground."
        n = len(self.candidates)
        return f"{n} candidate{'s' if n > 1 else ''}: a reason to look again, not a finding of water or ice."


def picked(radar: Radargram) -> np.ndarray:
    """Reflection coefficients by a matched filter, losses made up for, zero but at extremes; shape of the echoes."""
    pulse = ricker(np.arange(-25.0, 25.1, STEP))
    made_up = radar.made_up
    scatter = (
        np.median(np.abs(np.diff(made_up, axis=1)), axis=1, keepdims=True) / 0.954 / math.sqrt(pulse @ pulse * _STACK)
    )
    near = np.ones(_STACK) / _STACK
    edged = np.pad(made_up, ((0, 0), (_STACK // 2, _STACK // 2)), mode="edge")
    made_up = np.apply_along_axis(lambda t: np.convolve(t, near, "valid"), 1, edged)
    found = np.apply_along_axis(lambda t: np.convolve(t, pulse[::-1] / (pulse @ pulse), "same"), 0, made_up)
    reach = round(1.2 / FREQUENCY / STEP / 2)
    size = np.abs(found)
    most = size.copy()
    for k in range(1, reach + 1):
        most[k:] = np.maximum(most[k:], size[:-k])
        most[:-k] = np.maximum(most[:-k], size[k:])
    return np.where((size >= most) & (size > np.maximum(_LEAST, _OVER_NOISE * scatter)), found, 0.0)


def candidates(radar: Radargram) -> list[Candidate]:
    """Boundaries with a reversed echo over at least some metres, from shallow to deep."""
    reversed_ = np.maximum(picked(radar), 0.0)
    reversed_[(radar.time < _SHALLOWEST) | (radar.time > _DEEPEST)] = 0.0
    runs: list[list[tuple[int, int]]] = []
    for k in range(len(radar.way)):
        for i in np.flatnonzero(reversed_[:, k]):
            for run in runs:
                if run[-1][1] == k - 1 and abs(run[-1][0] - i) * STEP <= _JUMP:
                    run.append((int(i), k))
                    break
            else:
                runs.append([(int(i), k)])
    out = []
    for run in runs:
        start, end = float(radar.way[run[0][1]]), float(radar.way[run[-1][1]])
        if end - start < _SHORTEST:
            continue
        depth = float(np.median([radar.time[i] for i, _ in run])) * _DEPTH
        strength = float(np.mean([reversed_[i, k] for i, k in run]))
        out.append(Candidate(start, end, depth, UNCERTAINTY * depth, strength))
    return sorted(out, key=lambda c: c.depth)


def frost_point(celsius: float, humidity: float) -> tuple[float, float]:
    """(°C at which the air's water vapour freezes out, its pressure in Pa), from °C and % over ice."""
    vapour = humidity / 100.0 * saturation(celsius)
    return saturated(max(vapour, 1e-9)), vapour


def search(way: float, seed: int, celsius: float, humidity: float, checks: Checks) -> Cue:
    """``way``: metres the rover drove south; ``celsius``, ``humidity``: the unit's telemetry."""
    ground = Subsurface(way, seed)
    radar = ground.radargram()
    cue = Cue(candidates(radar), *frost_point(celsius, humidity), radar)
    lens = ground.lens
    if lens is None:
        checks.that("no cue where there is no ice in the ground", not cue.candidates, cue.verdict)
    else:
        on = [c for c in cue.candidates if c.start < lens.end and c.end > lens.start]
        checks.that(
            "the ice in the ground gives a cue, and nothing else does", len(on) == len(cue.candidates) == 1, cue.verdict
        )
        if on:
            checks.near("depth of the candidate", on[0].depth, lens.top, on[0].uncertainty, "m")
    checks.that("frost needs a colder night than noon", cue.frost_point < celsius, f"{cue.frost_point:.0f} °C")
    return cue


def publish(cue: Cue, out: Path) -> None:
    """Writes science/cue.json and PICTURE."""
    folder = (out / PICTURE).parent
    folder.mkdir(exist_ok=True)
    product = {
        "product": "candidate water/ice cue",
        "verdict": cue.verdict,
        "candidates": [asdict(c) for c in cue.candidates],
        "frost_point_celsius": round(cue.frost_point, 1),
        "vapour_pressure_pascal": round(cue.pressure, 4),
        "assumed_permittivity": ASSUMED,
    }
    (folder / "cue.json").write_text(json.dumps(product, indent=2), encoding="utf-8")
    _picture(cue).save(out / PICTURE)


def _picture(cue: Cue, across: int = 24) -> Image.Image:
    """Echoes, losses made up for; the way to the right, ``across`` pixels to the metre, time downwards; candidates framed."""
    radar = cue.radargram
    shown = radar.time <= _DEEPEST
    value = radar.made_up[shown]
    sand = np.array([236, 205, 170]) / 255
    grey = np.clip(128 + 900 * value, 0, 255)[:, :, None] * sand
    step = float(radar.way[1] - radar.way[0])
    size = (round(len(radar.way) * step * across), int(shown.sum()))
    image = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for c in cue.candidates:
        y = c.depth / _DEPTH / STEP
        draw.rectangle((c.start * across, y - 16, c.end * across, y + 16), outline=(255, 208, 96), width=2)
    return image
