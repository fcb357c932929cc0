"""A panorama from pictures taken at known pan and tilt angles: cylindrical, pointing and brightness corrected at seams.

Needs nothing but NumPy. Steps: refine each picture's pointing against its neighbours (servos miss by a fraction of a
degree), match brightness per channel over the overlaps, then blend with weights that fall off towards each picture's
edges, sharply enough not to blur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class View:
    """One picture (H, W) or (H, W, 3), uint8, and where the camera looked."""

    picture: np.ndarray
    pan: float
    """Degrees, growing to the right."""
    tilt: float
    """Degrees above the horizon."""
    field: float = 46.5
    """Full horizontal field of view, degrees."""
    distortion: float = 0.0
    """k1 of r = t (1 + k1 t²), t the tangent of the angle off axis; negative is barrel distortion."""
    falloff: float = 0.0
    """Vignetting to take out: share of the natural cos⁴ law the lens shows."""
    valid: np.ndarray | None = None
    """(H, W) bool: pixels that were received; None means all."""


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """The panorama (H, W, 3) uint8 and how it was made."""

    picture: np.ndarray
    covered: np.ndarray
    """(H, W) bool."""
    first_pan: float
    """Degrees of the left edge."""
    top: float
    """Degrees of elevation of the upper edge."""
    degrees_per_pixel: float
    corrections: tuple[tuple[float, float], ...]
    """Pointing corrections found, (pan, tilt) in degrees per picture."""
    gains: np.ndarray
    """(pictures, 3) factors applied."""


def _rgb(picture: np.ndarray) -> np.ndarray:
    p = np.asarray(picture, dtype=np.float32)
    return np.repeat(p[:, :, None], 3, axis=2) if p.ndim == 2 else p


def _brighten(view: View) -> np.ndarray:
    """(H, W) factors that undo the lens's vignetting in a picture with the usual tone curve (gamma 2.2)."""
    h, w = view.picture.shape[:2]
    focal = w / 2 / math.tan(math.radians(view.field / 2))
    y, x = np.mgrid[0:h, 0:w]
    tangent2 = ((x + 0.5 - w / 2) ** 2 + (y + 0.5 - h / 2) ** 2) / focal**2
    light = 1.0 - view.falloff * (1.0 - 1.0 / (1.0 + tangent2) ** 2)
    return np.asarray(light ** (-1 / 2.2), dtype=np.float32)


def _look(view: View, azimuth: np.ndarray, elevation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(column, row, inside) in the view's picture for directions in radians."""
    h, w = view.picture.shape[:2]
    a = azimuth - math.radians(view.pan)
    x, y, z = np.cos(elevation) * np.cos(a), np.cos(elevation) * np.sin(a), np.sin(elevation)
    c, s = math.cos(math.radians(view.tilt)), math.sin(math.radians(view.tilt))
    ahead, up = x * c + z * s, -x * s + z * c
    front = ahead > 0.05
    safe = np.where(front, ahead, 1.0)
    u, v = y / safe, -up / safe
    half = math.tan(math.radians(view.field / 2))
    focal = w / 2 / (half * (1 + view.distortion * half * half))
    # The distortion's polynomial turns back far off axis: only what can be in the picture is looked up.
    r2 = np.minimum(u * u + v * v, 4 * half * half)
    k = focal * (1 + view.distortion * r2)
    col, row = u * k + w / 2 - 0.5, v * k + h / 2 - 0.5
    inside = (
        front
        & (col >= 0)
        & (col <= w - 1)
        & (row >= 0)
        & (row <= h - 1)
        & (np.abs(u) < 1.5 * half)
        & (np.abs(v) < 1.5 * half)
    )
    return col, row, inside


def _sample(picture: np.ndarray, col: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Bilinear, (n, 3)."""
    h, w = picture.shape[:2]
    i, j = np.clip(col.astype(int), 0, w - 2), np.clip(row.astype(int), 0, h - 2)
    a, b = (col - i)[:, None], (row - j)[:, None]
    return (
        picture[j, i] * (1 - a) * (1 - b)
        + picture[j, i + 1] * a * (1 - b)
        + picture[j + 1, i] * (1 - a) * b
        + picture[j + 1, i + 1] * a * b
    )


def mosaic(
    views: Sequence[View], degrees_per_pixel: float | None = None, *, refine: bool = True, match: bool = True
) -> Mosaic:
    """Stitch. `degrees_per_pixel` defaults to the pictures' own resolution. Raises ValueError without pictures.

    A full turn is closed: the right edge continues at the left one.
    """
    if not views:
        raise ValueError("a mosaic needs at least one picture")
    views = list(views)
    scale = degrees_per_pixel or views[0].field / views[0].picture.shape[1]
    corrections = [(0.0, 0.0)] * len(views)
    if refine and len(views) > 1:
        corrections = _refine(views, max(scale, 0.05))
        views = [replace(v, pan=v.pan + c[0], tilt=v.tilt + c[1]) for v, c in zip(views, corrections, strict=True)]
    first, width, top, height = _frame(views, scale)
    azimuth = np.radians(first + (np.arange(width) + 0.5) * scale)[None, :]
    elevation = np.radians(top - (np.arange(height) + 0.5) * scale)[:, None]
    pictures = [_rgb(v.picture) * _brighten(v)[:, :, None] for v in views]
    gains = _gains(views, pictures, scale) if match and len(views) > 1 else np.ones((len(views), 3))
    total = np.zeros((height, width, 3), np.float32)
    weight = np.zeros((height, width), np.float32)
    for view, picture, gain in zip(views, pictures, gains, strict=True):
        col, row, inside = _look(view, azimuth, elevation)
        h, w = picture.shape[:2]
        if view.valid is not None:
            inside &= view.valid[
                np.clip(np.rint(row), 0, h - 1).astype(int), np.clip(np.rint(col), 0, w - 1).astype(int)
            ]
        if not inside.any():
            continue
        c, r = col[inside], row[inside]
        edge = np.minimum(np.minimum(c, w - 1 - c) / w, np.minimum(r, h - 1 - r) / h) * 2
        k = (np.clip(edge, 0.0, 1.0) ** 3 + 1e-4).astype(np.float32)
        total[inside] += _sample(picture, c, r) * gain * k[:, None]
        weight[inside] += k
    covered = weight > 0
    out = np.where(covered[:, :, None], total / np.maximum(weight, 1e-9)[:, :, None], 0.0)
    return Mosaic(
        picture=np.clip(out + 0.5, 0, 255).astype(np.uint8),
        covered=covered,
        first_pan=first,
        top=top,
        degrees_per_pixel=scale,
        corrections=tuple(corrections),
        gains=gains,
    )


def _frame(views: Sequence[View], scale: float) -> tuple[float, int, float, int]:
    """(first pan, columns, top elevation, rows) that hold all views."""
    pans = [v.pan for v in views]
    halves = [v.field / 2 for v in views]
    lo, hi = (
        min(p - f for p, f in zip(pans, halves, strict=True)),
        max(p + f for p, f in zip(pans, halves, strict=True)),
    )
    span = min(hi - lo, 360.0)
    tall = [
        math.degrees(math.atan(math.tan(math.radians(v.field / 2)) * v.picture.shape[0] / v.picture.shape[1]))
        for v in views
    ]
    top = min(max(v.tilt + t for v, t in zip(views, tall, strict=True)), 89.0)
    bottom = max(min(v.tilt - t for v, t in zip(views, tall, strict=True)), -89.0)
    return lo, max(round(span / scale), 1), top, max(round((top - bottom) / scale), 1)


def _pairs(views: Sequence[View]) -> list[tuple[int, int]]:
    """Neighbours that overlap by at least a tenth of a field."""
    out = []
    for i in range(len(views)):
        for j in range(i + 1, len(views)):
            apart = abs((views[j].pan - views[i].pan + 180) % 360 - 180)
            if apart < 0.9 * views[i].field and abs(views[j].tilt - views[i].tilt) < 0.6 * views[i].field:
                out.append((i, j))
    return out


def _overlap(a: View, b: View, scale: float) -> tuple[np.ndarray, ...] | None:
    """Both views' pixels on a common grid over their overlap: (a grid, b grid, both valid) or None."""
    apart = (b.pan - a.pan + 180) % 360 - 180
    lo, hi = max(-a.field / 2, apart - b.field / 2), min(a.field / 2, apart + b.field / 2)
    ta = a.field / 2 * a.picture.shape[0] / a.picture.shape[1]
    bottom, top = max(a.tilt, b.tilt) - ta, min(a.tilt, b.tilt) + ta
    n, m = int((hi - lo) / scale), int((top - bottom) / scale)
    if n < 12 or m < 12:
        return None
    azimuth = np.radians(a.pan + lo + (np.arange(n) + 0.5) * scale)[None, :]
    elevation = np.radians(top - (np.arange(m) + 0.5) * scale)[:, None]
    grids, both = [], np.ones((m, n), bool)
    for v in (a, b):
        turned = replace(v, pan=a.pan + (0.0 if v is a else apart))
        col, row, inside = _look(turned, azimuth, elevation)
        picture = _rgb(v.picture)
        g = np.zeros((m, n, 3), np.float32)
        g[inside] = _sample(picture, col[inside], row[inside])
        grids.append(g)
        both &= inside
    return (*grids, both) if both.sum() > 100 else None


def _refine(views: Sequence[View], scale: float) -> list[tuple[float, float]]:
    """Small pointing corrections by correlating overlaps, spread over all pictures by least squares."""
    rows, shifts = [], []
    for i, j in _pairs(views):
        cut = _overlap(views[i], views[j], scale)
        if cut is None:
            continue
        a, b, both = cut
        found = _correlate(a.mean(axis=2), b.mean(axis=2), both)
        if found is None:
            continue
        line = np.zeros(len(views))
        line[i], line[j] = -1.0, 1.0
        rows.append(line)
        # b's content lies (dx, dy) pixels right of and below a's: b really looked that much further left and up.
        shifts.append((-found[0] * scale, found[1] * scale))
    if not rows:
        return [(0.0, 0.0)] * len(views)
    # Ties to where the mast says it looked: a match is trusted twice as much, and errors do not add up round the circle.
    matrix = np.concatenate([np.array(rows), 0.5 * np.eye(len(views))])
    wanted = np.concatenate([np.array(shifts), np.zeros((len(views), 2))])
    solution = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    solution -= solution.mean(axis=0)
    return [(float(p), float(t)) for p, t in solution]


def _correlate(a: np.ndarray, b: np.ndarray, both: np.ndarray, reach: int = 24) -> tuple[float, float] | None:
    """(dx, dy) in pixels by which b's content is shifted against a's, or None when nothing stands out."""
    h, w = a.shape
    # A soft window: the overlap's own outline is common to both and would answer "no shift".
    window = np.hanning(h)[:, None] * np.hanning(w)[None, :]

    def flat(p: np.ndarray) -> np.ndarray:
        p = np.log(np.maximum(p, 1.0))  # brightness steps between exposures become constants
        p = np.where(both, p, p[both].mean())
        detail = p - _box(p, 7)
        limit = 3.0 * float(detail[both].std()) + 1e-6
        return np.clip(detail, -limit, limit) * window * both

    fa, fb = np.fft.rfft2(flat(a)), np.fft.rfft2(flat(b))
    cross = fb * np.conj(fa)
    surface = np.fft.irfft2(cross / (np.abs(cross) ** 0.5 + 1e-6), a.shape)
    j, i = np.mgrid[0:h, 0:w]
    dx, dy = (i + w // 2) % w - w // 2, (j + h // 2) % h - h // 2
    near = (np.abs(dx) <= min(reach, w // 3)) & (np.abs(dy) <= min(reach, h // 3))
    k = int(np.argmax(np.where(near, surface, -np.inf)))
    if surface.flat[k] < 6.0 * surface.std():
        return None
    return float(dx.flat[k]), float(dy.flat[k])


def _box(p: np.ndarray, radius: int) -> np.ndarray:
    """Mean over a square of 2 radius + 1 pixels, edges repeated."""
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        c = np.cumsum(np.pad(p, pad, mode="edge"), axis=axis)
        n = p.shape[axis]
        upper, lower = np.take(c, range(2 * radius + 1, 2 * radius + 1 + n), axis), np.take(c, range(n), axis)
        p = (upper - lower) / (2 * radius + 1)
    return p


def _gains(views: Sequence[View], pictures: Sequence[np.ndarray], scale: float) -> np.ndarray:
    """Per picture and channel, so that overlaps agree in the mean: least squares of logarithms, mean gain 1."""
    rows, wanted = [], []
    for i, j in _pairs(views):
        cut = _overlap(views[i], views[j], max(scale, 0.2))
        if cut is None:
            continue
        a, b, both = cut
        usable = both & (a.max(axis=2) < 250) & (b.max(axis=2) < 250) & (a.min(axis=2) > 4) & (b.min(axis=2) > 4)
        if usable.sum() < 100:
            continue
        line = np.zeros(len(views))
        line[i], line[j] = 1.0, -1.0
        rows.append(line)
        wanted.append(np.log(b[usable].mean(axis=0) / a[usable].mean(axis=0)))
    if not rows:
        return np.ones((len(pictures), 3))
    matrix = np.concatenate([np.array(rows), 0.05 * np.eye(len(views))])
    target = np.concatenate([np.array(wanted), np.zeros((len(views), 3))])
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    return np.exp(solution - solution.mean(axis=0))
