"""A unit to command, from a notebook: the station's calls run on an event loop in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rovercam.notebook.reading import Reader, open
from rovercam.station import actions
from rovercam.station.pictures import Rendered
from rovercam.station.session import OwnSession, RemoteSession, open_session

T = TypeVar("T")
CLOSE_TIMEOUT = 10.0


class Unit:
    """A unit that is heard; a context manager. Made by `connect`. Calls wait until the unit has answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread, stack: contextlib.AsyncExitStack):
        self._loop, self._thread, self._stack = loop, thread, stack
        self._session: OwnSession | RemoteSession
        self.number = 0
        """The unit's id."""

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    async def _open(self, port: str | None, unit: int | None, options: dict[str, Any]) -> None:
        self._session = await self._stack.enter_async_context(open_session(port, program="notebook", **options))
        self.number = await self._session.unit(unit)

    def send(self, command: str, /, **arguments: Any) -> dict[str, Any]:
        """A telecommand; returns the answers by report name, {} when the unit only confirms.

        Raises UnknownName, ValueRefused (with the range allowed), NotAchieved (with the unit's reason).
        """
        _, answers = self._run(actions.send(self._session, self.number, command, arguments))
        return {a.name: dict(a.values) for a in answers}

    def shoot(self, **arguments: Any) -> Rendered:
        """Take a picture and bring it down; arguments as of the command `capture`. Raises as `send`."""
        return self._run(actions.shoot(self._session, self.number, arguments)).picture

    def get(self, remote: str) -> bytes:
        """A file of the unit. Raises NotAchieved."""
        return self._run(actions.get(self._session, self.number, remote)).data

    def put(self, data: bytes, remote: str) -> None:
        """A file to the unit. Raises NotAchieved."""
        self._run(actions.put(self._session, self.number, data, remote))

    def archive(self) -> Reader:
        """What this unit's station has archived."""
        return open(Path(self._session.archive.path))

    def close(self) -> None:
        if self._thread.is_alive():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result(CLOSE_TIMEOUT)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_TIMEOUT)

    def __enter__(self) -> Unit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    port: str | None = None, unit: int | None = None, *, baudrate: int = 115200, home: Path | None = None
) -> Unit:
    """A unit on a port, or (port None) through the station that is running on this computer. Waits until it is heard.

    Raises StationError, NobodyHeard, LineError, each with what to do.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="rovercam", daemon=True)
    thread.start()
    made = Unit(loop, thread, contextlib.AsyncExitStack())
    try:
        made._run(made._open(port, unit, {"baudrate": baudrate, "home": home}))
    except BaseException:
        made.close()
        raise
    return made
