"""One emulated unit and a ground station on virtual time, with what an operator does: command, wait, look.

with Flight(folder) as flight:
    assert flight.command("capture", size="qvga").state == "done"
    flight.event("picture_taken")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.station import updates
from rovercam.station.core import Station

from rovercam_hil.boards.unit import Unit, make_unit
from rovercam_hil.clock.session import Direction, Session


class Flight:
    """``folder`` gets archive and keys. Further arguments go to make_unit(); the unit is switched on by ``start()``."""

    def __init__(
        self,
        folder: Path,
        *,
        unit: Unit | None = None,
        down: Direction | None = None,
        up: Direction | None = None,
        **arguments: Any,
    ):
        self.unit = unit if unit is not None else make_unit(**arguments)
        keys = KeyStore(folder / "keys")
        keys.put(self.unit.number, self.unit.key)
        self.session = Session(None)  # type: ignore[arg-type]  # set below: the station needs the session's clock
        self.archive = Archive(folder / "archive.db")
        self.station = Station(self.archive, keys, now=self.session.now, set_clocks=True)
        self.session.station = self.station
        self.session.add(self.unit.board, down=down, up=up)
        self.events: list[updates.EventReceived] = []
        self.answers: list[updates.AnswerReceived] = []
        self.commands: dict[int, updates.CommandChanged] = {}
        self.transfers: dict[int, updates.TransferChanged] = {}
        self.telemetry: dict[str, dict[str, Any]] = {}
        self.reports = 0
        self.station.subscribe(self._on_update)

    def __enter__(self) -> Flight:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.unit.board.close()
        self.archive.close()

    def _on_update(self, update: updates.Update) -> None:
        if isinstance(update, updates.EventReceived):
            self.events.append(update)
        elif isinstance(update, updates.AnswerReceived):
            self.answers.append(update)
        elif isinstance(update, updates.CommandChanged):
            self.commands[update.id] = update
        elif isinstance(update, updates.TransferChanged):
            self.transfers[update.transfer] = update
        elif isinstance(update, updates.Telemetry):
            self.telemetry[update.structure] = dict(update.values)
            self.reports += 1

    def start(self, timeout: float = 20.0) -> None:
        """Power on and wait until the unit's clock has been set."""
        self.unit.board.power_on()
        self.event("time_set", timeout, since=len(self.events))

    def run(self, seconds: float) -> None:
        self.session.run(seconds)

    def until(self, condition: Callable[[], Any], timeout: float, what: str) -> None:
        self.session.run_until(lambda: bool(condition()), timeout, what)

    def command(
        self, name: str, *, timeout: float = 30.0, arm: bool = True, **arguments: Any
    ) -> updates.CommandChanged:
        """Send a command and wait for its end; two-step ones are armed first unless ``arm`` is False."""
        definition = self.station.dictionary.commands[name]
        if definition.two_step and arm:
            self.command(
                "arm",
                armed_service=definition.service,
                armed_subtype=definition.subtype,
                armed_function=definition.function or 0,
            )
        number = self.send(name, **arguments)
        self.until(lambda: number in self.commands and self.commands[number].ended, timeout, f"the end of {name}")
        return self.commands[number]

    def send(self, name: str, **arguments: Any) -> int:
        """Send and do not wait; the number under which ``commands`` has it."""
        return self.station.command(self.unit.number, name, arguments, self.session.now).id

    def event(self, name: str, timeout: float = 10.0, since: int = 0) -> updates.EventReceived:
        """Wait for an event called ``name`` among those from number ``since`` on."""
        found: list[updates.EventReceived] = []

        def there() -> bool:
            found[:] = [e for e in self.events[since:] if e.name == name]
            return bool(found)

        self.until(there, timeout, f"event {name}")
        return found[0]

    def answer(self, name: str, timeout: float = 10.0, since: int = 0) -> updates.AnswerReceived:
        """Wait for a report called ``name`` among the answers from number ``since`` on."""
        self.until(lambda: [a for a in self.answers[since:] if a.name == name], timeout, f"report {name}")
        return next(a for a in self.answers[since:] if a.name == name)

    def health(self, timeout: float = 15.0) -> dict[str, Any]:
        """The next health report."""
        self.telemetry.pop("health", None)
        self.until(lambda: "health" in self.telemetry, timeout, "a health report")
        return self.telemetry["health"]
