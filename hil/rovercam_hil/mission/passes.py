"""A picture over two passes: the line between rover and station is open only while the contact plan says so.

The released camera goes on sending when the pass is over; the rover keeps what it hears and hands it on in the next one.
"Where is my picture now?" is asked of the emulated flashes and of the station's archive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rovercam.station.updates import PictureChanged

from rovercam_hil.mission.checks import Checks
from rovercam_hil.mission.flight import REMOTE, Flight, Shot
from rovercam_hil.mission.remote import in_rover_store
from rovercam_hil.relay.contacts import Contact, Plan

FIRST, BETWEEN, SECOND = 9.0, 18.0, 150.0
"""Seconds of the two passes and of the silence between them: a real day's, shortened."""
FIRST_NATIVE = 6.0
"""The first pass of a native unit, which computes in no time: its picture comes sooner."""
SILENT_AFTER = 10
"""Seconds after which the rover takes the ground for gone (parameter store_after)."""


@dataclass(frozen=True)
class Passes:
    plan: Plan
    custody: list[tuple[float, str]]
    """(POSIX seconds, where the picture was)."""
    kept: int
    """Most bytes of frames that the rover's store held."""
    unheard: int
    """Bytes sent on the line outside of the passes."""
    shot: Shot


def in_two_passes(flight: Flight, checks: Checks, shoot: Callable[[], Shot]) -> Passes:
    """``shoot`` commands a picture of unit 2 and waits for it."""
    parameter = flight.station.dictionary.parameters["store_after"]
    flight.command("set_parameter", parameter=parameter.id, value=SILENT_AFTER)
    start = flight.now
    first = FIRST_NATIVE if flight.native else FIRST
    bounds = ((start, start + first), (start + first + BETWEEN, start + first + BETWEEN + SECOND))
    plan = Plan([Contact(source="rover", target="ground", start=a, end=b, rate=8.0e4) for a, b in bounds])
    for gate in flight.gates:
        gate.plan, gate.lost = plan, 0
    custody: list[tuple[float, str]] = []
    kept = 0

    def look(now: float) -> None:
        nonlocal kept
        if custody and now - custody[-1][0] < 4.0:
            return
        store = in_rover_store(flight.unit)
        kept = max(kept, store)
        found = [u for u in flight.heard if isinstance(u, PictureChanged) and u.unit == REMOTE]
        ground = found[-1].received if found else 0
        contact = "contact" if flight.gates[0].open(now - flight.session.start) else "no contact"
        custody.append(
            (now, f"{contact}: {store} bytes of frames kept by the rover, {ground} bytes of the picture on the ground")
        )

    flight.session.on_slice.append(look)
    try:
        shot = shoot()
    finally:
        flight.session.on_slice.remove(look)
        for gate in flight.gates:
            gate.plan = None
    custody.append((shot.down, f"contact: the picture is whole on the ground, {shot.size} bytes"))
    checks.that(
        "out of contact, the rover keeps what the released camera sends", kept > 0, f"up to {kept} bytes of frames"
    )
    checks.that(
        "the picture came in two passes", shot.down > bounds[1][0], f"{shot.down - start:.0f} s after the first began"
    )
    lost = sum(g.lost for g in flight.gates)
    checks.that("the line was really shut between the passes", lost > 0, f"{lost} bytes were sent to nobody")
    flight.command("set_parameter", parameter=parameter.id, value=int(parameter.default or 300))
    return Passes(plan, custody, kept, lost, shot)
