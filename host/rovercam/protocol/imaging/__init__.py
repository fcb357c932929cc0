"""Picture decoding: CCSDS 122 streams (c122), and the slots of the firmware's layers (progressive). Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .errors import ImageError
from .progressive import Progressive
from .rebuild import BASE, EXACT, FROM_THUMBNAIL, NOTHING, REFINED
from .slots import SLOT, split

__all__ = [
    "BASE",
    "EXACT",
    "FROM_THUMBNAIL",
    "NOTHING",
    "REFINED",
    "SLOT",
    "ImageError",
    "Picture",
    "Progressive",
    "decode_slots",
    "split",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """array (H, W) or (H, W, 3); confidence (H, W), see progressive; psnr_estimate in dB; complete: lossless everywhere."""

    array: np.ndarray
    confidence: np.ndarray
    psnr_estimate: float
    complete: bool


def decode_slots(slots: Iterable[bytes], *, width: int = 0, height: int = 0, depth: int = 0) -> Picture:
    """The picture from any slots of any of its layers, in any order. Never raises on bad bytes."""
    p = Progressive(width, height, depth)
    for slot in slots:
        p.add(-1, slot)
    return Picture(array=p.picture(), confidence=p.confidence(), psnr_estimate=p.quality, complete=p.complete)
