"""Lines over real pseudo-terminals and sockets: bytes both ways, ports that vanish, errors that help."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rovercam.line import BadRecording, LineLost, PortBusy, PortDenied, PortMissing
from rovercam.line.ports import open_port, same_port
from rovercam.line.recording import FROM_UNIT, TO_UNIT, Recorder, Replay, records
from rovercam.line.stream import Line, keep_open

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")


@asynccontextmanager
async def terminal() -> AsyncIterator[tuple[int, str]]:
    """(descriptor of the unit's end, name of ours)"""
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


async def read_exactly(line: Line, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(5):
        while len(data) < count:
            data += await line.read()
    return data


def test_bytes_both_ways_over_a_terminal(tmp_path: Path) -> None:
    async def run() -> None:
        async with terminal() as (unit, name):
            recorder = Recorder(tmp_path / "r.rec", clock=lambda: 12.5)
            line = Line(name, recorder=recorder)
            await line.open()
            every = bytes(range(256))
            os.write(unit, every * 8)
            assert await read_exactly(line, 2048) == every * 8
            await line.write(every)
            assert os.read(unit, 1000) == every
            await line.close()
            recorder.close()
            found = list(records(tmp_path / "r.rec"))
            assert b"".join(r.data for r in found if r.direction == FROM_UNIT) == every * 8
            assert [r.data for r in found if r.direction == TO_UNIT] == [every]

    asyncio.run(run())


def test_bytes_both_ways_over_tcp_and_reconnection() -> None:
    """The other end closes; the line comes back by itself."""

    async def run() -> None:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await asyncio.sleep(0.1)  # opening a port discards what came before
            writer.write(b"hello %d" % connections)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        states: list[str] = []
        data = b""
        async with asyncio.timeout(10):
            stream = keep_open(Line(f"socket://127.0.0.1:{port}"), on_state=lambda s, t: states.append(s))
            async for piece in stream:
                data += piece
                if b"hello 3" in data:
                    break
            await stream.aclose()  # type: ignore[attr-defined]
        server.close()
        assert data == b"hello 1hello 2hello 3"
        assert states[:5] == ["open", "lost", "open", "lost", "open"]

    asyncio.run(run())


def test_a_port_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    async def run() -> None:
        link = tmp_path / "port"
        states: list[tuple[str, str]] = []

        async def appear(name: str) -> None:
            await asyncio.sleep(0.3)
            link.symlink_to(name)

        async with terminal() as (unit, name), asyncio.timeout(10):
            task = asyncio.create_task(appear(name))

            def state(name: str, text: str) -> None:
                states.append((name, text))
                if name == "open":
                    os.write(unit, b"x")

            stream = keep_open(Line(str(link)), on_state=state)
            assert await anext(stream) == b"x"
            await task
            await stream.aclose()  # type: ignore[attr-defined]
        assert states[0][0] == "waiting"
        assert "there is no port" in states[0][1]
        assert states[1][0] == "open"

    asyncio.run(run())


def test_lost_port_is_said() -> None:
    async def run() -> None:
        ours, theirs = pty.openpty()
        line = Line(os.ttyname(theirs))
        await line.open()
        os.close(theirs)
        os.close(ours)
        async with asyncio.timeout(5):
            with pytest.raises(LineLost, match="went away"):
                await line.read()
        await line.close()

    asyncio.run(run())


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PortMissing, match="there are:"):
        open_port(str(tmp_path / "nothing"), 9600)
    with pytest.raises(PortMissing, match="does not answer"):
        open_port("socket://127.0.0.1:1", 9600)
    if os.getuid() != 0:
        port = tmp_path / "denied"
        port.touch(mode=0)
        with pytest.raises(PortDenied, match="usermod"):
            open_port(str(port), 9600)


def test_busy_port_names_the_holder() -> None:
    import subprocess

    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import serial,time;p=serial.Serial({name!r},exclusive=True);print(1,flush=True);time.sleep(30)",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PortBusy, match=f"process {holder.pid}"):
            open_port(name, 9600)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        os.close(ours)
        os.close(theirs)


def test_same_port_follows_links(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert same_port(str(tmp_path / "a"), str(tmp_path / "b"))
    assert not same_port("socket://h:1", "socket://h:2")


def test_a_recording_cut_anywhere_is_readable_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "r.rec"
    with Recorder(path, clock=lambda: 1.0) as recorder:
        for i in range(3):
            recorder.add(FROM_UNIT, bytes([i]) * 10)
    whole = path.read_bytes()
    for cut in range(8, len(whole) + 1):
        path.write_bytes(whole[:cut])
        count = (cut - 8) // 23
        assert [r.data[0] for r in records(path)] == list(range(count))
        with Recorder(path, clock=lambda: 2.0) as recorder:
            recorder.add(TO_UNIT, b"more")
        assert [r.data for r in records(path)][-1] == b"more"
        assert len(list(records(path))) == count + 1
    path.write_bytes(b"something else")
    with pytest.raises(BadRecording, match="no recording"):
        list(records(path))


def test_replay_paces_and_ends(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.rec") as recorder:
        for i in range(4):
            recorder.add(FROM_UNIT, bytes([i]), at=100.0 + i)
            recorder.add(TO_UNIT, b"not replayed", at=100.0 + i)

    async def run(speed: float) -> tuple[bytes, float]:
        line = Replay(tmp_path / "r.rec", speed=speed)
        await line.open()
        began = asyncio.get_running_loop().time()
        data = bytearray()

        async def drain() -> None:
            while True:
                data.extend(await line.read())

        with pytest.raises(LineLost, match="end of the recording"):
            await drain()
        return bytes(data), asyncio.get_running_loop().time() - began

    data, paced = asyncio.run(run(20))
    assert data == b"\0\1\2\3"
    assert paced > 0.14  # three seconds recorded, twenty times as fast
    data, at_once = asyncio.run(run(0))
    assert data == b"\0\1\2\3"
    assert at_once < paced
