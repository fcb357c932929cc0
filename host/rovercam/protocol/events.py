"""What the link tells its user. Values are frozen; times are the caller's seconds. Of frames and packets there are many: named tuples are made quicker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class FrameReceived(NamedTuple):
    """One transfer frame, its FECF right. ``corrected`` bytes were wrong in its codeblock, ``marker_errors`` bits in its marker."""

    scid: int
    vcid: int
    frame: bytes
    mc_count: int
    vc_count: int
    ocf: int | None
    profile: int
    corrected: int
    marker_errors: int
    lost: int  # frames missing before this one, by the master channel count
    slip: int  # bytes that had to be put in (-) or taken out (+)
    now: float

    @property
    def unit(self) -> int:
        """Unit id: spacecraft id 0x100 + n."""
        return self.scid & 0xFF


class PacketReceived(NamedTuple):
    scid: int
    vcid: int
    apid: int
    packet: bytes
    now: float

    @property
    def unit(self) -> int:
        return self.scid & 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """``count`` bytes belong to no frame. reason: "noise", "uncorrectable", "slip", "foreign", "end"."""

    count: int
    reason: str
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDetected:
    number: int
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """Bytes lost (-) or added (+) on the line inside a frame; ``repaired``: the frame was saved."""

    count: int
    repaired: bool
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """Bytes of a frame that could not be taken, randomiser undone, right and wrong ones alike; said before the next good frame.

    tail: counted from the end of the frame; otherwise ``data`` begins with the frame.
    """

    data: bytes
    tail: bool
    now: float


Event = FrameReceived | PacketReceived | Discarded | ProfileDetected | Slip | Fragment
