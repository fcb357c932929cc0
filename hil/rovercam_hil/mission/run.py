"""One whole mission: flown, asserted, written to a folder."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from rovercam.line.recording import FROM_UNIT, Recorder

from rovercam_hil.mission import cue, publish, report
from rovercam_hil.mission.checks import Checks, MissionFailed
from rovercam_hil.mission.flight import REMOTE, ROVER, Flight
from rovercam_hil.mission.hops import ROUTE, Hops, relay
from rovercam_hil.mission.orbit import FromOrbit, from_orbit
from rovercam_hil.mission.steps import ROLL_OFF, Mission
from rovercam_hil.relay.contacts import load
from rovercam_hil.world import framing
from rovercam_hil.world.world import World

BEFORE = 600.0
"""Seconds before the published roll-off at which the unit is woken."""


@dataclass
class Outcome:
    """What a mission leaves; ``digest`` is the SHA-256 of all bytes the unit sent."""

    out: Path
    seed: int
    mission: Mission
    flight: Flight
    checks: Checks
    digest: str
    downlink: int
    released: list[publish.Released]
    orbit: FromOrbit
    cue: cue.Cue
    hops: Hops
    telemetry: dict[str, tuple[list[float], list[float], str]]
    events: list[dict]


def fly(out: Path, seed: int = 1, image: Path | None = None, say: Callable[[str], None] = print, *, motion_frames: int = 4,
        panorama_size: str = "qvga", key_size: str = "vga", sols: int = 3, pace: float = 0.0, all_wheels: bool = False,
        distance: float = 10.0, contacts: Path | None = None, native: bool = False) -> Outcome | None:  # fmt: skip
    """Raises MissionFailed when an assertion did not hold (the report is written all the same, if it came that far),
    FramingError and PlanError before anything starts, BoardError when the unit does not answer.

    sols: 1 ends after the roll-off, 2 after the portraits, both without a report (None is returned). pace: virtual seconds
    per second, 0 = as fast as it goes. distance: wanted metres of the release point. contacts: see relay.contacts.load. native: see
    Flight.
    """
    passes = None if contacts is None else load(contacts, set(ROUTE))
    checks = Checks()
    say(f"building the landing site, seed {seed}")
    world = World(seed)
    plan = framing.plan(world, distance=distance)
    out.mkdir(parents=True, exist_ok=True)
    with Flight(out, world, seed, ROLL_OFF - BEFORE, image, say, pace, native) as flight:
        mission = Mission(
            flight,
            checks,
            plan,
            motion_frames=motion_frames,
            panorama_size=panorama_size,
            key_size=key_size,
            all_wheels=all_wheels,
        )
        mission.run(sols)
        if sols < 3:
            _in_short(flight, mission, checks, out)
            return None
        flight.station.commit(flight.now)
        telemetry = _telemetry(flight, out)
        events = sorted(
            (e for n in (ROVER, REMOTE) for e in flight.archive.events(0, 1e11, unit=n, limit=1000)),
            key=lambda e: e["time"],
        )
        portrait = next(s for s in flight.shots if s.name == "group portrait, from the front")
        layers = flight.archive.layers(portrait.product)
        say("the site from orbit")
        views = from_orbit(mission, checks)
        data = b"".join(flight.archive.assemble(la["transfer"]) for la in layers if la["layer"] == 0)
    digest, size = _recording(flight, out)
    hops = relay(data, portrait.taken, portrait.down, seed, checks, passes)
    publish.others(flight, out)
    publish.orbit(views, out)
    found = _search(mission, telemetry, checks)
    cue.publish(found, out)
    released = publish.four(mission, out)
    checks.that(
        "four pictures are released",
        len(released) == 4 and all((out / r.file).stat().st_size > 1000 for r in released),
        len(released),
    )
    outcome = Outcome(out, seed, mission, flight, checks, digest, size, released, views, found, hops, telemetry, events)
    publish.motion(mission, out)
    (out / "report.html").write_text(report.page(outcome), encoding="utf-8")
    say(f"downlink: {size} bytes, SHA-256 {digest}")
    say(f"{len(checks.made) - len(checks.failed)} of {len(checks.made)} assertions held")
    checks.end()
    return outcome


def _search(mission: Mission, telemetry: dict[str, tuple[list[float], list[float], str]], checks: Checks) -> cue.Cue:
    """For water and ice under the way south, with the air as the unit felt it last."""
    places = [mission.places[name] for name in ("portrait", "6 June", "11 June")]
    way = sum(math.dist(a, b) for a, b in pairwise(places))
    celsius, humidity = (telemetry[name][1][-1] for name in ("air_temperature", "air_humidity"))
    return cue.search(way, mission.world.seed, celsius, humidity, checks)


def _in_short(flight: Flight, mission: Mission, checks: Checks, out: Path) -> None:
    """What there is of a mission that ends early."""
    flight.station.commit(flight.now)
    _telemetry(flight, out)
    publish.others(flight, out)
    if mission.motion:
        publish.motion(mission, out)
    flight.say(
        f"{len(checks.made) - len(checks.failed)} of {len(checks.made)} assertions held; pictures in {out / 'pictures'}"
    )
    checks.end()


def _recording(flight: Flight, out: Path) -> tuple[str, int]:
    """Writes downlink.rec; (SHA-256, count) of the bytes themselves, times apart."""
    path = out / "downlink.rec"
    path.unlink(missing_ok=True)
    digest, size = hashlib.sha256(), 0
    with Recorder(path) as recorder:
        for time, data in flight.recording:
            recorder.add(FROM_UNIT, data, time)
            digest.update(data)
            size += len(data)
    return digest.hexdigest(), size


def _telemetry(flight: Flight, out: Path) -> dict[str, tuple[list[float], list[float], str]]:
    """Writes telemetry.csv; parameter → (POSIX seconds, values, unit), samples from before the clock was set left out."""
    series = {}
    with (out / "telemetry.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("utc", "parameter", "value", "unit"))
        for name in flight.archive.parameter_names(flight.unit.number):
            found = flight.archive.history(flight.unit.number, name, flight.start - 1, 1e11)
            pairs = list(zip(found.times.tolist(), found.values.tolist(), strict=True))
            for t, v in pairs:
                writer.writerow(
                    (datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds"), name, v, found.engineering_unit)
                )
            if pairs:
                series[name] = ([t for t, _ in pairs], [float(v) for _, v in pairs], found.engineering_unit)
    if not series:
        raise MissionFailed("no telemetry came down")
    return series
