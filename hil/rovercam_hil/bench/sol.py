"""How fast the emulation runs a unit by itself: awake, and asleep with housekeeping every minute; what a sol takes at that pace.

    rovercam bench sol

The pace is that of a stretch of virtual time, in processor seconds of this process, so that other programs on the machine
count less; a whole sol is not run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rovercam.marstime import SOL

from rovercam_hil.bench.flight import Flight

AIM = {"awake": 240.0, "asleep": 60.0}
"""Seconds that a sol may take."""
SLICE = 0.5
"""Seconds between two looks of the station while nothing is commanded."""


@dataclass(frozen=True)
class Pace:
    state: str
    virtual: float
    """Seconds of the unit's time."""
    spent: float
    """Processor seconds."""

    @property
    def faster(self) -> float:
        """Times as fast as real time."""
        return self.virtual / self.spent

    @property
    def sol(self) -> float:
        """Processor seconds of a sol at this pace."""
        return SOL / self.faster


def measure(awake: float = 120.0, asleep: float = 1800.0, image: Path | None = None) -> list[Pace]:
    """Paces over so many seconds of virtual time."""
    with tempfile.TemporaryDirectory() as folder, Flight(Path(folder), image=image) as flight:
        flight.run(10.0)
        flight.session.slice_s = SLICE
        found = [_pace("awake", awake, lambda: flight.session.run(awake))]
        flight.session.slice_s = 0.02
        flight.command("set_mode", mode="sleep")
        flight.session.slice_s = SLICE
        flight.session.run(120.0)
        reports = flight.reports
        found.append(_pace("asleep", asleep, lambda: flight.session.run(asleep)))
        if flight.reports - reports < asleep / 60 - 1:
            raise RuntimeError(
                f"{flight.reports - reports} reports in {asleep:.0f} s of sleep: not the state to be measured"
            )
    return found


def _pace(state: str, virtual: float, run: Callable[[], None]) -> Pace:
    start = time.process_time()
    run()
    return Pace(state, virtual, time.process_time() - start)
