"""A product's layers, as far as they are there, to pixels and a map of what is certain."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rovercam.archive import Archive
from rovercam.station.products import ENTRY

REFINED, EXACT = 3, 4


class NoPicture(ValueError):
    """Nothing of the picture can be shown yet, or the product is none; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """pixels: (height, width) or (height, width, 3), uint8 or uint16. confidence: (height, width) uint8, what a pixel is
    worth: 0 nothing, 1 thumbnail, 2 base quality, 3 refined, 4 exact (rovercam.protocol.imaging.rebuild)."""

    pixels: NDArray[Any]
    confidence: NDArray[np.uint8]
    complete: bool
    """Every layer is there."""
    fields: Mapping[str, Any]
    """The catalogue entry."""

    def png(self) -> bytes:
        """As a PNG file, 16-bit where the picture is."""
        return encode_png(self.pixels)


def encode_png(pixels: NDArray[Any]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        raise ValueError("PNG with 16 bits per colour is written by the release tools")
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def render(archive: Archive, product: int) -> Rendered:
    """The picture as it stands. Raises NoPicture."""
    fields = archive.product_fields(product)
    layers = {la["layer"]: la for la in archive.layers(product) if la["layer"] != ENTRY}
    if not fields:
        raise NoPicture("its catalogue entry has not come yet")
    if fields["kind"] != "picture":
        raise NoPicture(f"it is a {fields['kind']}, not a picture")
    if not layers:
        raise NoPicture("none of its layers has come yet")
    complete = all(k in layers and layers[k]["status"] == "finished" for k in range(fields["layers"]))
    if fields["format"] == "jpeg":
        last = fields["layers"] - 1  # before it the thumbnail
        if last and not (last in layers and layers[last]["status"] == "finished"):
            return _segments(archive, product, {k: v for k, v in layers.items() if k < last}, fields, complete)
        return _jpeg(archive, layers[last], fields, complete)
    if fields["codec"] == "raw":
        return _raw(archive, layers[0], fields, complete)
    return _segments(archive, product, layers, fields, complete)


def _raw(archive: Archive, layer: Mapping[str, Any], fields: Mapping[str, Any], complete: bool) -> Rendered:
    """Codec id 0: rows of pixels, 8 bits, or 16 bits little-endian."""
    depth = np.dtype("<u2") if fields["depth"] > 8 else np.dtype("u1")
    shape = (fields["height"], fields["width"], *((3,) if fields["format"] == "color" else ()))
    size = int(np.prod(shape)) * depth.itemsize
    data, known = bytearray(size), np.zeros(size, np.uint8)
    for offset, piece in archive.pieces(layer["transfer"]):
        end = min(size, offset + len(piece))
        data[offset:end] = piece[: end - offset]
        known[offset:end] = EXACT
    pixels = np.frombuffer(bytes(data), depth).reshape(shape).astype(depth.newbyteorder("="))
    known = known.reshape(shape[0], shape[1], -1).min(axis=2)
    return Rendered(pixels=pixels, confidence=known, complete=complete, fields=fields)


def _jpeg(archive: Archive, layer: Mapping[str, Any], fields: Mapping[str, Any], complete: bool) -> Rendered:
    """The camera's own JPEG: all or as much from the top as its decoder takes."""
    from PIL import Image, ImageFile

    data = archive.assemble(layer["transfer"])
    old, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        pixels = np.asarray(Image.open(io.BytesIO(data)))
    except (OSError, ValueError) as error:
        raise NoPicture(f"too little of the JPEG has come: {error}") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = old
    confidence = np.full(pixels.shape[:2], EXACT if complete else REFINED, np.uint8)
    return Rendered(pixels=pixels, confidence=confidence, complete=complete, fields=fields)


def _segments(
    archive: Archive, product: int, layers: Mapping[int, Any], fields: Mapping[str, Any], complete: bool
) -> Rendered:
    """Slots of the progressive codec: any of them, of any layer."""
    from rovercam.protocol.imaging import Progressive, split

    picture = Progressive(fields["width"], fields["height"], fields["depth"])
    for layer, slot in archive.slots(product, split):
        if layer in layers:
            picture.add(-1, slot)  # a file's number is its place in the order of sending; its slots know their layer
    if not picture.accepted:
        raise NoPicture("no whole slot of it has come yet")
    return Rendered(pixels=picture.picture(), confidence=picture.confidence(), complete=complete, fields=fields)
