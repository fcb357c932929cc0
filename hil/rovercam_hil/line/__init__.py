"""The seeded serial-line emulator: what a real line does to bytes, exact and repeatable."""

from rovercam_hil.line.impairment import Counters, Impairment
from rovercam_hil.line.link import Channel, Link
from rovercam_hil.line.spec import DirectionSpec, LineSpec, LineSpecError

__all__ = ["Channel", "Counters", "DirectionSpec", "Impairment", "LineSpec", "LineSpecError", "Link"]
