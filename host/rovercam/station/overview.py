"""What the station knows of a unit's link, for panels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rovercam.station.links import PortLink, UnitLink
from rovercam.station.relayed import RadioPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """heard: POSIX seconds; frames, lost, duplicates: frames; corrected: symbols; discarded: bytes."""

    unit: int
    port: str
    heard: float
    frames: int
    lost: int
    corrected: int
    duplicates: int
    profile: str
    discarded: int
    uplink: Mapping[str, Any]
    insecure: bool


def overview(unit: UnitLink, port: PortLink | RadioPort) -> Overview:
    """Of a unit that was heard on this port."""
    assert unit.port is not None
    return Overview(
        unit=unit.number,
        port=unit.port,
        heard=unit.heard,
        frames=unit.frames,
        lost=unit.lost,
        corrected=unit.corrected,
        duplicates=unit.duplicates,
        profile=unit.profile_text,
        discarded=port.bad if isinstance(port, RadioPort) else port.discarded,
        uplink=unit.uplink_state(),
        insecure=unit.insecure,
    )
