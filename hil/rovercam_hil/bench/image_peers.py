"""Other codecs for `rovercam bench image`, through imagecodecs where it is installed, each brought to the same size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MARKS = {"JPEG": "JPEG8", "JPEG 2000": "JPEG2K", "JPEG XL": "JPEGXL", "JPEG-LS": "JPEGLS", "PNG": "PNG"}


@dataclass(frozen=True)
class Lossy:
    """encode(picture, bytes at most) -> stream; decode(stream) -> picture, raises on damage it cannot bear."""

    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes], np.ndarray]


@dataclass(frozen=True)
class Lossless:
    encode: Callable[[np.ndarray], bytes]
    decode: Callable[[bytes], np.ndarray]


def _codecs() -> Any:
    try:
        import imagecodecs
    except ImportError:
        return None
    return imagecodecs


def _there(codecs: Any, name: str) -> bool:
    return bool(getattr(getattr(codecs, MARKS[name], None), "available", False))


def largest(make: Callable[[float], bytes], low: float, high: float, target: float, steps: int = 12) -> bytes:
    """The largest of make(q), low <= q <= high, that has at most `target` bytes (else make(low)); sizes grow with q."""
    best = make(low)
    for _ in range(steps):
        middle = (low + high) / 2
        data = make(middle)
        if len(data) <= target:
            low, best = middle, data
        else:
            high = middle
    return best


def lossy() -> dict[str, Lossy]:
    """JPEG with optimised tables, JPEG 2000 with the 9/7 wavelet, JPEG XL at effort 7: those that are installed."""
    ic = _codecs()
    if ic is None:
        return {}

    def jpeg(p: np.ndarray, size: float) -> bytes:
        return largest(lambda q: bytes(ic.jpeg8_encode(p, level=round(q), optimize=True)), 1, 100, size)

    def jpeg2000(p: np.ndarray, size: float) -> bytes:
        return largest(lambda q: bytes(ic.jpeg2k_encode(p, level=q, reversible=False)), 20, 60, size)

    def jpegxl(p: np.ndarray, size: float) -> bytes:
        return largest(lambda q: bytes(ic.jpegxl_encode(p, distance=25 - q, effort=7)), 0.5, 24.9, size)

    every = {
        "JPEG": Lossy(jpeg, ic.jpeg8_decode),
        "JPEG 2000": Lossy(jpeg2000, ic.jpeg2k_decode),
        "JPEG XL": Lossy(jpegxl, ic.jpegxl_decode),
    }
    return {name: codec for name, codec in every.items() if _there(ic, name)}


def lossless() -> dict[str, Lossless]:
    """PNG at level 9, JPEG-LS, JPEG 2000 with the 5/3 wavelet, JPEG XL at effort 7: those that are installed."""
    ic = _codecs()
    if ic is None:
        return {}
    every = {
        "PNG": Lossless(lambda p: bytes(ic.png_encode(p, level=9)), ic.png_decode),
        "JPEG-LS": Lossless(lambda p: bytes(ic.jpegls_encode(p)), ic.jpegls_decode),
        "JPEG 2000": Lossless(lambda p: bytes(ic.jpeg2k_encode(p, level=0, reversible=True)), ic.jpeg2k_decode),
        "JPEG XL": Lossless(lambda p: bytes(ic.jpegxl_encode(p, lossless=True, effort=7)), ic.jpegxl_decode),
    }
    return {name: codec for name, codec in every.items() if _there(ic, name)}


def with_losses(codec: Lossy, stream: bytes, share: float, packet: int, seed: int, like: np.ndarray) -> np.ndarray:
    """What the decoder makes of the stream with packets of it zeroed (the first, with its headers, excepted).

    A decoder that gives up is taken to show mid-grey.
    """
    rng = np.random.default_rng(seed)
    data = bytearray(stream)
    for k in range(1, math.ceil(len(data) / packet)):
        if rng.random() < share:
            part = data[k * packet : (k + 1) * packet]
            data[k * packet : k * packet + len(part)] = bytes(len(part))
    try:
        got = codec.decode(bytes(data))
    except Exception:  # each of imagecodecs' codecs has an exception of its own
        got = None
    if got is None or got.shape != like.shape:
        return np.full_like(like, 128)
    return got
