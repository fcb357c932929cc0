"""One colour plane of a picture: what its slots have told of each block."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import blocks, parents, steps
from .slots import Slot, coded
from .wavelet import block_places

_GOALS = {2: 2, 3: 0}  # planes that the refinements reach

Learn = Callable[[int, np.ndarray, np.ndarray], None]
"""(kind, chance, seen): a slot's contexts (blocks) as they are at its end; kind: layer - 1, or parents.KIND."""


def forget(kind: int, chance: np.ndarray, seen: np.ndarray) -> None:
    """What need not be learned."""


class Copy(NamedTuple):
    """The coarse copy of the parents, by block: magnitudes int32 (3), signs uint8 (3), quality int16 of fine steps, -1 where it is not there."""

    mag: np.ndarray
    neg: np.ndarray
    quality: np.ndarray


class Plane:
    """One colour plane: what is known of its blocks."""

    def __init__(self, columns: int, rows: int, depth: int, learn: Learn = forget) -> None:
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
        self.copy = Copy(np.zeros((n, 3), np.int32), np.zeros((n, 3), np.uint8), np.full(n, -1, np.int16))
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
        copy = self.copy
        self._allocate(self.rows * self.columns)
        for name, values in kept.items():
            getattr(self, name)[:old] = values
        for mine, its in zip(self.copy, copy, strict=True):
            mine[:old] = its

    def base(self, s: Slot) -> None:
        """Decode a base slot, unless its blocks are known already."""
        c = coded(s)
        if self.plane[s.first, c.begun] != blocks.NOTHING:
            return
        par = np.array(
            [s.first, c.count, self.columns, c.begun, c.ended, c.quality, c.fine, c.gaps, self.depth], np.int64
        )
        chance, seen = blocks.contexts(s.layer - 1)
        blocks.decode_base(c.data, chance, seen, par, *self._decoded())
        self.learn(s.layer - 1, chance, seen)

    def parents(self, s: Slot) -> None:
        """Decode a slot of the coarse copy, unless it is known already."""
        if self.copy.quality[s.first] < 0:
            self.learn(parents.KIND, *parents.decode(s, *self.copy))

    def refine(self) -> None:
        """Decode what waits, as far as it can be."""
        progress = bool(self.waiting)
        while progress:
            progress = False
            left = []
            for s in sorted(self.waiting, key=lambda s: s.layer):
                c = coded(s)
                par = np.array([s.first, c.count, self.columns, c.begun, c.ended, _GOALS[s.layer], s.layer], np.int64)
                chance, seen = blocks.contexts(s.layer - 1)
                if blocks.decode_refinement(c.data, chance, seen, par, *self._decoded()):
                    progress = True
                    self.learn(s.layer - 1, chance, seen)
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

    def copied(self) -> np.ndarray:
        """bool by block: its DC and parents are lost, but the coarse copy is there."""
        return ~self.known() & (self.copy.quality >= 0)
