"""A file arrives whole over resets of the unit, deaths of the ground process and outages, and little is sent twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.protocol.downlink import Receiver
from rovercam.protocol.events import PacketReceived
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.line import LineSpec, Link

pytestmark = pytest.mark.cost(30)

PATH = "/t/resume.bin"
DATA_HEADER = 12  # bytes of a File Data PDU before its data


def file_bytes(packets: list[PacketReceived], apid: int) -> int:
    """Bytes of file data in class 2 File Data PDUs."""
    return sum(len(p.packet) - 6 - DATA_HEADER for p in packets if p.apid == apid and p.packet[6] & 0x10)


class Meter:
    """Counts the file data that passes one end of the line, with a receiver of its own."""

    def __init__(self, apid: int) -> None:
        self.apid = apid
        self.total = 0
        self.renew()

    def renew(self) -> None:
        self.receiver = Receiver()

    def feed(self, data: bytes, now: float) -> None:
        self.total += file_bytes([e for e in self.receiver.feed(data, now) if isinstance(e, PacketReceived)], self.apid)


class Way:
    """The downlink with a meter at each end."""

    def __init__(self, inner: Any, apid: int) -> None:
        self.inner = inner
        self.sent, self.delivered = Meter(apid), Meter(apid)

    def push(self, data: bytes, times: list[float]) -> None:
        self.sent.feed(data, times[-1])
        self.inner.push(data, times)

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        data, times = self.inner.pull(until)
        if data:
            self.delivered.feed(data, times[-1])
        return data, times


@dataclass
class Mission:
    """A unit, its line, and a ground process that can be killed."""

    folder: Path
    options: Any
    size: int
    spec: str
    baud: int = 115200

    def __post_init__(self) -> None:
        self.content = random.Random(self.options.seed).randbytes(self.size)
        self.unit = make_unit(
            unit=1, seed=self.options.seed, baud=self.baud, image=self.options.image, firmware=self.options.firmware,
            extra={PATH: self.content},
        )  # fmt: skip
        self.keys = KeyStore(self.folder / "keys")
        self.keys.put(1, self.unit.key)
        self.session = Session(None)  # type: ignore[arg-type]  # the station needs the session's time
        self.finished: list[updates.TransferChanged] = []
        self.forgotten = 0  # bytes that had come and were not stored for certain when the ground died
        self._start()
        apid = self.station.dictionary.apid(1, "cfdp")
        line = Link(LineSpec.parse(self.spec, baud=self.baud, seed=self.options.seed))
        self.way = Way(line.down, apid)
        self.session.add(self.unit.board, "unit", self.way, line.up)

    def _start(self) -> None:
        self.archive = Archive(self.folder / "archive.db")
        self.station = self.session.station = Station(
            self.archive, self.keys, now=self.session.now, set_clocks=True, adapt=True
        )
        self.station.subscribe(self._on)

    def _on(self, update: updates.Update) -> None:
        if isinstance(update, updates.TransferChanged) and update.status == "finished":
            self.finished.append(update)

    def have(self) -> int:
        (found,) = self.archive.db.execute("SELECT total(length(data)) FROM piece").fetchone()
        return int(found)

    def kill_ground(self) -> None:
        """As a kill -9: what was not committed is gone, and so is what the process had in hand."""
        before = self.have()
        self.archive.rollback()
        self.forgotten += before - self.have()
        self.archive.close()
        self._start()
        self.way.delivered.renew()
        self.station.attach("unit", self.session.now, self.baud)

    def run_past(self, part: float, timeout: float = 60.0) -> bool:
        """Until so much of the file has come; False when it is whole already."""
        want = int(part * self.size)
        self.session.run_until(lambda: bool(self.finished) or self.have() >= want, timeout, f"{want} bytes of the file")
        return not self.finished

    def finish(self, timeout: float) -> None:
        self.session.run_until(lambda: bool(self.finished), timeout, "the file")

    def verdict(self) -> dict[str, float]:
        """resent: bytes sent beyond the file's; lost: sent and not kept; twice: came although the ground had them."""
        sent, delivered = self.way.sent.total, self.way.delivered.total
        return {
            "resent": sent - self.size,
            "lost": sent - delivered + self.forgotten,
            "twice": delivered - self.size - self.forgotten,
        }

    def close(self) -> None:
        self.unit.board.close()
        self.archive.close()


@pytest.fixture
def missions(bench: Any, tmp_path: Path) -> Iterator[Any]:
    if not bench.options.emulated:
        pytest.skip("needs an emulated board: the line in between is the bench's")
    made: list[Mission] = []

    def make(size: int, spec: str = "", baud: int = 115200) -> Mission:
        made.append(Mission(tmp_path, bench.options, size, spec, baud))
        return made[-1]

    yield make
    for mission in made:
        mission.close()


def go(mission: Mission, resets: int, kills: int, evidence: Any) -> None:
    """Disturbances evenly over the file; then the figures."""
    session = mission.session
    mission.unit.board.power_on()
    session.run(4)
    mission.station.command(1, "downlink_file", {"path": PATH}, session.now)
    steps = [(k / (resets + 1), "reset") for k in range(1, resets + 1)]
    steps += [((k - 0.5) / (kills + 0.5), "kill") for k in range(1, kills + 1)]
    for part, what in sorted(steps):
        assert mission.run_past(part), f"the file was whole before the {what} at {part:.0%}"
        if what == "reset":
            mission.unit.board.reset()
        else:
            mission.kill_ground()
    mission.finish(180)
    assert mission.archive.content(mission.finished[0].transfer) == mission.content
    found = mission.verdict()
    for name, value in found.items():
        evidence.value(name, value, "byte")
    assert found["resent"] <= 1.05 * found["lost"], found


def test_resumes_over_resets_a_kill_and_an_outage(missions, evidence):
    go(missions(32768, "outage=6-7.5"), 2, 1, evidence)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_resumes_over_20_resets_5_kills_and_3_outages(missions, evidence):
    """`pytest hil/scenarios/test_link_resume.py -m slow`"""
    go(missions(65536, "outage=6-8+20-23+40-42"), 20, 5, evidence)


def test_blind_pass_with_repair(missions, evidence):
    """Class 1 with repair packets, and nothing goes up any more: a line that loses frames still yields the file."""
    mission = missions(16384, "down.burst=0.05,up.outage=6-")
    mission.unit.board.power_on()
    mission.session.run(4)
    arguments = {"path": PATH, "cls": "unacknowledged", "repair": 60}
    mission.station.command(1, "downlink_file", arguments, mission.session.now)
    mission.finish(30)
    assert mission.archive.content(mission.finished[0].transfer) == mission.content
    evidence.value("delivered at", mission.session.elapsed, "s")
