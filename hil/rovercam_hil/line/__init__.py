"""The seeded serial-line emulator: what a real line does to bytes, exact and repeatable."""

from rovercam_hil.line.impairment import Counters, Impairment
from rovercam_hil.line.link import Link
from rovercam_hil.line.spec import DirectionSpec, LineSpec, LineSpecError

__all__ = ["Counters", "DirectionSpec", "Impairment", "LineSpec", "LineSpecError", "Link"]
