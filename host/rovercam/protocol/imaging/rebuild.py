"""From what is known of a plane's blocks to its pixels, holes filled, and what each pixel is worth."""

from __future__ import annotations

import numpy as np

from . import parents, steps
from .plane import Plane
from .wavelet import inverse

# what a pixel of confidence() is worth
NOTHING, FROM_THUMBNAIL, BASE, REFINED, EXACT = range(5)

_ROUNDS = 50  # of evening out what was filled: enough for holes of some ten blocks; a fifth less error than without


def _fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Unknown entries of a 2-D array from their neighbours, outwards; then each as the mean of its four neighbours."""
    out, have = values.astype(np.float32), known.copy()
    if not have.any():
        return out
    while not have.all():
        total = np.zeros_like(out)
        count = np.zeros_like(out)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            v = np.zeros_like(out)
            h = np.zeros_like(have)
            ys, yd = slice(max(0, dy), len(out) + min(0, dy)), slice(max(0, -dy), len(out) + min(0, -dy))
            xs, xd = slice(max(0, dx), out.shape[1] + min(0, dx)), slice(max(0, -dx), out.shape[1] + min(0, -dx))
            v[yd, xd], h[yd, xd] = out[ys, xs], have[ys, xs]
            total += np.where(h, v, 0)
            count += h
        new = ~have & (count > 0)
        out[new] = total[new] / count[new]
        have |= new
    if not known.all():
        for _ in range(_ROUNDS):
            around = np.pad(out, 1, mode="edge")
            mean = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
            out = np.where(known, out, mean)
    return out


def _near(mask: np.ndarray, reach: int) -> np.ndarray:
    """True where any entry within `reach` (in rows and columns) is True."""
    out = mask.copy()
    for axis in (0, 1):
        wide = out.copy()
        for d in range(1, min(reach, out.shape[axis] - 1) + 1):
            a = [slice(None)] * 2
            b = [slice(None)] * 2
            a[axis], b[axis] = slice(d, None), slice(None, -d)
            wide[tuple(a)] |= out[tuple(b)]
            wide[tuple(b)] |= out[tuple(a)]
        out = wide
    return out


def _mend(plane: Plane, values: np.ndarray) -> None:
    # lost parents of values (blocks, 64), from the coarse copy
    lost = plane.copied()
    if not lost.any():
        return
    mag, neg, quality = plane.copy
    columns = np.array(parents.PLACES) + 1
    step = steps.fine_steps(np.maximum(quality, 0).astype(np.int64), plane.depth)[:, columns]
    cut = (1 << parents.SHIFT).astype(np.float32)
    for f, column in enumerate(columns):
        # a slot that is there teaches where in its step a coefficient lies as well as one that is needed
        part = steps.points_of(mag[:, f], step[:, f])
        size = ((mag[:, f] + part) * cut[f] - np.float32(steps.ROUNDING)) * step[:, f]
        size = np.where(mag[:, f] > 0, np.where(neg[:, f] > 0, -size, size), 0)
        values[lost, column] = size[lost]


def values_of(plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """float32 (blocks, 64) most likely coefficients, DC still unknown where nothing came; bool by block: exactly these."""
    exact = ~plane.fine & (plane.plane == 0).all(1)
    mag = plane.mag
    values = np.empty((plane.blocks, 64), np.float32)
    if exact.all():
        values[:, 0] = plane.dc
        values[:, 1:] = np.where(plane.neg > 0, -mag, mag)
        return values, exact
    known = plane.known()
    step = plane.step()
    fine = plane.fine[:, None]
    part = steps.points(mag, step[:, 1:])
    size = np.where(fine, (mag - np.float32(steps.ROUNDING) + part) * step[:, 1:], (mag + part) * step[:, 1:] - part)
    size = np.where(~fine & (step[:, 1:] == 1), mag, size)
    values[:, 1:] = np.where(mag > 0, np.where(plane.neg > 0, -size, size), 0)
    # whole steps say the lower end
    values[:, 0] = plane.dc * step[:, 0] + np.where(plane.fine, 0, (step[:, 0] - 1) / 2)
    # a block whose DC is coarse or missing may do better with the thumbnail
    thumb = plane.thumb_shift < 99
    width = np.exp2(np.where(thumb, plane.thumb_shift, 0))
    coarse = plane.thumb * width + (width - 1) / 2
    values[:, 0] = np.where(thumb & (~known | (step[:, 0] > width)), coarse, values[:, 0])
    _mend(plane, values)
    return values, exact


def rebuild(plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """One plane's pixels and confidence."""
    plane.refine()
    has = plane.known()
    thumb = plane.thumb_shift < 99
    values, done = values_of(plane)
    grid = (plane.rows, plane.columns)
    values[:, 0] = _fill(values[:, 0].reshape(grid), (has | thumb).reshape(grid)).ravel()
    flat = np.empty(plane.blocks * 64, np.float32)
    flat[plane.places] = values
    nested = flat.reshape(plane.rows * 8, plane.columns * 8)
    top = (1 << plane.depth) - 1
    kind = np.uint8 if plane.depth <= 8 else np.uint16
    # the synthesis reaches 4 blocks: only so far from anything inexact is a pixel the camera's
    sure = ~_near(~done.reshape(grid), 5)
    sure_pixels = np.repeat(np.repeat(sure, 8, 0), 8, 1)
    if sure.all():
        picture = np.clip(inverse(nested.astype(np.int32)), 0, top).astype(kind)
    else:
        rounded = not plane.fine.any()
        picture = np.clip(np.rint(inverse(nested, rounded=rounded)), 0, top).astype(kind)
        if sure.any():
            whole = np.clip(inverse(np.rint(nested).astype(np.int32)), 0, top).astype(kind)
            picture = np.where(sure_pixels, whole, picture)
    refined = has & ~plane.fine & (plane.plane.max(1) < plane.quality >> 4)
    level = np.where(has, np.where(refined, REFINED, BASE), np.where(thumb, FROM_THUMBNAIL, NOTHING))
    mask = np.repeat(np.repeat(level.reshape(grid).astype(np.uint8), 8, 0), 8, 1)
    mask[sure_pixels] = EXACT
    width, height = plane.width or plane.columns * 8, plane.height or plane.rows * 8
    return picture[:height, :width], mask[:height, :width]


def _stretched(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """A chroma plane at full size, float32: linear between its samples, each of which lies in the middle of its pixels."""
    out = plane.astype(np.float32)
    for axis, size in ((0, height), (1, width)):
        n = out.shape[axis]
        if n == size:
            continue
        at = np.clip((np.arange(size, dtype=np.float32) + 0.5) / -(-size // n) - 0.5, 0, n - 1)
        low = at.astype(np.int64)
        part = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        out = np.take(out, low, axis) * (1 - part) + np.take(out, np.minimum(low + 1, n - 1), axis) * part
    return out


def rgb(y: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> np.ndarray:
    """Full-range YCbCr (BT.601; chroma at half width, or also half height) to RGB uint8."""
    height, width = y.shape
    b, r = (_stretched(c, width, height) - 128 for c in (cb, cr))
    out = np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], -1)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)
