"""A station as a command sees it: in this process on a port of its own, or the one that is running already.

Both are used the same way:

    async with open_session(port=None) as session:
        unit = await session.unit(None)
        command = await session.command(unit, "ping")
        async for update in session.updates(): …
"""

from __future__ import annotations

import asyncio
import base64
import getpass
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from rovercam import places
from rovercam.archive import Archive
from rovercam.dictionary import DictionaryError
from rovercam.keys import KeyStore
from rovercam.line import PortBusy, PortMissing
from rovercam.line.ports import same_port
from rovercam.line.recording import Recorder
from rovercam.line.stream import ByteStream, Line
from rovercam.station import server
from rovercam.station.core import Station, StationError
from rovercam.station.runner import Runner
from rovercam.station.updates import CommandChanged, UnitHeard, Update, from_json

HEARD_TIMEOUT = 15.0
"""Seconds to wait for a unit: a keep-alive frame comes every 2 s by default."""


HAIL_EVERY = 2.5
"""Seconds of waiting after which a unit is called: one that sleeps would not be heard for a minute."""


class NobodyHeard(StationError):
    """No unit on the port within the time."""


class Session(Protocol):
    """What commands need of a station."""

    archive: Archive

    async def unit(self, wanted: int | None, timeout: float = HEARD_TIMEOUT) -> int: ...
    async def command(
        self, unit: int, name: str, arguments: Mapping[str, Any] | None = None, **more: Any
    ) -> CommandChanged: ...
    async def schedule(
        self, unit: int, seconds: int, name: str, arguments: Mapping[str, Any]
    ) -> tuple[CommandChanged, CommandChanged]: ...
    async def put(self, unit: int, data: bytes, target: str) -> int: ...
    async def transfer(self, action: str, source: int, number: int) -> None: ...
    async def link(self, unit: int) -> dict[str, Any]: ...
    def updates(self) -> AsyncIterator[Update]: ...


def sender_name(program: str = "cli") -> str:
    """Who a command is logged for."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return f"{user} ({program})"


class Updates:
    """Fans updates out to any number of readers; a reader that lags 10000 behind loses the oldest, counted."""

    LIMIT = 10_000

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Update | Exception | None]] = set()
        self.dropped = 0
        self._end: list[Exception | None] = []

    def tell(self, update: Update | Exception | None) -> None:
        """None ends all readers, an exception is raised in them."""
        if update is None or isinstance(update, Exception):
            self._end.append(update)
        for queue in self._queues:
            if queue.qsize() >= self.LIMIT:
                queue.get_nowait()
                self.dropped += 1
            queue.put_nowait(update)

    def reader(self) -> AsyncIterator[Update]:
        """Subscribed from this call on, not from the first iteration."""
        queue: asyncio.Queue[Update | Exception | None] = asyncio.Queue()
        if self._end:
            queue.put_nowait(self._end[0])
        self._queues.add(queue)
        return self._read(queue)

    async def _read(self, queue: asyncio.Queue[Update | Exception | None]) -> AsyncIterator[Update]:
        try:
            while (update := await queue.get()) is not None:
                if isinstance(update, Exception):
                    raise update
                yield update
        finally:
            self._queues.discard(queue)


class OwnSession:
    """A station in this process."""

    def __init__(self, station: Station, runner: Runner, sender: str):
        self.station = station
        self.runner = runner
        self.archive = station.archive
        self.sender = sender
        self._updates = Updates()
        station.subscribe(self._updates.tell)
        runner.on_failure = self._updates.tell

    def updates(self) -> AsyncIterator[Update]:
        return self._updates.reader()

    async def unit(self, wanted: int | None, timeout: float = HEARD_TIMEOUT) -> int:
        """The unit asked for, or the only one that is heard. Raises NobodyHeard, StationError, LineError."""
        reader = self.updates()
        hailing = asyncio.create_task(self._hail(wanted))
        try:
            async with asyncio.timeout(timeout):
                while True:
                    heard = self.station.units()
                    if _there(heard, wanted):
                        return _only(heard, wanted)
                    await anext(reader)
        except TimeoutError:
            who = "any unit" if wanted is None else f"unit {wanted}"
            others = ", ".join(map(str, self.station.units()))
            received = sum(p.receiver.counters.received for p in self.station._ports.values())
            hint = f"heard: unit {others}" if others else f"{received} bytes came, no frame in them"
            raise NobodyHeard(
                f"{who} was not heard in {timeout:g} s on {', '.join(self.runner.lines)} ({hint}); is it running, and is"
                f" the baud rate right?"
            ) from None
        finally:
            hailing.cancel()

    async def _hail(self, wanted: int | None) -> None:
        while True:
            await asyncio.sleep(HAIL_EVERY)
            self.station.hail(wanted, self.runner.clock())
            self.runner.kick()

    async def command(
        self, unit: int, name: str, arguments: Mapping[str, Any] | None = None, **more: Any
    ) -> CommandChanged:
        command = self.station.command(unit, name, arguments, self.runner.clock(), sender=self.sender, **more)
        self.runner.kick()
        return command

    async def schedule(
        self, unit: int, seconds: int, name: str, arguments: Mapping[str, Any]
    ) -> tuple[CommandChanged, CommandChanged]:
        both = self.station.schedule(unit, seconds, name, arguments, self.runner.clock(), sender=self.sender)
        self.runner.kick()
        return both

    async def put(self, unit: int, data: bytes, target: str) -> int:
        transaction = self.station.put(unit, data, target, self.runner.clock(), sender=self.sender)
        self.runner.kick()
        return transaction.number

    async def transfer(self, action: str, source: int, number: int) -> None:
        self.station.transfer(action, source, number, self.runner.clock())
        self.runner.kick()

    async def link(self, unit: int) -> dict[str, Any]:
        return server.overview(self.station, unit)


class RemoteSession:
    """The running station of this home, through its socket."""

    def __init__(self, client: server.Client, archive: Archive, sender: str):
        self.archive = archive
        self.sender = sender
        self._client = client
        self._updates = Updates()
        client.on_update = lambda u: self._updates.tell(None if u is None else from_json(u))

    def updates(self) -> AsyncIterator[Update]:
        return self._updates.reader()

    async def unit(self, wanted: int | None, timeout: float = HEARD_TIMEOUT) -> int:
        reader = self.updates()
        heard = (await self._client.call("status"))["heard"]
        if not _there(heard, wanted):
            await self._client.call("hail", unit=wanted)
        try:
            async with asyncio.timeout(timeout):
                while not _there(heard, wanted):
                    update = await anext(reader)
                    if isinstance(update, UnitHeard):
                        heard.append(update.unit)
        except (TimeoutError, StopAsyncIteration):
            raise NobodyHeard(f"the station has not heard unit {wanted or '(any)'} in {timeout:g} s") from None
        return _only(heard, wanted)

    async def command(
        self, unit: int, name: str, arguments: Mapping[str, Any] | None = None, **more: Any
    ) -> CommandChanged:
        found = await self._client.call(
            "command", unit=unit, name=name, arguments=dict(arguments or {}), sender=self.sender, **more
        )
        command = from_json(found)
        assert isinstance(command, CommandChanged)
        return command

    async def schedule(
        self, unit: int, seconds: int, name: str, arguments: Mapping[str, Any]
    ) -> tuple[CommandChanged, CommandChanged]:
        found = await self._client.call(
            "schedule", unit=unit, seconds=seconds, name=name, arguments=dict(arguments), sender=self.sender
        )
        first, second = (from_json(f) for f in found)
        assert isinstance(first, CommandChanged)
        assert isinstance(second, CommandChanged)
        return first, second

    async def put(self, unit: int, data: bytes, target: str) -> int:
        text = base64.b64encode(data).decode()
        return int(await self._client.call("put", unit=unit, data=text, target=target, sender=self.sender))

    async def transfer(self, action: str, source: int, number: int) -> None:
        await self._client.call("transfer", action=action, source=source, number=number)

    async def link(self, unit: int) -> dict[str, Any]:
        found: dict[str, Any] = await self._client.call("link", unit=unit)
        return found


def _there(heard: list[int], wanted: int | None) -> bool:
    return bool(heard) if wanted is None else wanted in heard


def _only(heard: Sequence[int], wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    if len(set(heard)) > 1:
        raise StationError(f"several units are heard ({', '.join(map(str, sorted(set(heard))))}): say --unit N")
    return heard[0]


@asynccontextmanager
async def open_session(
    port: str | None = None,
    *,
    baudrate: int = 115200,
    home: Path | None = None,
    program: str = "cli",
    record: Path | None = None,
    set_clocks: bool = True,
) -> AsyncIterator[OwnSession | RemoteSession]:
    """The running station when no port is given, else a station of our own on that port.

    Raises StationError when neither is possible, PortBusy when the running station has that port, LineError.
    """
    folder = home or places.home()
    sender = sender_name(program)
    client = await server.connect(folder)
    if port is None:
        if client is None:
            raise StationError(
                "no station is running here: say --port URL (`rovercam ports` lists them), or start `rovercam ground`"
            )
        try:
            yield RemoteSession(client, Archive(folder / "archive.db", readonly=True), sender)
        finally:
            await client.close()
        return
    if client is not None:
        status = await client.call("status")
        await client.close()
        if any(same_port(p, port) for p in status["ports"]):
            raise PortBusy(
                f"{port} is busy: the station of process {status['pid']} has it; leave --port away to go through it"
            )
    recorder = Recorder(record) if record else None
    lines: list[ByteStream] = [Line(port, baudrate=baudrate, recorder=recorder)]
    async with own_session(lines, home=folder, sender=sender, strict=True, set_clocks=set_clocks) as session:
        yield session
    if recorder:
        recorder.close()


@asynccontextmanager
async def own_session(
    lines: Sequence[ByteStream],
    *,
    home: Path,
    sender: str,
    strict: bool = False,
    set_clocks: bool = True,
    insecure: bool = False,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[OwnSession]:
    """A station on these lines, for as long as the context lasts."""
    archive = Archive(home / "archive.db")
    try:
        from rovercam.station.runner import Clock

        clock = clock or Clock()
        station = Station(
            archive,
            KeyStore(home / "keys"),
            now=clock(),
            name="station",
            set_clocks=set_clocks,
            adapt=True,
            insecure=insecure,
        )
        runner = Runner(station, lines, clock=clock, strict=strict)
        session = OwnSession(station, runner, sender)
        await runner.start()
        try:
            yield session
        finally:
            await runner.stop()
            session._updates.tell(None)
    finally:
        with suppress(Exception):
            archive.close()


__all__ = [
    "DictionaryError",
    "NobodyHeard",
    "OwnSession",
    "PortMissing",
    "RemoteSession",
    "Session",
    "open_session",
    "own_session",
]
