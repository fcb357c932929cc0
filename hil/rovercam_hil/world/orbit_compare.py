"""What moved between two pictures of a site from orbit: co-register, find platform and rover, measure, show the tracks.

Works on any two pictures of the same site, scale and orientation (north up), given as arrays; `commands` reads files.

1. Co-registration: tiles are matched by phase correlation, refined to a fraction of a pixel, and a similarity transform
   is fitted that ignores tiles which disagree (what moved, moved).
2. The rover is where the difference of the registered pictures has its two strongest compact spots: one where it was,
   one where it is. The picture with more contrast at a spot is the one that shows it there.
3. The platform is the strongest compact contrast both pictures share.
4. Position of a spot: centroid of the difference in excess of its noise. Uncertainty: registration, noise and the share
   of the rover's own size that light and heading may shift the centroid by.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, uniform_filter

_TILE = 64
_OBJECT = 3.0  # m: size of what is looked for
_SHAPE_ERROR = 0.14  # m, 1 sigma per spot, from 16 seeds: heading, tracks and light shift the centroid


class CompareError(ValueError):
    """The pictures do not allow a measurement; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Result in metres and degrees; columns and rows are those of the first picture. Uncertainties cover 95 %."""

    displacement: float
    displacement_uncertainty: float
    direction: float
    """Degrees from north over east, from the rover in A to the rover in B."""
    direction_uncertainty: float
    east: float
    north: float
    rover_a: tuple[float, float]
    """Column, row."""
    rover_b: tuple[float, float]
    platform: tuple[float, float]
    range_a: float
    """Distance platform to rover in A, metres."""
    bearing_a: float
    range_b: float
    bearing_b: float
    shift: tuple[float, float]
    """Registration: columns, rows by which B lies beside A at the middle."""
    rotation: float
    """Degrees."""
    stretch: float
    residual: float
    """Root mean square of the matched tiles, pixels."""
    tiles: int

    def as_dict(self) -> dict:
        return asdict(self)


def _normalise(picture: np.ndarray) -> np.ndarray:
    """Local contrast in units of the picture's own noise-and-texture level: light and haze cancel."""
    p = np.asarray(picture, dtype=float)
    if p.ndim == 3:
        p = p.mean(axis=2)
    high = p - gaussian_filter(p, 12.0)
    level = 1.4826 * np.median(np.abs(high - np.median(high)))
    return high / max(level, 1e-6)


def _tile_shift(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """(columns, rows, sharpness) by which `b` is shifted against `a`, by phase correlation with a parabola at the peak."""
    window = np.hanning(a.shape[0])[:, None] * np.hanning(a.shape[1])[None, :]
    fa, fb = np.fft.fft2(a * window), np.fft.fft2(b * window)
    cross = fb * np.conj(fa)
    # Half-whitened: full whitening would listen to the noise of the fine scales.
    fy, fx = np.fft.fftfreq(a.shape[0])[:, None], np.fft.fftfreq(a.shape[1])[None, :]
    weight = np.exp(-((np.hypot(fx, fy) / 0.22) ** 2))
    surface = np.fft.ifft2(weight * cross / (np.abs(cross) ** 0.7 + 1e-9)).real
    h, w = surface.shape
    j, i = divmod(int(np.argmax(surface)), w)

    def at(v: int, u: int) -> float:
        return float(surface[v % h, u % w])

    def peak(m: float, c: float, p: float) -> float:
        d = m - 2 * c + p
        return 0.0 if abs(d) < 1e-12 else 0.5 * (m - p) / d

    di = peak(at(j, i - 1), at(j, i), at(j, i + 1))
    dj = peak(at(j - 1, i), at(j, i), at(j + 1, i))
    sharp = float(surface[j, i] / (surface.std() + 1e-12))
    return (i + w // 2) % w - w // 2 + di, (j + h // 2) % h - h // 2 + dj, sharp


@dataclass
class Registration:
    """B(u', v') shows what A shows at (u, v): [u', v'] = matrix @ [u, v] + offset."""

    matrix: np.ndarray
    offset: np.ndarray
    residual: float
    tiles: int
    covariance: float
    """Standard error of a registered position near the middle, pixels."""


def register(a: np.ndarray, b: np.ndarray) -> Registration:
    """Similarity transform from A's to B's pixels. Raises CompareError when too few tiles agree."""
    na, nb = np.clip(_normalise(a), -12, 12), np.clip(_normalise(b), -12, 12)
    h, w = na.shape
    if min(h, w) < 2 * _TILE:
        raise CompareError(f"pictures of {w} × {h} pixels are too small to register: at least {2 * _TILE} are needed")
    # Coarse shift of the whole, then tiles around it.
    whole = _tile_shift(na, nb)
    places, shifts = [], []
    for v in range(0, h - _TILE + 1, _TILE // 2):
        for u in range(0, w - _TILE + 1, _TILE // 2):
            su, sv = round(whole[0]), round(whole[1])
            if not (0 <= u + su <= w - _TILE and 0 <= v + sv <= h - _TILE):
                continue
            tile_a = na[v : v + _TILE, u : u + _TILE]
            for _ in range(2):  # the second look is centred on what the first found
                if not (0 <= u + su <= w - _TILE and 0 <= v + sv <= h - _TILE):
                    break
                du, dv, sharp = _tile_shift(tile_a, nb[v + sv : v + sv + _TILE, u + su : u + su + _TILE])
                shift = (su + du, sv + dv)
                su, sv = round(shift[0]), round(shift[1])
            if sharp > 5.0 and math.dist(shift, whole[:2]) < 12:
                places.append((u + _TILE / 2 - 0.5, v + _TILE / 2 - 0.5))
                shifts.append(shift)
    if len(places) < 6:
        raise CompareError(f"only {len(places)} tiles of the two pictures match: do they show the same place?")
    p, q = np.array(places), np.array(places) + np.array(shifts)
    weight = np.ones(len(p))
    for _ in range(30):
        matrix, offset = _similarity(p, q, weight)
        error = np.linalg.norm(p @ matrix.T + offset - q, axis=1)
        scale = max(1.4826 * float(np.median(error)), 0.03)
        weight = 1.0 / (1.0 + (error / (2 * scale)) ** 4)
    good = weight > 0.5
    if good.sum() < 6:
        raise CompareError(f"the tiles do not agree on one shift ({int(good.sum())} of {len(p)} do)")
    residual = float(np.sqrt((error[good] ** 2).mean()))
    # Tiles overlap by half in both directions: a quarter of them is independent.
    return Registration(matrix, offset, residual, int(good.sum()), residual / math.sqrt(max(good.sum() / 4, 2)))


def _similarity(p: np.ndarray, q: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    k = weight / weight.sum()
    mp, mq = k @ p, k @ q
    dp, dq = p - mp, q - mq
    a = (k * (dp * dq).sum(axis=1)).sum()
    b = (k * (dp[:, 0] * dq[:, 1] - dp[:, 1] * dq[:, 0])).sum()
    n = (k * (dp**2).sum(axis=1)).sum()
    matrix = np.array([[a, -b], [b, a]]) / n
    return matrix, mq - matrix @ mp


def resample(b: np.ndarray, r: Registration, shape: tuple[int, int]) -> np.ndarray:
    """Picture B on A's pixels; NaN where B does not reach."""
    v, u = np.mgrid[0 : shape[0], 0 : shape[1]]
    at = r.matrix @ np.stack([u.ravel(), v.ravel()]) + r.offset[:, None]
    out = map_coordinates(
        np.asarray(b, dtype=float), [at[1], at[0]], order=3, mode="constant", cval=np.nan, prefilter=True
    )
    return out.reshape(shape)


def compare(a: np.ndarray, b: np.ndarray, scale: float = 0.3) -> tuple[Comparison, np.ndarray]:
    """Measure what moved; returns the result and B resampled onto A. `scale` in metres per pixel of A.

    Raises CompareError when the pictures cannot be registered or nothing compact moved.
    """
    a, b = (np.asarray(p, dtype=float).mean(axis=2) if np.ndim(p) == 3 else np.asarray(p, dtype=float) for p in (a, b))
    if a.shape != b.shape:
        raise CompareError(
            f"the pictures differ in size: {a.shape[1]} × {a.shape[0]} and {b.shape[1]} × {b.shape[0]} pixels"
        )
    r = register(a, b)
    moved = resample(b, r, a.shape)
    valid = np.isfinite(moved)
    filled = np.where(valid, moved, np.nanmedian(moved))
    na, nb = _normalise(a), _normalise(filled)
    inside = uniform_filter(valid.astype(float), 9) > 0.999
    inside[:6], inside[-6:], inside[:, :6], inside[:, -6:] = False, False, False, False
    difference = np.where(inside, nb - na, 0.0)
    size = _OBJECT / scale
    # The platform first: it is in both, and its edges leave differences that must not be taken for the rover.
    contrast = np.where(inside, np.minimum(_energy(na, size), _energy(nb, size)), 0.0)
    platform = divmod(int(np.argmax(contrast)), contrast.shape[1])
    platform_at = _centroid(np.minimum(np.abs(na), np.abs(nb)), platform, size)
    energy = _energy(difference, size)
    rows, cols = np.mgrid[0 : a.shape[0], 0 : a.shape[1]]
    energy[np.hypot(cols - platform_at[0], rows - platform_at[1]) < 3.2 / scale] = 0.0
    spots = _peaks(energy, size)
    noise = float(np.median(energy[inside]))
    spots = [s for s in spots if energy[s] > max(12 * noise, 5.0)][:2]
    if len(spots) < 2:
        raise CompareError(
            "fewer than two places differ between the pictures: the rover did not move by more than its own size, or is not in both"
        )
    first, second = spots
    # Where was it in A? Where A has the contrast and B has not.
    lead = [math.log((_energy(na, size)[s] + noise) / (_energy(nb, size)[s] + noise)) for s in (first, second)]
    if lead[0] * lead[1] >= 0:
        raise CompareError("two places differ, but not as one thing that left the one and came to the other")
    in_a, in_b = (first, second) if lead[0] > lead[1] else (second, first)
    excess = np.abs(difference)
    rover_a, rover_b = _centroid(excess, in_a, size), _centroid(excess, in_b, size)
    east, north = (rover_b[0] - rover_a[0]) * scale, -(rover_b[1] - rover_a[1]) * scale
    displacement = math.hypot(east, north)
    # Noise of the pictures themselves is far below the other two terms for an object of a hundred pixels.
    sigma = math.sqrt(2) * math.hypot(r.covariance * scale, _SHAPE_ERROR) + 0.0008 * displacement
    uncertainty = 1.96 * sigma

    def polar(spot: tuple[float, float]) -> tuple[float, float]:
        e, n = (spot[0] - platform_at[0]) * scale, -(spot[1] - platform_at[1]) * scale
        return math.hypot(e, n), math.degrees(math.atan2(e, n)) % 360.0

    range_a, bearing_a = polar(rover_a)
    range_b, bearing_b = polar(rover_b)
    middle = np.array([a.shape[1] / 2, a.shape[0] / 2])
    shift = r.matrix @ middle + r.offset - middle
    result = Comparison(
        displacement=displacement,
        displacement_uncertainty=uncertainty,
        direction=math.degrees(math.atan2(east, north)) % 360.0,
        direction_uncertainty=math.degrees(math.atan2(uncertainty, displacement)) + 0.2,
        east=east,
        north=north,
        rover_a=rover_a,
        rover_b=rover_b,
        platform=platform_at,
        range_a=range_a,
        bearing_a=bearing_a,
        range_b=range_b,
        bearing_b=bearing_b,
        shift=(float(shift[0]), float(shift[1])),
        rotation=math.degrees(math.atan2(r.matrix[1, 0], r.matrix[0, 0])),
        stretch=math.hypot(r.matrix[0, 0], r.matrix[1, 0]),
        residual=r.residual,
        tiles=r.tiles,
    )
    return result, moved


def _energy(p: np.ndarray, size: float) -> np.ndarray:
    """Local power of a picture over the size of the object sought."""
    return gaussian_filter(np.clip(p, -30, 30) ** 2, size / 2.5)


def _peaks(energy: np.ndarray, size: float) -> list[tuple[int, int]]:
    """Local maxima, strongest first, at least an object's size apart."""
    top = maximum_filter(energy, int(2 * size) | 1)
    v, u = np.nonzero((energy == top) & (energy > 0))
    order = np.argsort(-energy[v, u])
    return [(int(v[k]), int(u[k])) for k in order]


def _centroid(weight: np.ndarray, start: tuple[int, int], size: float) -> tuple[float, float]:
    """(column, row) of the mean of `weight` above its surroundings in a window that follows it."""
    v, u = float(start[0]), float(start[1])
    rows, cols = np.mgrid[0 : weight.shape[0], 0 : weight.shape[1]]
    smooth = gaussian_filter(weight, 1.0)
    floor = float(np.median(weight)) + 2.0
    for _ in range(12):
        near = np.hypot(cols - u, rows - v) < size
        k = np.where(near, np.clip(smooth - floor, 0, 8), 0.0)
        if k.sum() <= 0:
            break
        nu, nv = float((k * cols).sum() / k.sum()), float((k * rows).sum() / k.sum())
        done = math.hypot(nu - u, nv - v) < 0.005
        u, v = nu, nv
        if done:
            break
    return u, v


def enhance_tracks(a: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """8-bit picture of what changed: B over A, large scales removed, contrast stretched. Tracks show as dark lines."""
    valid = np.isfinite(moved)
    ratio = np.where(valid, moved, 1.0) / np.maximum(np.asarray(a, dtype=float), 1.0)
    ratio = np.where(valid, ratio, np.median(ratio[valid]))
    ratio = gaussian_filter(ratio - gaussian_filter(ratio, 20.0), 0.9)
    lo, hi = np.percentile(ratio[valid], (0.3, 99.7))
    return (np.clip((ratio - lo) / (hi - lo), 0, 1) * 255).astype(np.uint8)
