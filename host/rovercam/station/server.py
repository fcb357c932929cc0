"""The running station's local socket, so that one process owns a port and any number use it.

<home>/station.json (owner-readable) says where: a Unix socket in <home>, or a loopback port with a token where there
are no Unix sockets or the path is too long for one. One JSON object a line: {"id", "call", …arguments} in,
{"id", "result"} or {"id", "error", "kind"} out, and {"update": …} for everything the station tells.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hmac
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rovercam.dictionary import DictionaryError, UnknownName, ValueRefused
from rovercam.station.core import Station, StationError
from rovercam.station.runner import Runner
from rovercam.station.updates import Update

FILE = "station.json"
LIMIT = 16 << 20
"""Longest line: a file that is put, in base64."""
BACKLOG = 4 << 20
"""Bytes a client may lag behind before it is dropped."""
UNIX_PATH_LIMIT = 100
ERRORS: dict[str, type[Exception]] = {e.__name__: e for e in (StationError, UnknownName, ValueRefused, DictionaryError)}


def overview(station: Station, unit: int) -> dict[str, Any]:
    return dataclasses.asdict(station.link(unit))


class Server:
    """Serves one station; at most one per home. Use as an async context manager."""

    def __init__(self, runner: Runner, home: Path):
        self._runner = runner
        self._station = runner.station
        self._home = home
        self._server: asyncio.Server | None = None
        self._token = secrets.token_hex(16)
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Server:
        """Raises StationError when another station is running in this home."""
        other = await connect(self._home)
        if other is not None:
            status = await other.call("status")
            await other.close()
            raise StationError(
                f"a station is running already (process {status['pid']}, ports {', '.join(status['ports']) or 'none'});"
                f" use it, stop it, or set ROVERCAM_HOME to another folder"
            )
        path = self._home / "station.sock"
        with suppress(FileNotFoundError):
            path.unlink()
        if hasattr(asyncio, "start_unix_server") and len(str(path)) < UNIX_PATH_LIMIT:
            old = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, str(path), limit=LIMIT)
            finally:
                os.umask(old)
            where: dict[str, Any] = {"unix": str(path)}
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
            where = {"port": self._server.sockets[0].getsockname()[1]}
        file = self._home / FILE
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(where | {"token": self._token, "pid": os.getpid()}, out)
        self._end = self._station.subscribe(self._tell)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end()
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        for name in (FILE, "station.sock"):
            with suppress(FileNotFoundError):
                (self._home / name).unlink()

    def _tell(self, update: Update) -> None:
        if not self._writers:
            return
        line = json.dumps({"update": update.as_json()}).encode() + b"\n"
        for writer in tuple(self._writers):
            if writer.transport.get_write_buffer_size() > BACKLOG:
                self._writers.discard(writer)
                writer.close()  # it does not read; it may connect again
            else:
                writer.write(line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5.0):
                hello = json.loads(await reader.readline() or b"{}")
            if not hmac.compare_digest(str(hello.get("token", "")), self._token):
                return
            self._writers.add(writer)
            while line := await reader.readline():
                answer = self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.CancelledError):
            pass  # a client that went away or does not speak our language
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        number = None
        try:
            request = json.loads(line)
            number = request.pop("id")
            return {"id": number, "result": getattr(self, "_call_" + request.pop("call"))(**request)}
        except (StationError, DictionaryError) as error:
            return {"id": number, "error": str(error), "kind": type(error).__name__}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return {"id": number, "error": f"not a request of this station: {error!r}", "kind": "StationError"}

    def _call_status(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "ports": self._station.ports(), "heard": self._station.units()}

    def _call_link(self, unit: int) -> dict[str, Any]:
        return overview(self._station, unit)

    def _call_command(
        self, unit: int, name: str, arguments: dict[str, Any], sender: str, **more: Any
    ) -> dict[str, Any]:
        found = self._station.command(unit, name, arguments, self._runner.clock(), sender=sender, **more)
        self._runner.kick()
        return found.as_json()

    def _call_schedule(
        self, unit: int, seconds: int, name: str, arguments: dict[str, Any], sender: str
    ) -> list[dict[str, Any]]:
        found = self._station.schedule(unit, seconds, name, arguments, self._runner.clock(), sender=sender)
        self._runner.kick()
        return [f.as_json() for f in found]

    def _call_hail(self, unit: int | None) -> None:
        self._station.hail(unit, self._runner.clock())
        self._runner.kick()

    def _call_put(self, unit: int, data: str, target: str, sender: str) -> int:
        transaction = self._station.put(unit, base64.b64decode(data), target, self._runner.clock(), sender=sender)
        self._runner.kick()
        return transaction.number

    def _call_transfer(self, action: str, source: int, number: int) -> None:
        self._station.transfer(action, source, number, self._runner.clock())
        self._runner.kick()


class Client:
    """One connection to the running station."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self.on_update: Callable[[dict[str, Any] | None], None] = lambda _: None
        self._task = asyncio.create_task(self._read())

    async def call(self, method: str, /, **arguments: Any) -> Any:
        """Raises what the station raised: StationError, UnknownName, ValueRefused."""
        self._number += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = future
        try:
            self._writer.write(json.dumps({"id": self._number, "call": method, **arguments}).encode() + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise StationError(f"the station went away: {error}") from error
        return await future

    async def _read(self) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while line := await self._reader.readline():
                message = json.loads(line)
                if "update" in message:
                    self.on_update(message["update"])
                    continue
                future = self._waiting.pop(message["id"], None)
                if future is None or future.done():
                    continue
                if "error" in message:
                    future.set_exception(ERRORS.get(message["kind"], StationError)(message["error"]))
                else:
                    future.set_result(message["result"])
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(StationError("the station went away"))
        self.on_update(None)

    async def close(self) -> None:
        self._task.cancel()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def connect(home: Path) -> Client | None:
    """The running station of a home, or None; what a killed one left behind is taken away."""
    file = home / FILE
    try:
        where = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    try:
        if "unix" in where:
            reader, writer = await asyncio.open_unix_connection(where["unix"], limit=LIMIT)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", where["port"], limit=LIMIT)
    except OSError:
        with suppress(FileNotFoundError):
            file.unlink()
        return None
    writer.write(json.dumps({"token": where["token"]}).encode() + b"\n")
    client = Client(reader, writer)
    try:
        async with asyncio.timeout(5.0):
            await client.call("status")
    except (StationError, TimeoutError):
        await client.close()
        return None
    return client
