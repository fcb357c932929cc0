"""A port as an async byte stream. Knows no protocol, no frame and no unit.

pyserial blocks, and its ports differ per system, so one thread reads and one writes; the event loop sees bytes. A line
that goes away says LineLost; `keep_open` brings it back for as long as one likes.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

import serial

from rovercam.line.errors import LineError, LineLost
from rovercam.line.ports import READ_TIMEOUT, open_port
from rovercam.line.recording import FROM_UNIT, TO_UNIT, Recorder

CHUNK = 65536
RETRY = (0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts to get a port back; the last one repeats."""


class ByteStream(Protocol):
    """What the station needs of a line."""

    url: str

    async def open(self) -> None: ...
    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


class Line:
    """One pyserial URL. `recorder` gets every byte of both directions."""

    def __init__(self, url: str, *, baudrate: int = 115200, recorder: Recorder | None = None):
        self.url = url
        self.baudrate = baudrate
        self.recorder = recorder
        self._port: Any = None
        self._incoming: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._stop = threading.Event()
        self._reader: threading.Thread | None = None
        self._writer: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Raises PortMissing, PortBusy, PortDenied, LineError."""
        loop = asyncio.get_running_loop()
        self._port = await loop.run_in_executor(None, open_port, self.url, self.baudrate)
        self._incoming = asyncio.Queue()
        self._stop = threading.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="line-write")
        self._reader = threading.Thread(target=self._read_loop, args=(loop, self._port, self._incoming, self._stop))
        self._reader.daemon = True
        self._reader.start()

    async def read(self) -> bytes:
        """The bytes that have come, at least one. Raises LineLost."""
        item = await self._incoming.get()
        if isinstance(item, Exception):
            raise item
        pieces = [item]
        while not self._incoming.empty():
            item = self._incoming.get_nowait()
            if isinstance(item, Exception):
                self._incoming.put_nowait(item)  # the next read says it
                break
            pieces.append(item)
        data = b"".join(pieces)
        if self.recorder:
            self.recorder.add(FROM_UNIT, data)
        return data

    async def write(self, data: bytes) -> None:
        """Returns when the operating system has taken the bytes. Raises LineLost."""
        if self._writer is None or self._port is None:
            raise LineLost(f"{self.url} is not open")
        if self.recorder:
            self.recorder.add(TO_UNIT, data)
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._port.write, data)
        except (serial.SerialException, OSError, TypeError, AttributeError) as error:
            raise LineLost(f"{self.url} went away: {error}") from error

    async def close(self) -> None:
        self._stop.set()
        port, self._port = self._port, None
        if port is not None:
            with suppress(Exception):
                if hasattr(port, "cancel_read"):
                    port.cancel_read()
        if self._reader:
            await asyncio.get_running_loop().run_in_executor(None, self._reader.join, 1.0)
        if port is not None:
            with suppress(Exception):
                port.close()
        if self._writer:
            self._writer.shutdown(wait=False, cancel_futures=True)
            self._writer = None

    def _read_loop(
        self, loop: asyncio.AbstractEventLoop, port: Any, queue: asyncio.Queue[bytes | Exception], stop: threading.Event
    ) -> None:
        """Reader thread."""
        try:
            some = _reader_of(port)
            while not stop.is_set():
                data = some()
                if data:
                    loop.call_soon_threadsafe(queue.put_nowait, data)
        except Exception as error:
            # Whatever a driver raises when the device goes away (OSError, SerialException, TypeError on a closed
            # descriptor): to the reader it is one thing.
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(queue.put_nowait, LineLost(f"{self.url} went away: {error}"))


def _reader_of(port: Any) -> Callable[[], bytes]:
    """A function that waits at most READ_TIMEOUT and returns what has come, b"" for nothing."""
    try:
        descriptor = port.fileno() if os.name == "posix" else None
    except (OSError, AttributeError, ValueError):
        descriptor = None
    if descriptor is not None:

        def by_descriptor() -> bytes:
            if not select.select([descriptor], [], [], READ_TIMEOUT)[0]:
                return b""
            data = os.read(descriptor, CHUNK)
            if not data:
                raise OSError("end of data")
            return data

        return by_descriptor

    def by_port() -> bytes:
        data: bytes = port.read(1)
        while data and len(data) < CHUNK and (waiting := port.in_waiting):
            data += port.read(waiting)
        return data

    return by_port


async def keep_open(
    line: ByteStream, *, on_state: Callable[[str, str], None], forever: bool = True
) -> AsyncIterator[bytes]:
    """Bytes of a line that may vanish and return.

    on_state(state, text): "open", "lost" (was there), "waiting" (cannot be opened now). With forever=False the first
    failure to open is raised.
    """
    attempt = 0
    first = True
    while True:
        try:
            await line.open()
        except LineError as error:
            if first and not forever:
                raise
            if attempt == 0:
                on_state("waiting", str(error))
            await asyncio.sleep(RETRY[min(attempt, len(RETRY) - 1)])
            attempt += 1
            continue
        attempt = 0
        first = False
        on_state("open", line.url)
        try:
            while True:
                yield await line.read()
        except LineLost as error:
            on_state("lost", str(error))
        finally:
            await line.close()
        await asyncio.sleep(RETRY[0])
