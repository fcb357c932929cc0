"""A picture that grows: slots of any layer in any order, lost, repeated or broken, and at any time the best picture of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import blocks, steps
from .quality import estimate_psnr
from .slots import BLOCKS, RAW, THUMBNAIL, Slot, coded, parse, thumbnail_into, thumbnail_size
from .wavelet import block_places, inverse

# what a pixel of confidence() is worth
NOTHING, FROM_THUMBNAIL, BASE, REFINED, EXACT = range(5)
_GOALS = {2: 2, 3: 0}  # planes that the refinements reach


Learn = Callable[[int, np.ndarray, np.ndarray], None]
"""(layer, chance, seen): a slot's contexts (blocks) as they are at its end."""


def _forget(layer: int, chance: np.ndarray, seen: np.ndarray) -> None:
    pass


class _Plane:
    """One colour plane: what is known of its blocks."""

    def __init__(self, columns: int, rows: int, depth: int, learn: Learn) -> None:
        self.learn = learn
        self.columns, self.rows, self.depth = columns, rows, depth
        self.width = self.height = 0  # exact size, 0 while only the padded one is known
        self.waiting: list[Slot] = []  # refinements of what is not there yet
        self._allocate(0)

    def _allocate(self, n: int) -> None:
        self.blocks = n
        self.dc = np.zeros(n, np.int64)  # quantiser's indices, as all of these
        self.mag = np.zeros((n, 63), np.int32)
        self.neg = np.zeros((n, 63), np.uint8)
        self.quality = np.full(n, -1, np.int16)  # 16ths of a plane; of fine steps + 256
        self.plane = np.full((n, 4), blocks.NOTHING, np.int8)  # known of each unit
        self.thumb = np.zeros(n, np.int64)
        self.thumb_shift = np.full(n, 99, np.int64)
        self.places = block_places(n // self.columns, self.columns, grouped=False) if n else np.zeros((0, 64), np.int64)

    def grow(self, n: int) -> None:
        """Room for so many blocks, whole strips."""
        rows = -(-n // self.columns)
        if rows <= self.rows and self.blocks:
            return
        self.rows = max(rows, self.rows)
        old = self.blocks
        kept = {n: getattr(self, n) for n in ("dc", "mag", "neg", "quality", "plane", "thumb", "thumb_shift")}
        self._allocate(self.rows * self.columns)
        for name, values in kept.items():
            getattr(self, name)[:old] = values

    def base(self, s: Slot) -> None:
        """Decode a base slot, unless its blocks are known already."""
        c = coded(s)
        if self.plane[s.first, c.begun] != blocks.NOTHING:
            return
        par = np.array(
            [s.first, c.count, self.columns, c.begun, c.ended, c.quality, c.fine, c.gaps, self.depth], np.int64
        )
        chance, seen = blocks.contexts(s.layer)
        blocks.decode_base(c.data, chance, seen, par, *self._decoded())
        self.learn(s.layer, chance, seen)

    def refine(self) -> None:
        """Decode what waits, as far as it can be."""
        progress = bool(self.waiting)
        while progress:
            progress = False
            left = []
            for s in sorted(self.waiting, key=lambda s: s.layer):
                c = coded(s)
                par = np.array([s.first, c.count, self.columns, c.begun, c.ended, _GOALS[s.layer], s.layer], np.int64)
                chance, seen = blocks.contexts(s.layer)
                if blocks.decode_refinement(c.data, chance, seen, par, *self._decoded()):
                    progress = True
                    self.learn(s.layer, chance, seen)
                else:
                    left.append(s)
            self.waiting = left

    def _decoded(self) -> tuple[np.ndarray, ...]:
        """What the decoders fill, and their tables, in the order of their arguments."""
        return self.dc, self.mag, self.neg, self.quality, self.plane, blocks.LEVELS, blocks.MEANS

    @property
    def fine(self) -> np.ndarray:
        """bool by block: fine steps."""
        return self.quality > 255

    def known(self) -> np.ndarray:
        """bool by block: its DC is there."""
        return self.plane[:, 0] != blocks.NOTHING

    def step(self) -> np.ndarray:
        """float32 (blocks, 64): of each coefficient, in units of pixels; of unknown ones as if coarse."""
        fine = self.fine
        out = steps.whole_steps(self.plane)
        if fine.any():
            qualities, which = np.unique(self.quality[fine].astype(np.int64) & 255, return_inverse=True)
            out[fine] = steps.fine_steps(qualities, self.depth)[which]
        return out


class Progressive:
    """width, height, depth: of the picture where the caller knows them (from its description); else they are taken from
    the slots, and until a thumbnail slot came the size is the padded one. picture: id, or None for that of the first slot.

    Slots of another picture or with a wrong CRC are counted and ignored. learn: told of every slot that is decoded."""

    def __init__(
        self, width: int = 0, height: int = 0, depth: int = 0, *, picture: int | None = None, learn: Learn = _forget
    ) -> None:
        self._learn = learn
        # of luminance; chroma planes are half as wide, and as high or half as high: their own slots say it
        self._size = {0: (width, height)} if width and height else {}
        self._depth = depth
        self.picture_id = picture
        self._planes: dict[int, _Plane] = {}
        self._pending: dict[int, list[Slot]] = {}
        self._raw: dict[int, bytes] = {}
        self._raw_slot: Slot | None = None
        self.rejected = 0
        self.repeated = 0
        self.accepted = 0
        self._seen: set[bytes] = set()
        self._picture: np.ndarray | None = None
        self._confidence: np.ndarray | None = None

    def add(self, layer: int, slot: bytes) -> bool:
        """Take one slot; True when it told something new. layer is that of the file it came from (-1: not known)."""
        s = parse(bytes(slot))
        if s is None or (layer >= 0 and s.layer != layer) or s.plane > 2:
            self.rejected += 1
            return False
        if self.picture_id is None:
            self.picture_id = s.picture
        if s.picture != self.picture_id:
            self.rejected += 1
            return False
        key = bytes(slot)
        if key in self._seen:
            self.repeated += 1
            return False
        if not self._take(s):
            self.rejected += 1
            return False
        self._seen.add(key)
        self.accepted += 1
        self._picture = None
        return True

    def _take(self, s: Slot) -> bool:
        if s.codec == RAW and s.layer == 1:
            self._raw[s.first] = s.body[: s.count]
            self._raw_slot = s
            return True
        if s.codec not in (BLOCKS, THUMBNAIL) or (s.codec == THUMBNAIL) != (s.layer == 0) or s.layer > 3:
            return False
        plane = self._planes.get(s.plane)
        if s.layer >= 2:
            if plane is None:
                self._pending.setdefault(s.plane, []).append(s)
            else:
                plane.waiting.append(s)
            return True
        end = s.first + s.count
        if not s.count or end > 65536 or s.columns > 256 or end > 256 * s.columns:
            return False
        if plane is None:
            width, height = self._size.get(s.plane, (0, 0))
            if width and (width + 7) // 8 != s.columns:
                return False
            plane = self._planes[s.plane] = _Plane(s.columns, (height + 7) // 8, self._depth or s.depth, self._learn)
            plane.width, plane.height = width, height
        elif plane.columns != s.columns or plane.depth != s.depth:
            return False
        if plane.height and end > plane.columns * ((plane.height + 7) // 8):
            return False
        if s.layer == 0:
            size = thumbnail_size(s)
            if size is None or (plane.height and size != (plane.width, plane.height)):
                return False
            plane.width, plane.height = size
            plane.grow(plane.columns * ((size[1] + 7) // 8))
            if end > plane.blocks:
                return False
            thumbnail_into(s, plane.thumb, plane.thumb_shift)
        else:
            plane.grow(max(end, plane.rows * plane.columns))
            plane.base(s)
        plane.waiting += self._pending.pop(s.plane, [])
        return True

    # -- what is there

    def picture(self) -> np.ndarray:
        """The best picture now: (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB when the chroma planes are there.

        Holes are filled from the thumbnail, else from their neighbours. Without any slot: an empty (0, 0) array."""
        if self._picture is None:
            self._render()
        assert self._picture is not None
        return self._picture

    def confidence(self) -> np.ndarray:
        """(H, W) uint8 per pixel: NOTHING, FROM_THUMBNAIL, BASE, REFINED, EXACT (luminance)."""
        if self._picture is None:
            self._render()
        assert self._confidence is not None
        return self._confidence

    @property
    def complete(self) -> bool:
        """Every pixel is exactly the camera's."""
        c = self.confidence()
        return bool(c.size) and bool((c == EXACT).all())

    @property
    def quality(self) -> float:
        """Estimated PSNR of the luminance in dB (99 = lossless; 0 = nothing)."""
        plane = self._planes.get(0)
        if plane is None:
            return 99.0 if self._raw and self.complete else 0.0
        plane.refine()
        return estimate_psnr(plane)

    def info(self) -> dict[str, float | int | bool | None]:
        """Numbers for a list of pictures."""
        plane = self._planes.get(0)
        if plane:
            plane.refine()
        return {
            "picture": self.picture_id,
            "width": plane.width or plane.columns * 8 if plane else 0,
            "height": plane.height or plane.rows * 8 if plane else 0,
            "depth": plane.depth if plane else 0,
            "slots": self.accepted,
            "rejected": self.rejected,
            "blocks": plane.blocks if plane else 0,
            "blocks_known": int(plane.known().sum()) if plane else 0,
            "psnr_estimate": round(self.quality, 1),
            "complete": self.complete,
        }

    # -- reconstruction

    def _render(self) -> None:
        if self._raw_slot is not None and 0 not in self._planes:
            self._render_raw(self._raw_slot)
            return
        if 0 not in self._planes:
            self._picture = np.zeros((0, 0), np.uint8)
            self._confidence = np.zeros((0, 0), np.uint8)
            return
        luminance, self._confidence = _rebuild(self._planes[0])
        if 1 in self._planes and 2 in self._planes and luminance.dtype == np.uint8:
            cb, cr = (_rebuild(self._planes[n])[0] for n in (1, 2))
            self._picture = rgb(luminance, cb, cr)
        else:
            self._picture = luminance

    def _render_raw(self, s: Slot) -> None:
        width, height = self._size.get(0, (s.columns * 8, 0))
        per = len(s.body)
        data = bytearray((max(self._raw) + 1) * per)
        known = np.zeros(len(data), np.uint8)
        for k, part in self._raw.items():
            data[k * per : k * per + len(part)] = part
            known[k * per : k * per + len(part)] = EXACT
        size = 1 if s.depth == 8 else 2
        height = height or -(-len(data) // (width * size))
        need = width * height * size
        data = data[:need].ljust(need, b"\0")
        mask = np.zeros(need, np.uint8)
        mask[: min(need, len(known))] = known[:need]
        self._picture = (
            np.frombuffer(bytes(data), np.uint8 if size == 1 else "<u2")
            .reshape(height, width)
            .astype(np.uint8 if size == 1 else np.uint16)
        )
        self._confidence = mask[::size].reshape(height, width).copy()


def _fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Unknown entries of a 2-D array from their neighbours, outwards."""
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


def _values(plane: _Plane) -> tuple[np.ndarray, np.ndarray]:
    # float32 (blocks, 64) most likely coefficients, bool by block: exactly these
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
    return values, exact


def _rebuild(plane: _Plane) -> tuple[np.ndarray, np.ndarray]:
    # one plane's pixels and confidence
    plane.refine()
    has = plane.known()
    thumb = plane.thumb_shift < 99
    values, done = _values(plane)
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
