"""What API and console are given: one station, its clock, connections for questions, and who may do what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rovercam.dictionary import Field, ValueRefused, find
from rovercam.station.core import Station
from rovercam.station.updates import CommandChanged
from rovercam.web.access import Access
from rovercam.web.live import Hub
from rovercam.web.model import Model
from rovercam.web.reads import Pictures, Reads
from rovercam.web.sitemap import SiteMap


class Clockwork(Protocol):
    """What is needed of a runner: the clock all calls use, and a way to say that there is something to send."""

    @property
    def clock(self) -> Callable[[], float]: ...

    def kick(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    station: Station
    runner: Clockwork
    access: Access
    reads: Reads
    pictures: Pictures
    hub: Hub
    model: Model
    sender: str
    site_map: SiteMap | None = None

    def now(self) -> float:
        return self.runner.clock()

    def send(self, unit: int, name: str, arguments: Mapping[str, Any], sender: str) -> CommandChanged:
        """Raises UnknownName, ValueRefused, StationError; nothing was queued then."""
        definition = find(self.station.dictionary.commands, name, "command")
        checked = {f.name: _scalar(f, arguments[f.name]) for f in definition.args if arguments.get(f.name) is not None}
        unknown = [n for n in arguments if n not in {f.name for f in definition.args}]
        if unknown:
            takes = ", ".join(f.name for f in definition.args) or "none"
            raise ValueRefused(f"{name} has no argument {unknown[0]!r}; it takes {takes}")
        try:
            command = self.station.command(unit, name, checked, self.now(), sender=sender)
        except (TypeError, OverflowError, UnicodeError) as error:
            raise ValueRefused(f"{name}: a value has the wrong type or size ({error})") from error
        self.runner.kick()
        return command

    def transfer(self, action: str, source: int, number: int) -> None:
        """Raises StationError."""
        self.station.transfer(action, source, number, self.now())
        self.runner.kick()

    def acknowledge(self, event: int, who: str) -> None:
        self.station.archive.acknowledge_event(event, who)
        self.station.commit(self.now())
        self.model.acknowledged(event, who)
        self.hub.say({"kind": "EventAcknowledged", "time": self.now(), "id": event, "acknowledged": who})


def _scalar(field: Field, value: Any) -> Any:
    """What JSON brings, as the dictionary's encoder takes it; raises ValueRefused for what no field can be."""
    if field.type.endswith("[]"):
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(i, (str, int, float)) for i in items):
            raise ValueRefused(f"{field.name}: a list of names or numbers is needed")
        return [i.strip() if isinstance(i, str) else i for i in items if i != ""]
    if field.type in ("string", "bytes"):
        if not isinstance(value, str):
            raise ValueRefused(f"{field.name}: text is needed")
        if field.type == "string" and not value.isprintable():
            raise ValueRefused(f"{field.name}: control characters are not allowed")
        return value
    if not isinstance(value, (str, int, float)):
        raise ValueRefused(f"{field.name}: a number or a name is needed")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 40:
        raise ValueRefused(f"{field.name} = {value:.6g}: too large")
    return value
