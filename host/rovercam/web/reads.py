"""Questions to the archive that must not stop the station: asked on connections and threads of their own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rovercam.archive import Archive
from rovercam.station.pictures import Rendered, encode_png, render

T = TypeVar("T")
KEPT_PICTURES = 12
THUMBNAIL = 240
"""Longest side of a thumbnail, in pixels."""
CONFIDENCE_COLORS = np.array(
    [[214, 39, 72, 255], [232, 130, 40, 130], [222, 190, 60, 70], [70, 170, 220, 45], [0, 0, 0, 0]], np.uint8
)
"""RGBA of the confidence 0 nothing … 4 exact, to be laid over a picture."""


class Reads:
    """One thread with one read-only connection; use one for rows and another for pictures."""

    def __init__(self, path: Path):
        self._path = path
        self._archive: Archive | None = None
        self._thread = ThreadPoolExecutor(1, "rovercam-read")

    async def ask(self, question: Callable[[Archive], T]) -> T:
        """The answer, from one consistent state of the archive."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    def _answer(self, question: Callable[[Archive], T]) -> T:
        if self._archive is None:
            self._archive = Archive(self._path, readonly=True)
        archive = self._archive
        archive.forget_cached()  # the station may have added series and structures since
        archive.db.execute("BEGIN")
        try:
            return question(archive)
        finally:
            archive.db.execute("ROLLBACK")

    def close(self) -> None:
        def end() -> None:
            if self._archive is not None:
                self._archive.db.close()

        self._thread.submit(end)
        self._thread.shutdown(wait=True)


class Pictures:
    """Rendered pictures as PNG, made again only when more of a product has come."""

    def __init__(self, reads: Reads):
        self._reads = reads
        self._kept: OrderedDict[int, tuple[tuple[object, ...], Rendered]] = OrderedDict()
        self._files: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    async def rendered(self, product: int) -> Rendered:
        """Raises NoPicture."""
        return await self._reads.ask(lambda a: self._render(a, product)[1])

    async def png(self, product: int, kind: str) -> bytes:
        """kind: full, thumbnail, confidence. Raises NoPicture."""
        return await self._reads.ask(lambda a: self._png(a, product, kind))

    def _render(self, archive: Archive, product: int) -> tuple[tuple[object, ...], Rendered]:
        layers = tuple((la["layer"], la["transfer"], la["received"], la["status"]) for la in archive.layers(product))
        fields = archive.product_fields(product)
        state = (product, layers, bool(fields))
        kept = self._kept.get(product)
        if kept is not None and kept[0] == state:
            self._kept.move_to_end(product)
            return kept
        self._kept[product] = (state, render(archive, product))
        self._kept.move_to_end(product)
        while len(self._kept) > KEPT_PICTURES:
            self._kept.popitem(last=False)
        return self._kept[product]

    def _png(self, archive: Archive, product: int, kind: str) -> bytes:
        state, picture = self._render(archive, product)
        key = (kind, *state)
        if key not in self._files:
            self._files[key] = _file(picture, kind)
            while len(self._files) > KEPT_PICTURES * 4:
                self._files.popitem(last=False)
        return self._files[key]


def _file(picture: Rendered, kind: str) -> bytes:
    if kind == "confidence":
        return encode_png(CONFIDENCE_COLORS[np.minimum(picture.confidence, 4)])
    if kind == "thumbnail":
        from PIL import Image

        image = Image.fromarray(eight_bits(picture.pixels))
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        return encode_png(np.asarray(image))
    pixels = picture.pixels
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        pixels = eight_bits(pixels)
    return encode_png(pixels)


def eight_bits(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """For showing: more than 8 bits are scaled by the largest value's power of two."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    shift = max(0, int(pixels.max(initial=0)).bit_length() - 8)
    return (pixels.astype(np.uint32) >> shift).astype(np.uint8)


def shares(picture: Rendered) -> list[float]:
    """Share of pixels of each confidence, 0 … 4."""
    counts = np.bincount(picture.confidence.ravel(), minlength=5)[:5]
    total = max(1, int(counts.sum()))
    return [float(c) / total for c in counts]


async def quietly(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
