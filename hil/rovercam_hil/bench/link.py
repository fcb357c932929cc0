"""`rovercam bench link`: a file from the emulated Pico to the archive over impaired lines, on virtual time.

Goodput = (file bytes + telemetry bytes received meanwhile) x 10 / (baud x seconds), in percent of the raw 8N1 line. The clock runs from
the first byte of the first frame with a file packet, where it leaves the unit, to the file bit-exact in the archive. Before, the link
was up for 10 s and the station chose the profile from what it measured. Everything follows from the seed.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from rovercam.archive import Archive
from rovercam.dictionary import encode_command, find
from rovercam.keys import KeyStore
from rovercam.protocol import pus
from rovercam.protocol.downlink import Receiver
from rovercam.protocol.events import Discarded, FrameReceived, PacketReceived
from rovercam.protocol.profiles import TABLE
from rovercam.station import updates
from rovercam.station.core import Station

from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.line import LineSpec, Link

UP = 10.0  # seconds the link is up before the transfer is asked for
LIMIT = 90.0  # seconds at 115200 baud after which a transfer counts as not delivered
_CUT = 12.5  # one-way columns: the uplink ends here …
_RELEASE = 14  # … and the scheduled transfer begins here
FILE = "/file.bin"


@dataclass(frozen=True, slots=True)
class Column:
    """spec: of the line; aim: percent at 115200 baud; repair: percent of repair packets, class 1."""

    name: str
    spec: str
    aim: float | None
    oneway: bool = False
    repair: int = 0
    least: int = 1  # runs that its figure needs, if nothing else is said

    def runs(self, asked: int | None, usual: int) -> int:
        return asked if asked is not None else max(usual, self.least)


_BURST = "burst=0.01,burst_len=50"
COLUMNS = {
    c.name: c
    for c in (
        Column("clean", "", 97.8),
        Column("1e-5", "ber=1e-5", 96.8),
        Column("1e-4", "ber=1e-4", 95.0),
        Column("3e-4", "ber=3e-4", 93.5),
        Column("1e-3", "ber=1e-3", 90.0),
        Column("burst", _BURST, 95.5, least=10),
        Column("drop", "drop=1e-4", 95.0),
        Column("0.25s", "delay=0.25", 93.5),
        Column("2s", "delay=2", 72.5),
        Column("one-way", "", 97.5, True, 0),
        Column("one-way-1e-4", "ber=1e-4", 94.5, True, 20),
        Column("outage", "outage=12-15", 64.0),
        Column("mix", f"ber=1e-4,{_BURST},drop=1e-5,delay=0.25", 88.0),
    )
}
SHORT = ("clean", "1e-4", "burst")  # also at 9600 and 921600


@dataclass
class Result:
    """One run. goodput None: not delivered intact in time."""

    column: str
    seed: int
    baud: int
    goodput: float | None
    seconds: float
    telemetry: int = 0  # bytes of telemetry packets received meanwhile
    profiles: list[int] = field(default_factory=list)  # of the frames with file packets, in order of appearance
    frames: int = 0
    line_bytes: int = 0  # that left the unit meanwhile
    idle: float = 0.0  # seconds the unit's line was silent before the last byte of the transfer
    gaps: list[tuple[float, float]] = field(
        default_factory=list
    )  # (seconds into the transfer, length) of silences over 2 ms
    lost: int = 0  # frames missing at the ground
    resent: int = 0
    wall: float = 0.0


@dataclass
class _Tap:
    """What leaves the unit, with times, before the line does anything to it."""

    inner: Any
    on: bool = False
    data: bytearray = field(default_factory=bytearray)
    times: list[float] = field(default_factory=list)

    def push(self, data: bytes, times: list[float]) -> None:
        if self.on:
            self.data += data
            self.times += times
        self.inner.push(data, times)

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        found: tuple[bytes, list[float]] = self.inner.pull(until)
        return found


@dataclass
class _Sent:
    start: float
    profiles: list[int]
    frames: int


def _first_byte(tap: _Tap, apids: set[int], byte: float) -> _Sent | None:
    """When the first frame with a file packet began to leave the unit."""
    receiver = Receiver()
    at = 0
    begins: float | None = None
    frame_at = frame_end = 0
    profiles: list[int] = []
    frames = 0
    number = 0
    for event in [*receiver.feed(bytes(tap.data), 0.0), *receiver.flush(0.0)]:
        if isinstance(event, FrameReceived):
            frame_at, frame_end = at, at + TABLE[event.profile].line_length
            at, number = frame_end, event.profile
        elif isinstance(event, Discarded):
            at += event.count
        elif isinstance(event, PacketReceived) and event.apid in apids:
            if begins is None:
                begins = tap.times[frame_at] - byte
            if number not in profiles:
                profiles.append(number)
            frames += 1
    return None if begins is None else _Sent(begins, profiles, frames)


def run(
    column: Column,
    *,
    seed: int = 1,
    baud: int = 115200,
    size: int = 65536,
    image: str | None = None,
    firmware: Path | None = None,
) -> Result:
    """One transfer over one line."""
    began = time.monotonic()
    content = random.Random(f"link bench {seed}").randbytes(size)
    spec = column.spec + (f",up.outage={_CUT}-" if column.oneway else "")
    with tempfile.TemporaryDirectory(prefix="rovercam-bench-") as scratch:
        folder = Path(scratch)
        unit = make_unit(
            unit=1, seed=seed, bare=False, baud=baud, image=image, firmware=firmware, extra={FILE: content}
        )
        keys = KeyStore(folder / "keys")
        keys.put(1, unit.key)
        archive = Archive(folder / "archive.db")
        session = Session(None, slice_s=0.01)  # type: ignore[arg-type]  # the station is told the session's time
        station = session.station = Station(archive, keys, now=session.now, set_clocks=True, adapt=True)
        line = Link(LineSpec.parse(spec.strip(","), baud=baud, seed=seed))
        tap = _Tap(line.down)
        link = session.add(unit.board, "unit", tap, line.up)
        ended: list[updates.TransferChanged] = []

        def on_update(update: updates.Update) -> None:
            if isinstance(update, updates.TransferChanged) and update.status == "finished":
                ended.append(update)

        station.subscribe(on_update)
        unit.board.power_on()
        session.run(UP)
        tap.on = True
        mark = station.link(1) if station.units() else None
        _ask(station, column, session.now)
        end = session.elapsed + LIMIT * max(1.0, 115200 / baud) + 4 * column.oneway
        while not ended and session.elapsed < end:
            session.step(session.slice_s)
        finished = (ended[0].time if ended else session.now) - session.start
        intact = bool(ended) and archive.content(ended[0].transfer) == content
        result = Result(column.name, seed, baud, None, 0.0)
        apid = station.dictionary.apid(1)
        raw = station.dictionary.raw["apid"]
        sent = _first_byte(tap, {apid + raw["cfdp"], apid + raw["repair"]}, 10 / baud)
        if sent is not None:
            result.seconds = finished - sent.start
            result.profiles = sent.profiles
            result.frames = sent.frames
            _idle(result, tap, sent.start, finished, 10 / baud)
            (told,) = archive.db.execute(
                "SELECT total(length(data)) FROM packet WHERE apid = ? AND received > ? AND received <= ?",
                (apid, session.start + sent.start, session.start + finished),
            ).fetchone()
            result.telemetry = int(told)
            if intact:
                result.goodput = 100 * (size + result.telemetry) * 10 / (baud * result.seconds)
        if mark is not None:
            result.lost = station.link(1).lost - mark.lost
        unit.board.power_off()
        archive.close()
        del link
    result.wall = time.monotonic() - began
    return result


def _ask(station: Station, column: Column, now: float) -> None:
    arguments: dict[str, Any] = {"path": FILE}
    if not column.oneway:
        station.command(1, "downlink_file", arguments, now)
        return
    arguments |= {"cls": "unacknowledged", "repair": column.repair}
    definition = find(station.dictionary.commands, "downlink_file", "command")
    data = encode_command(definition, arguments, station.dictionary)
    packet = pus.build_command(station.dictionary.apid(1), 1, definition.service, definition.subtype, data, acks=0)
    release = int(now) + _RELEASE - int(UP)
    station.command(1, "insert_schedule", {"seconds": release, "packet": packet}, now)


def _idle(result: Result, tap: _Tap, start: float, end: float, byte: float) -> None:
    """Silences of the unit's line between the transfer's first byte and its end."""
    first, last = bisect_left(tap.times, start), bisect_left(tap.times, end)
    times = tap.times[first:last]
    result.line_bytes = len(times)
    for before, after in pairwise(times):
        silence = after - before - byte
        if silence > byte / 2:
            result.idle += silence
            if silence > 0.002:
                result.gaps.append((round(before - start, 4), round(silence, 4)))


def median(results: list[Result]) -> float | None:
    """Median goodput; a run that was not delivered counts as none: the median is None when half of them failed."""
    good = sorted((r.goodput if r.goodput is not None else -1.0) for r in results)
    value = statistics.median(good) if good else -1.0
    return None if value < 0 else value
