"""What the dictionary holds, as frozen values. Shapes follow rovercam.toml, which is the only definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class DictionaryError(ValueError):
    """rovercam.toml contradicts itself, or a value does not fit its definition. The message names both."""


class UnknownName(DictionaryError):
    """No command, parameter, … of this name; the message offers the nearest ones."""


class ValueRefused(DictionaryError):
    """A value outside its allowed range; the message gives the range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a command, report or event; ``type`` is a base type, an enumeration's name, or TYPE[]."""

    name: str
    type: str
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    min: float | None = None
    max: float | None = None
    default: Any = None
    max_items: int | None = None
    repeat: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One on-board parameter; engineering value = raw × scale + offset."""

    id: int
    name: str
    type: str
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    text: str = ""
    settable: bool = False
    default: float = 0
    min: float | None = None
    max: float | None = None
    yellow_min: float | None = None
    yellow_max: float | None = None
    red_min: float | None = None
    red_max: float | None = None

    def state(self, value: float) -> str:
        """ "normal", "yellow" or "red" for an engineering value."""
        for color, low, high in (("red", self.red_min, self.red_max), ("yellow", self.yellow_min, self.yellow_max)):
            if (low is not None and value < low) or (high is not None and value > high):
                return color
        return "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A housekeeping report structure of service 3."""

    id: int
    name: str
    period: float
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    service: int
    subtype: int
    function: int | None = None
    text: str = ""
    args: tuple[Field, ...] = ()
    two_step: bool = False
    normal_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    name: str
    service: int
    subtype: int
    text: str = ""
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    id: int
    name: str
    severity: str
    text: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """Everything, by name; ``raw`` is the parsed TOML for tables that a module reads itself (profile, segment, …)."""

    version: str
    hash: int
    enums: Mapping[str, Mapping[str, int]]
    parameters: Mapping[str, Parameter]
    structures: Mapping[int, Structure]
    commands: Mapping[str, Command]
    reports: Mapping[tuple[int, int], Report]
    events: Mapping[int, Event]
    failures: Mapping[int, str]
    raw: Mapping[str, Any] = field(repr=False)

    def parameter_by_id(self, number: int) -> Parameter | None:
        return next((p for p in self.parameters.values() if p.id == number), None)

    def enum_name(self, enum: str, value: int) -> str:
        """Name of an enumeration's value, or the number as text when the dictionary does not know it."""
        return next((n for n, v in self.enums[enum].items() if v == value), str(value))

    def apid(self, unit: int, kind: str = "pus") -> int:
        """APID of unit 1-99's "pus", "cfdp" or "repair" packets."""
        table = self.raw["apid"]
        return int(table["base"] + table["per_unit"] * unit + table[kind])

    def scid(self, unit: int) -> int:
        """Spacecraft id of a unit (10 bits)."""
        return int(self.raw["unit"]["scid_base"]) + unit
