"""What goes wrong around a station: its port goes away and returns, the computer's clock jumps, others write its archive."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from rovercam.archive import Archive, check
from rovercam.keys import KeyStore
from rovercam.line.stream import Line
from rovercam.station.runner import Clock
from rovercam.station.session import own_session
from rovercam.station.updates import CommandChanged, PortChanged
from rovercam_hil.micropython.station_unit import KEY, TcpUnit
from rovercam_hil.micropython.worker import Worker


class Cable:
    """A TCP port before another one, that can be pulled out and put back."""

    def __init__(self, behind: int):
        self._behind = behind
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0

    async def put_in(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def pull_out(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()
        await asyncio.gather(*self._tasks)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other = await asyncio.open_connection("127.0.0.1", self._behind)
        self._ends += [writer, other]

        async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(4096):
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass

        self._tasks = [asyncio.create_task(pour(*way)) for way in ((reader, other), (other_reader, writer))]


def test_a_port_that_goes_away_and_returns(worker: Worker, tmp_path: Path) -> None:
    """A command given while it is away is done when it is back; so is one that was on the way."""
    home = tmp_path / "home"
    home.mkdir()
    KeyStore(home / "keys").put(1, KEY)
    unit = TcpUnit(worker, tmp_path / "unit")

    async def go() -> None:
        cable = Cable(int(unit.url.rpartition(":")[2]))
        await cable.put_in()
        line = Line(f"socket://127.0.0.1:{cable.port}")
        async with asyncio.timeout(90), own_session([line], home=home, sender="test", set_clocks=False) as session:
            updates = session.updates()

            async def until(wanted: object) -> None:
                async for update in updates:
                    if isinstance(update, PortChanged) and update.state == wanted:
                        return
                    if isinstance(update, CommandChanged) and update.ended and update.id == wanted:
                        assert update.state == "done", update
                        return

            await session.unit(1)
            await until((await session.command(1, "ping")).id)
            for _ in range(2):
                before = await session.command(1, "ping")
                await cable.pull_out()
                await until("lost")
                away = await session.command(1, "ping")
                await cable.put_in()
                await until("open")
                await until(before.id)
                await until(away.id)
            await cable.pull_out()

    try:
        asyncio.run(go())
        pings = [p for p in unit.unit.commands if p[7:9] == b"\x11\x01"]
        assert len(pings) == len(set(pings)) == 5, "each once"
        with Archive(home / "archive.db") as archive:
            assert {c["state"] for c in archive.commands() if c["name"] == "ping"} == {"done"}
            assert check(archive).problems == []
    finally:
        unit.close()


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1e9, -1e9])
def test_a_jump_of_the_wall_clock_is_followed_slowly(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    wall, monotonic = 1_800_000_000.0, 50.0
    monkeypatch.setattr(time, "time", lambda: wall)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic)
    clock = Clock()
    assert clock() == pytest.approx(wall)
    wall += jump
    told = [clock()]
    for _ in range(1000):
        wall += 0.5
        monotonic += 0.5
        told.append(clock())
    steps = [b - a for a, b in pairwise(told)]
    assert told[0] == pytest.approx(1_800_000_000.0)
    assert min(steps) >= 0.494
    assert max(steps) <= 0.506
    assert (told[-1] - told[0] - 500.0) * jump > 0, "towards it"


def test_a_small_error_of_the_clock_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, monotonic = 1_800_000_000.0, 50.0
    monkeypatch.setattr(time, "time", lambda: wall)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic)
    clock = Clock()
    wall += 1.0
    for _ in range(300):
        wall += 0.5
        monotonic += 0.5
        last = clock()
    assert last == pytest.approx(wall, abs=1e-3)


WRITER = """
import sys
from rovercam.archive import Archive
path, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Archive(path) as archive:
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(first, first + count):
        frame = archive.add_frame(1e9 + i, f"port {first}", 1, 0, 0, i.to_bytes(8, "big"))
        archive.add_event(packet=None, time=1e9 + i, received=1e9 + i, unit=1, number=0, name="n", severity="info",
                          text=str(i), fields={})
        if i % 20 == 19:
            archive.commit()
"""


def test_two_processes_on_one_archive_lose_nothing(tmp_path: Path) -> None:
    """`rovercam shoot` on one port beside `rovercam ground` on another: each waits for the other's transactions."""
    path = tmp_path / "archive.db"
    Archive(path).close()
    words = [sys.executable, "-c", WRITER, str(path)]
    both = [
        subprocess.Popen([*words, str(first), "2000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for first in (0, 10_000)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with Archive(path) as archive:
        events = [int(e["text"]) for e in archive.events(limit=10_000)]
        assert sorted(events) == [*range(2000), *range(10_000, 12_000)]
        assert len(list(archive.frames())) == 4000
        assert check(archive).problems == []
