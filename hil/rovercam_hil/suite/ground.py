"""The ground station as a scenario handles it: send, wait for a fact with a deadline, look at what came.

All times are seconds of the bench's clock: virtual on an emulated board, the wall clock on a real one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rovercam.archive import Archive
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.pictures import Rendered, render

from rovercam_hil.clock.session import Session

T = TypeVar("T")
U = TypeVar("U", bound=updates.Update)


class FactMissing(AssertionError):
    """Something awaited did not come in time; the message says what did."""


class Refused(AssertionError):
    """A command that had to be done was not; the message is the unit's reason."""


class Ground:
    """One unit's station. ``history``: every update since the unit was made; ``mark()`` is a place in it."""

    def __init__(
        self, session: Session, station: Station, archive: Archive, unit: int, last_words: Callable[[], str]
    ) -> None:
        self.session = session
        self.station = station
        self.archive = archive
        self.unit = unit
        self.history: list[updates.Update] = []
        self._last_words = last_words
        station.subscribe(self.history.append)

    # ------------------------------------------------------------------------------------------------------- waiting
    @property
    def elapsed(self) -> float:
        """Seconds since the bench began with this unit."""
        return self.session.elapsed

    @property
    def now(self) -> float:
        """The ground's clock, POSIX seconds."""
        return self.session.now

    def mark(self) -> int:
        return len(self.history)

    def wait(self, what: str, fact: Callable[[], T | None], timeout: float = 10.0) -> T:
        """Let time pass until ``fact()`` is neither None nor False; returns it. Raises FactMissing after ``timeout``."""
        end = self.session.elapsed + timeout
        while True:
            found = fact()
            if found is not None and found is not False:
                return found
            if self.session.elapsed >= end:
                raise FactMissing(f"{what}: not within {timeout:g} s.\n{self.summary()}")
            self.session.step(self.session.slice_s)

    def run(self, seconds: float) -> None:
        """Let time pass; for what has no fact to wait for, such as showing that something does not come."""
        self.session.run(seconds)

    def summary(self) -> str:
        """The last things that came, and the board's last words."""
        lines = [_short(u) for u in self.history if not isinstance(u, updates.PictureChanged)][-12:]
        return (
            "The station's last updates:\n  " + "\n  ".join(lines) + f"\nThe board's last words:\n{self._last_words()}"
        )

    # --------------------------------------------------------------------------------------------------- what came
    def found(
        self, kind: type[U], since: int = 0, where: Callable[[U], bool] = lambda _: True, **fields: Any
    ) -> list[U]:
        """Updates of a kind since a mark whose fields have these values."""
        return [
            u
            for u in self.history[since:]
            if isinstance(u, kind) and all(getattr(u, k) == v for k, v in fields.items()) and where(u)
        ]

    def expect(
        self,
        kind: type[U],
        since: int | None = None,
        timeout: float = 10.0,
        where: Callable[[U], bool] = lambda _: True,
        **fields: Any,
    ) -> U:
        """The first update of a kind since a mark (default: from now on) with these fields."""
        start = self.mark() if since is None else since
        what = f"{kind.__name__} {fields or ''}"
        return self.wait(what, lambda: next(iter(self.found(kind, start, where, **fields)), None), timeout)

    def event(self, name: str, since: int | None = None, timeout: float = 15.0, **values: Any) -> updates.EventReceived:
        """The first event ``name`` since a mark whose fields have these values."""

        def fits(event: updates.EventReceived) -> bool:
            return all(event.values.get(k) == v for k, v in values.items())

        return self.expect(updates.EventReceived, since, timeout, fits, name=name)

    def events(self, since: int = 0) -> list[str]:
        """Names of the unit's events since a mark."""
        return [e.name for e in self.found(updates.EventReceived, since) if e.name != "station"]

    # -------------------------------------------------------------------------------------------------- commanding
    def queue(self, name: str, **arguments: Any) -> int:
        """Queue a command and go on; returns its number, for ``ended``."""
        return self.station.command(self.unit, name, arguments, self.now).id

    def ended(self, number: int, timeout: float = 30.0) -> updates.CommandChanged:
        """The command's end: state done, failed or lost."""
        return self.wait(
            f"the end of command {number}",
            lambda: next(
                (
                    c
                    for c in reversed(self.history)
                    if isinstance(c, updates.CommandChanged) and c.id == number and c.ended
                ),
                None,
            ),
            timeout,
        )

    def send(self, name: str, *, timeout: float = 30.0, **arguments: Any) -> updates.CommandChanged:
        """One command to its end."""
        return self.ended(self.queue(name, **arguments), timeout)

    def do(self, name: str, *, timeout: float = 30.0, **arguments: Any) -> updates.CommandChanged:
        """One command, done. Raises Refused."""
        command = self.send(name, timeout=timeout, **arguments)
        if command.state != "done":
            raise Refused(f"{name} {arguments}: {command.reason or command.state}\n{self.summary()}")
        return command

    def refused(self, name: str, *, timeout: float = 30.0, **arguments: Any) -> str:
        """One command that the unit must not do; returns its reason."""
        command = self.send(name, timeout=timeout, **arguments)
        assert command.state == "failed", f"{name} {arguments} was {command.state}, a refusal was expected"
        return command.reason

    def answer(self, report: str, command: str, *, timeout: float = 15.0, **arguments: Any) -> dict[str, Any]:
        """The report that answers a command."""
        since = self.mark()
        self.do(command, timeout=timeout, **arguments)
        return dict(self.expect(updates.AnswerReceived, since, timeout, name=report).values)

    def telemetry(self, structure: str = "health", timeout: float = 15.0) -> updates.Telemetry:
        """A housekeeping report sampled from now on."""
        self.run(0.2)  # what is on the line now was sampled before
        return self.expect(updates.Telemetry, None, timeout, structure=structure)

    def least_heap(self, since: int = 0) -> int:
        """Bytes of the least free heap (since its start) that the unit has told of since a mark, 0 when it told of none."""
        told = self.found(updates.Telemetry, since, structure="health")
        return min((t.values["heap_minimum"] for t in told), default=0)

    # -------------------------------------------------------------------------------------------- pictures and files
    def shoot(self, *, timeout: float = 120.0, **arguments: Any) -> Rendered:
        """Take a picture and bring all of it down. Raises Refused, FactMissing."""
        since = self.mark()
        self.do("capture", timeout=timeout, **arguments)
        taken = self.event("picture_taken", since, timeout)
        down = self.expect(
            updates.PictureChanged, since, timeout, lambda p: p.state == "down", number=taken.values["product"]
        )
        picture = render(self.archive, down.product)
        assert picture.complete, "the product is down, but layers are missing"
        return picture

    def get(self, path: str, *, timeout: float = 120.0, since: int | None = None) -> bytes:
        """A file of the unit; with ``since``, one that was asked for before."""
        if since is None:
            since = self.mark()
            self.do("downlink_file", path=path)
        ended = self.expect(
            updates.TransferChanged, since, timeout, lambda t: t.status != "active", direction="down", name=path
        )
        if ended.status != "finished":
            raise Refused(f"{path}: the transfer was {ended.status}: {ended.text}")
        data = self.archive.content(ended.transfer)
        assert data is not None
        return data

    def put(self, data: bytes, path: str, *, timeout: float = 120.0) -> None:
        """A file to the unit; returns when the unit says that it has it."""
        since = self.mark()
        transaction = self.station.put(self.unit, data, path, self.now)
        ended = self.expect(
            updates.TransferChanged,
            since,
            timeout,
            lambda t: t.status != "active",
            direction="up",
            number=transaction.number,
        )
        if ended.status != "finished":
            raise Refused(f"{path}: the transfer was {ended.status}: {ended.text}")


def _short(update: updates.Update) -> str:
    text = f"{update.time:.2f} {type(update).__name__}"
    for name in ("name", "structure", "state", "status", "text", "reason", "direction", "received", "size"):
        value = getattr(update, name, None)
        if value not in (None, ""):
            text += f" {value}"
    return text[:200]
