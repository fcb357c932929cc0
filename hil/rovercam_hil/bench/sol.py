"""How much faster than real time a unit runs, awake and asleep with housekeeping every minute; what a sol takes at that pace.

    rovercam bench sol            stretches of virtual time, natively and on the emulated Pico
    rovercam bench sol --whole    whole sols, natively, with two passes of an orbiter each

A whole sol is one of a rover out of contact but for its passes: the line is open, to the byte, while the contact plan
says so; the unit records its reports meanwhile, and the ground retrieves them in the passes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rovercam.marstime import SOL, ZHURONG

from rovercam_hil.bench.flight import Flight
from rovercam_hil.mission.remote import Gate
from rovercam_hil.relay.contacts import Plan, daily

AIM = {"awake": 240.0, "asleep": 60.0}
"""Seconds of the wall clock that a sol may take."""
BOARDS = ("native", "pico")
SLICE = 0.5
"""Seconds between two looks of the station while nothing is commanded."""
PASSES = (4.0, 16.0)
"""Hours of local mean solar time at the middle of the passes."""
STORE = {"store_size": 320, "store_after": 60}
"""Parameters of the unit's store: KiB that hold what a sleeping unit reports between two passes, and seconds after which it records."""


@dataclass(frozen=True)
class Pace:
    board: str
    state: str
    virtual: float
    """Seconds of the unit's time."""
    spent: float
    """Seconds of the wall clock."""

    @property
    def faster(self) -> float:
        """Times as fast as real time."""
        return self.virtual / self.spent

    @property
    def sol(self) -> float:
        """Seconds of the wall clock that a sol takes at this pace."""
        return SOL / self.faster


def measure(
    awake: float = 120.0, asleep: float = 1800.0, image: Path | None = None, boards: Sequence[str] = BOARDS
) -> list[Pace]:
    """Paces over so many seconds of virtual time; ten times as many natively."""
    found = []
    for board in boards:
        times = 10 if board == "native" else 1
        with (
            tempfile.TemporaryDirectory() as folder,
            Flight(Path(folder), image=image, native=board == "native") as flight,
        ):
            flight.run(10.0)
            flight.session.slice_s = SLICE
            found.append(_pace(board, "awake", awake * times, flight.session.run))
            _to_sleep(flight)
            flight.session.run(120.0)
            reports = flight.reports
            found.append(_pace(board, "asleep", asleep * times, flight.session.run))
            if flight.reports - reports < asleep * times / 60 - 1:
                raise RuntimeError(
                    f"{flight.reports - reports} reports in {asleep * times:.0f} s of sleep: not the state to be measured"
                )
    return found


def _to_sleep(flight: Flight) -> None:
    flight.session.slice_s = 0.02
    flight.command("set_mode", mode="sleep")
    flight.session.slice_s = SLICE


def _pace(board: str, state: str, virtual: float, run: Callable[[float], None]) -> Pace:
    start = time.perf_counter()
    run(virtual)
    return Pace(board, state, virtual, time.perf_counter() - start)


@dataclass(frozen=True)
class Whole:
    """A sol as it was. Bytes: ``sent`` by the unit on its line, of them ``heard`` in the passes; the others went to nobody."""

    state: str
    virtual: float
    spent: float
    sent: int
    heard: int
    unheard: int
    contact: float
    """Seconds of contact."""
    minutes: int
    """Minutes of the sol up to the last pass of which the ground has housekeeping in the end."""
    of_minutes: int


def whole(state: str) -> Whole:
    """A sol in "awake" or "asleep", from midnight to midnight, on a native board."""
    with tempfile.TemporaryDirectory() as folder:
        down, up = (Gate(lambda: flight.session.start) for _ in range(2))
        flight = Flight(Path(folder), native=True, down=down, up=up)
        session = flight.session
        session.start = ZHURONG.time_of(30, 0.0) - 60.0
        session.record = True
        with flight:
            for name, value in STORE.items():
                flight.command("set_parameter", parameter=name, value=value)
            if state == "asleep":
                _to_sleep(flight)
            session.run(60.0 - session.elapsed)
            plan = Plan([c for h in PASSES for c in daily("rover", "orbiter", "uhf", ZHURONG, 30, 30, h)])
            down.plan = up.plan = plan
            port = flight.unit.board.port
            sent, first = port.sent, sum(len(data) for _, data in session.links[0].recording)
            began, midnight = time.perf_counter(), session.now
            for contact in plan.contacts:
                session.slice_s = SLICE
                session.run(contact.start - session.now)
                session.slice_s = 0.1
                flight.send("retrieve_store")
                session.run(contact.end - session.now)
            session.slice_s = SLICE
            session.run(midnight + SOL - session.now)
            spent = time.perf_counter() - began
            heard = sum(len(data) for _, data in session.links[0].recording) - first
            times = flight.archive.history(flight.unit.number, "uptime", midnight, plan.contacts[-1].start).times
            return Whole(
                state=state,
                virtual=session.now - midnight,
                spent=spent,
                sent=port.sent - sent,
                heard=heard,
                unheard=down.lost,
                contact=sum(c.end - c.start for c in plan.contacts),
                minutes=len({int((t - midnight) // 60) for t in times}),
                of_minutes=int((plan.contacts[-1].start - midnight) // 60),
            )
