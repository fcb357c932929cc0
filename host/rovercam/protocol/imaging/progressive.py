"""A picture that grows: slots of any layer in any order, lost, repeated or broken, and at any time the best picture of them."""

from __future__ import annotations

import numpy as np

from .plane import Learn, Plane, forget
from .quality import estimate_psnr
from .rebuild import EXACT, rebuild, rgb
from .slots import BLOCKS, PARENTS, RAW, THUMBNAIL, Slot, parse, thumbnail_into, thumbnail_size

_CODECS = {0: (THUMBNAIL,), 1: (BLOCKS, PARENTS), 2: (BLOCKS,), 3: (BLOCKS,)}  # by layer


class Progressive:
    """width, height, depth: of the picture where the caller knows them (from its description); else they are taken from
    the slots, and until a thumbnail slot came the size is the padded one. picture: id, or None for that of the first slot.

    Slots of another picture or with a wrong CRC are counted and ignored. learn: told of every slot that is decoded."""

    def __init__(
        self, width: int = 0, height: int = 0, depth: int = 0, *, picture: int | None = None, learn: Learn = forget
    ) -> None:
        self._learn = learn
        # of luminance; chroma planes are half as wide, and as high or half as high: their own slots say it
        self._size = {0: (width, height)} if width and height else {}
        self._depth = depth
        self.picture_id = picture
        self._planes: dict[int, Plane] = {}
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
        if s.codec not in _CODECS.get(s.layer, ()):
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
            plane = self._planes[s.plane] = Plane(s.columns, (height + 7) // 8, self._depth or s.depth, self._learn)
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
            (plane.parents if s.codec == PARENTS else plane.base)(s)
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
        luminance, self._confidence = rebuild(self._planes[0])
        if 1 in self._planes and 2 in self._planes and luminance.dtype == np.uint8:
            cb, cr = (rebuild(self._planes[n])[0] for n in (1, 2))
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
