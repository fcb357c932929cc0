"""The station on the event loop and the wall clock: one task per port reads, one writes, one keeps time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from rovercam.archive import ArchiveError
from rovercam.line import BadRecording, LineError, LineLost
from rovercam.line.stream import ByteStream, keep_open
from rovercam.station.core import Station
from rovercam.station.updates import PortChanged

IDLE = 0.5
"""Longest time, in seconds, between two looks at what is due."""
LEAST_WAIT = 0.002


class Clock:
    """POSIX seconds that never go back: the wall clock at the start, then the monotonic one.

    A jump of the wall clock (NTP, an operator) is followed slowly, by at most 1 % of the time that passes.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._last = time.monotonic()

    def __call__(self) -> float:
        monotonic = time.monotonic()
        step = (monotonic - self._last) * 0.01
        self._last = monotonic
        self._offset += max(-step, min(step, time.time() - monotonic - self._offset))
        return monotonic + self._offset


class Runner:
    """Runs a station on lines. `strict`: the first port that cannot be opened is an error (for one-shot commands)."""

    def __init__(
        self,
        station: Station,
        lines: Sequence[ByteStream],
        *,
        clock: Callable[[], float] | None = None,
        strict: bool = False,
    ):
        self.station = station
        self.lines = {line.url: line for line in lines}
        self.clock = clock or Clock()
        self.strict = strict
        self._kicks = {url: asyncio.Event() for url in self.lines}
        self._tasks: list[asyncio.Task[None]] = []
        self._archive_failed = False
        self.ended = asyncio.Event()
        """Set when a recording is at its end or, if strict, a port failed."""
        self.failure: Exception | None = None
        self.on_failure: Callable[[Exception], None] = lambda _: None
        """Called when a task died."""

    async def start(self) -> None:
        for url, line in self.lines.items():
            self._tasks.append(asyncio.create_task(self._read(url, line), name=f"read {url}"))
            self._tasks.append(asyncio.create_task(self._write(url, line), name=f"write {url}"))

        for task in self._tasks:
            task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """A task that died of an error of ours must not leave a station that looks alive."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
            self.ended.set()
            self.on_failure(self.failure)

    async def stop(self) -> None:
        """Ports closed, everything committed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for line in self.lines.values():
            await line.close()
        self.station.commit(self.clock())

    def kick(self) -> None:
        """There is something to transmit (a command was given)."""
        for event in self._kicks.values():
            event.set()

    async def _read(self, url: str, line: ByteStream) -> None:
        station = self.station
        try:
            async for data in keep_open(
                line, on_state=lambda s, t: self._port_state(url, s, t), forever=not self.strict
            ):
                if not data:
                    continue
                self._guarded(lambda data=data: station.receive(url, data, self.clock()))  # type: ignore[misc]
                self.kick()
        except (LineError, BadRecording) as error:
            self.failure = error
            self.ended.set()
            self.on_failure(error)

    def _port_state(self, url: str, state: str, text: str) -> None:
        if state == "open":
            self.station.attach(url, self.clock(), getattr(self.lines[url], "baudrate", None))
        else:
            self.station.port_state(url, state, text, self.clock())
        self.kick()

    async def _write(self, url: str, line: ByteStream) -> None:
        kick = self._kicks[url]
        while True:
            now = self.clock()
            due = self.station.deadline()
            wait = IDLE if due is None else max(LEAST_WAIT, min(IDLE, due - now))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):  # wait_for may swallow a cancellation that comes with the event
                    await kick.wait()
            kick.clear()
            data = b""

            def turn() -> None:
                nonlocal data
                self.station.poll(self.clock())
                data = self.station.transmit(url, self.clock())

            self._guarded(turn)
            if data:
                try:
                    await line.write(data)
                except LineLost:
                    await asyncio.sleep(IDLE)  # the reading side says so and brings it back

    def _guarded(self, work: Callable[[], None]) -> None:
        """An archive that cannot be written stops nothing: what was not stored is not acknowledged, and it is said."""
        try:
            work()
        except ArchiveError as error:
            if not self._archive_failed:
                self._archive_failed = True
                self.station.tell(PortChanged(time=self.clock(), port="archive", state="failed", text=str(error)))
        else:
            if self._archive_failed:
                self._archive_failed = False
                self.station.tell(PortChanged(time=self.clock(), port="archive", state="open", text="written again"))
