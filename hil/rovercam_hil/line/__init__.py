"""The seeded serial-line emulator: what a real line does to bytes, exact and repeatable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rovercam_hil.line.spec import DirectionSpec, LineSpec, LineSpecError

if TYPE_CHECKING:
    from rovercam_hil.line.impairment import Counters, Impairment
    from rovercam_hil.line.link import Channel, Link

__all__ = ["Channel", "Counters", "DirectionSpec", "Impairment", "LineSpec", "LineSpecError", "Link"]


def __getattr__(name: str) -> Any:
    """The parts that need NumPy are loaded when asked for: `rovercam --help` needs only the description of a line."""
    if name in ("Counters", "Impairment"):
        from rovercam_hil.line import impairment

        return getattr(impairment, name)
    if name in ("Channel", "Link"):
        from rovercam_hil.line import link

        return getattr(link, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
