"""What the console shows, kept up to date by updates; pages compare revisions and redraw only what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rovercam.archive import Archive
from rovercam.dictionary import Dictionary
from rovercam.station.updates import (
    AnswerReceived,
    CommandChanged,
    EventReceived,
    PictureChanged,
    PortChanged,
    Stage,
    Telemetry,
    TransferChanged,
    Update,
)

EVENTS, COMMANDS, PRODUCTS, TRANSFERS = 300, 60, 60, 60
ALARMING = ("medium", "high")


@dataclass(slots=True)
class Value:
    time: float
    value: Any
    state: str = "normal"
    """normal, yellow, red."""


@dataclass(slots=True)
class Event:
    id: int
    time: float
    unit: int
    name: str
    severity: str
    text: str
    acknowledged: str | None

    @property
    def alarming(self) -> bool:
        return self.severity in ALARMING and not self.acknowledged


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a unit answered to list_schedule: entry, seconds (POSIX), service, subtype, function of each command."""

    time: float
    enabled: bool
    entries: tuple[Mapping[str, Any], ...]


class Model:
    def __init__(self, archive: Archive):
        self._dictionary: Dictionary = archive.dictionary
        self.values: dict[int, dict[str, Value]] = defaultdict(dict)
        self.events: dict[int, Event] = {}
        self.commands: dict[int, CommandChanged] = {}
        self.pictures: dict[int, PictureChanged] = {}
        self.transfers: dict[int, TransferChanged] = {}
        self.ports: dict[str, tuple[str, str]] = {}
        self.schedules: dict[int, Schedule] = {}
        self._schedule_parts: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.revision: dict[str, int] = defaultdict(int)
        self._load(archive)

    def _load(self, archive: Archive) -> None:
        """What the archive remembers, so that a fresh station does not look empty."""
        for unit in archive.units():
            for name, (at, number) in archive.latest_values(unit).items():
                parameter = self._dictionary.parameters.get(name)
                if parameter is None:
                    continue
                value: Any = number
                if parameter.type in self._dictionary.enums:
                    value = self._dictionary.enum_name(parameter.type, int(number))
                elif parameter.type == "bool":
                    value = bool(number)
                elif parameter.scale == 1 and number == int(number):
                    value = int(number)
                self.values[unit][name] = Value(at, value, parameter.state(number))
        for e in archive.events(limit=EVENTS):
            self.events[e["id"]] = Event(
                e["id"], e["time"], e["unit"], e["name"], e["severity"], e["text"], e["acknowledged"]
            )
        for c in archive.commands(limit=COMMANDS):
            self._put(self.commands, COMMANDS, c["id"], command_of(c, self._dictionary))
        for p in archive.products(limit=PRODUCTS):
            self._put(self.pictures, PRODUCTS, p["id"], picture_of(p))
        ground = int(self._dictionary.raw["unit"]["ground_entity"])
        for t in archive.transfers(limit=TRANSFERS):
            self._put(self.transfers, TRANSFERS, t["id"], transfer_of(t, ground))

    @staticmethod
    def _put(table: dict[int, Any], limit: int, key: int, value: Any) -> None:
        table[key] = value
        while len(table) > limit:
            del table[min(table)]

    def tell(self, update: Update) -> None:
        """A subscriber of the station."""
        if isinstance(update, Telemetry):
            values = self.values[update.unit]
            for name, value in update.values.items():
                values[name] = Value(update.time, value, update.alarms.get(name, "normal"))
            self.revision["telemetry"] += 1
        elif isinstance(update, EventReceived):
            event = Event(update.id, update.time, update.unit, update.name, update.severity, update.text, None)
            self._put(self.events, EVENTS, update.id, event)
            self.revision["events"] += 1
        elif isinstance(update, CommandChanged):
            self._put(self.commands, COMMANDS, update.id, update)
            self.revision["commands"] += 1
        elif isinstance(update, PictureChanged):
            self._put(self.pictures, PRODUCTS, update.product, update)
            self.revision["pictures"] += 1
        elif isinstance(update, TransferChanged):
            self._put(self.transfers, TRANSFERS, update.transfer, update)
            self.revision["transfers"] += 1
        elif isinstance(update, AnswerReceived) and update.name == "schedule":
            self._schedule(update)
        elif isinstance(update, PortChanged):
            self.ports[update.port] = (update.state, update.text)
            self.revision["ports"] += 1

    def _schedule(self, answer: AnswerReceived) -> None:
        """The unit's answer comes in parts; the last one says so."""
        parts = self._schedule_parts[answer.unit]
        parts += answer.values["items"]
        if answer.values["last"]:
            self.schedules[answer.unit] = Schedule(answer.time, bool(answer.values["enabled"]), tuple(parts))
            self._schedule_parts[answer.unit] = []

    def acknowledged(self, event: int, who: str) -> None:
        if event in self.events:
            self.events[event].acknowledged = who
            self.revision["events"] += 1

    def alarms(self) -> list[Event]:
        """Events that a person has yet to acknowledge, newest first."""
        return [e for e in sorted(self.events.values(), key=lambda e: -e.id) if e.alarming]


def command_of(row: dict[str, Any], dictionary: Dictionary) -> CommandChanged:
    definition = dictionary.commands.get(row["name"])
    return CommandChanged(
        time=row["time"],
        id=row["id"],
        unit=row["unit"],
        name=row["name"],
        arguments=row["arguments"],
        sender=row["sender"],
        state=row["state"],
        stages=tuple(Stage(**s) for s in row["stages"]),
        two_step=bool(definition and definition.two_step),
    )


def picture_of(row: dict[str, Any]) -> PictureChanged:
    layers = tuple((la["layer"], la["received"], la["size"]) for la in row["layers"] if la["layer"] >= 0)
    return PictureChanged(
        time=row["updated"],
        product=row["id"],
        unit=row["unit"],
        number=row["number"],
        state=row["state"],
        received=sum(la[1] for la in layers),
        size=row["fields"].get("size"),
        layers=layers,
        fields=row["fields"],
    )


def transfer_of(row: dict[str, Any], ground: int) -> TransferChanged:
    return TransferChanged(
        time=row["finished"] or row["began"],
        transfer=row["id"],
        unit=row["unit"],
        number=row["number"],
        direction="up" if row["sender"] == ground else "down",
        name=row["name"],
        received=row["received"],
        size=row["size"],
        status=row["status"],
    )
