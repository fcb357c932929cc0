"""A day of a unit's life in virtual time: passes with a ground station, long gaps without, captures and drives by schedule, resets.

Every few hours there is a pass: the ground retrieves what was recorded in the gap, brings products down, looks at the memory and
schedules what the unit does by itself until the next one: wake, take a picture, sleep again; drive a little; restart. The
watchdog's reset comes on top. In the gaps the unit is alone on its clock, its line goes nowhere. Judged at the end:

- every scheduled command has run (its own verification reports came, by way of the on-board store where nobody heard them),
- no event that the plan does not explain,
- free heap at the passes, and the least seen between them, do not fall over the day.

    python -m rovercam_hil.bench.soak [--hours 24] [--seed N] [--minutes M]   prints one line per pass; exit code 1 with faults

An hour of unit time costs about a minute of processor time. With ``--minutes`` the day ends at the first pass after so many minutes of
the wall clock, and is judged and reported as the hours it had.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards.base import BoardTimeout
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.devices.vehicle import FlatRover

HOUR = 3600.0
EXPLAINED = {"mode_changed", "time_set", "profile_changed", "transfer_finished", "station"}
"""Events of a day that goes as planned whose number the plan does not fix; "station": what the ground says of itself."""
COUNTED = {"started": "starts", "restarting": "restarts", "picture_taken": "pictures", "drive_ended": "drives"}
"""Events that the plan fixes the number of: at most so many may come (what nobody heard before the store recorded is lost), and
every picture must."""
FALL = 3000
"""Bytes by which free heap may differ between passes: what is loaded just then."""


@dataclass
class Pass:
    at: float
    heap_free: int
    heap_minimum: int
    heap_largest: int
    products: int
    boots: int


@dataclass
class Day:
    hours: float
    passes: list[Pass] = field(default_factory=list)
    scheduled: int = 0
    planned: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED.values(), 0))
    done: int = 0
    pictures: int = 0
    resets: int = 0
    events: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    wall: float = 0.0


class Soak:
    """``every``: hours between passes. Use ``run``."""

    def __init__(self, folder: Path, *, seed: int = 1, every: float = 4.0, native: bool = False) -> None:
        unit = make_unit(seed=seed, native=native)
        assert unit.rig is not None
        unit.rig.chassis.body = FlatRover(top_speed=0.4, lag=0.08)
        self.flight = Flight(folder, unit=unit)
        self.every = every
        self.rng = random.Random(f"{seed}/soak")
        self.waiting: dict[int, str] = {}
        self.watchdog_at: list[float] = []

    def run(self, hours: float, say: bool = False, minutes: float = math.inf) -> Day:
        """``minutes``: of the wall clock, after which the next pass is the last one."""
        day = Day(hours)
        began = time.perf_counter()
        flight = self.flight
        with flight:
            end = flight.session.now + hours * HOUR
            while flight.session.now < end - 60 and time.perf_counter() - began < minutes * 60:
                self._pass(day, min(end, flight.session.now + self.every * HOUR))
                if say:
                    print(
                        f"{day.passes[-1]}, {len(day.faults)} faults, {time.perf_counter() - began:.0f} s", flush=True
                    )
                self._gap(min(end, flight.session.now + self.every * HOUR))
            self._contact(day)
            day.hours = flight.session.elapsed / HOUR
            day.resets = flight.unit.board.resets
        self._judge(day)
        day.wall = time.perf_counter() - began
        return day

    def _pass(self, day: Day, until: float) -> None:
        """Contact; then the plan for the time until the next one."""
        self._contact(day)
        flight = self.flight
        now = flight.session.now
        at = now + 900
        while at < until - 1200:
            what = self.rng.choice(("picture", "picture", "drive", "restart", "watchdog"))
            self._schedule(at, "set_mode", {"mode": "normal"}, day)
            if what == "picture":
                day.planned["pictures"] += 1
                arguments = {"camera": "pattern", "size": "qqvga", "codec": "rate", "downlink": False}
                self._schedule(at + 5, "capture", arguments, day)
            elif what == "drive":
                day.planned["drives"] += 1
                self._schedule(at + 5, "turn", {"angle": self.rng.choice((-20, 20))}, day)
            elif what == "restart":
                day.planned["restarts"] += 1
                self._schedule(at + 5, "restart", {}, day)
            else:
                self.watchdog_at.append(at + 20)
            self._schedule(at + 60, "set_mode", {"mode": "sleep"}, day)
            at += self.rng.uniform(2000, 4000)
        flight.command("set_mode", mode="sleep")
        flight.run(1)

    def _schedule(self, at: float, name: str, arguments: dict[str, object], day: Day) -> None:
        flight = self.flight
        waiting, bringing = flight.station.schedule(1, int(at), name, arguments, flight.session.now)
        flight.until(lambda: flight.commands[bringing.id].ended, 60, f"scheduling of {name}")
        if flight.commands[bringing.id].state != "done":
            day.faults.append(f"{name} not scheduled: {flight.commands[bringing.id].reason}")
        self.waiting[waiting.id] = f"{name} at {at - flight.session.start:.0f} s"
        day.scheduled += 1

    def _contact(self, day: Day) -> None:
        """The ground comes back: wake the unit, take what it recorded and its products, look at its memory."""
        flight = self.flight
        first = flight.session.now
        self._do(day, "set_mode", mode="normal")
        self._do(day, "retrieve_store", timeout=600)
        self._do(day, "delete_store")
        known = len(day.passes)
        if known:
            listed = sorted(self._catalogue())
            for number in listed:
                self._do(day, "downlink_product", product=number, priority=1)
            deadline = flight.session.now + 600
            while any(state != "down" for state in self._catalogue().values()):
                if flight.session.now > deadline:
                    raise BoardTimeout(f"products {listed} are not down after 600 s")
                flight.run(5.0)
            for number in listed:
                self._do(day, "delete_product", product=number)
                day.pictures += 1
        flight.run(70.0)  # what the commands loaded is gone, and the heap has been looked at since
        health = flight.health()
        day.passes.append(
            Pass(
                at=first - flight.session.start,
                heap_free=health["heap_free"],
                heap_minimum=health["heap_minimum"],
                heap_largest=health["heap_largest"],
                products=health["products_stored"],
                boots=health["boot_count"],
            )
        )

    def _do(self, day: Day, name: str, timeout: float = 120, **arguments: Any) -> None:
        ended = self.flight.command(name, timeout=timeout, **arguments)
        if ended.state != "done":
            day.faults.append(f"{name}: {ended.state} {ended.reason}")

    def _catalogue(self) -> dict[int, str]:
        """The products on board and their states."""
        flight = self.flight
        seen = len(flight.answers)
        flight.command("list_products")

        def parts() -> list[Any]:
            return [a.values for a in flight.answers[seen:] if a.name == "product_list"]

        flight.until(lambda: any(p["last"] for p in parts()), 20, "the catalogue")
        return {item["product"]: item["state"] for part in parts() for item in part["items"]}

    def _gap(self, until: float) -> None:
        """Nobody listens: the board runs alone in long slices; what it sends is lost."""
        session, board = self.flight.session, self.flight.unit.board
        while session.now < until:
            resets = [t for t in self.watchdog_at if t > session.now]
            step = min([until, *resets]) - session.now
            board.run(min(step, 60.0))
            board.read()
            session.elapsed = board.time
            if resets and session.now >= resets[0] - 0.1:
                board.reset(watchdog=True)
                self.watchdog_at.remove(resets[0])

    def _judge(self, day: Day) -> None:
        for event in self.flight.events:
            day.events[event.name] = day.events.get(event.name, 0) + 1
            if event.name not in EXPLAINED and event.name not in COUNTED:
                day.faults.append(f"event {event.name}: {event.text}")
        day.planned["starts"] = 1 + day.resets
        for name, what in COUNTED.items():
            if day.events.get(name, 0) > day.planned[what]:
                day.faults.append(f"{day.events[name]} times {name}, {day.planned[what]} {what} were planned")
        if day.pictures != day.planned["pictures"]:
            day.faults.append(f"{day.pictures} pictures came down, {day.planned['pictures']} were planned")
        for number, what in self.waiting.items():
            state = self.flight.commands[number].state
            if state == "done":
                day.done += 1
            else:
                day.faults.append(f"{what}: {state} {self.flight.commands[number].reason}")
        settled = day.passes[1:]  # before the first plan nothing had been loaded yet
        for name in ("heap_free", "heap_minimum"):
            values = [getattr(p, name) for p in settled]
            half = len(values) // 2
            if half and min(values[half:]) < min(values[:half]) - FALL:
                day.faults.append(f"{name} falls: {values}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--every", type=float, default=4.0, help="hours between passes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--native",
        action="store_true",
        help="not on the emulated Pico but natively: some thirty times as fast, and memory is not the Pico's",
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="end at a pass after so many minutes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), seed=arguments.seed, every=arguments.every, native=arguments.native)
        day = soak.run(arguments.hours, say=True, minutes=arguments.minutes)
    print(
        f"{day.hours:.1f} h of unit time in {day.wall:.0f} s: {len(day.passes)} passes, {day.resets} resets, {day.pictures} pictures down"
    )
    print(f"scheduled commands: {day.scheduled}, run: {day.done}; events: {day.events}")
    print("\n".join(day.faults) or "no faults")
    sys.exit(1 if day.faults else 0)


if __name__ == "__main__":
    main()
