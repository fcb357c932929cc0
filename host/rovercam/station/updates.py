"""What a station tells its subscribers. Frozen values; `as_json` is what clients of the local socket and the web see."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Base; time is the station's, POSIX seconds."""

    time: float

    def as_json(self) -> dict[str, Any]:
        """Kind and fields, JSON values only."""
        return {"kind": type(self).__name__} | _plain(dataclasses.asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class PortChanged(Update):
    """state: open, lost, waiting, closed."""

    port: str
    state: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitHeard(Update):
    """First frame of a unit, or the first one on another port."""

    unit: int
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Update):
    """Something a person should know that no unit said; archived as an event of the station."""

    unit: int
    severity: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry(Update):
    """A housekeeping report: name → value in engineering units, and the names beyond a limit → yellow or red."""

    unit: int
    received: float
    structure: str
    values: Mapping[str, Any]
    alarms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceived(Update):
    """id: row in the archive."""

    id: int
    unit: int
    received: float
    name: str
    severity: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReceived(Update):
    """A report that answers a command: parameter values, file list, time …"""

    unit: int
    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step in a command's life: sent, received, acceptance, start, progress, completion."""

    time: float
    stage: str
    success: bool
    code: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandChanged(Update):
    """A command as it stands. id: row in the archive.

    state: queued, sent, received, accepted, started, done, failed, lost.
    """

    id: int
    unit: int
    name: str
    arguments: Mapping[str, Any]
    sender: str
    state: str
    stages: tuple[Stage, ...] = ()
    two_step: bool = False

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "lost")

    @property
    def reason(self) -> str:
        """Why it failed."""
        return next((s.text for s in reversed(self.stages) if not s.success), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferChanged(Update):
    """A file on its way. transfer: row in the archive; number: of the CFDP transaction; direction: down or up.

    status: active, suspended, finished, cancelled. size None: not known yet.
    """

    transfer: int
    unit: int
    number: int
    direction: str
    name: str
    received: int
    size: int | None
    status: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChanged(Update):
    """A product got more data, or a catalogue entry. product: row in the archive; number: the unit's product id."""

    product: int
    unit: int
    number: int
    state: str
    received: int
    size: int | None
    layers: tuple[tuple[int, int, int | None], ...] = ()
    """(layer, bytes received, size) of each layer that has begun."""
    fields: Mapping[str, Any] = field(default_factory=dict)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, enum.Enum):
        return value.value
    return value


def from_json(found: Mapping[str, Any]) -> Update:
    """The update that `as_json` made; raises KeyError for a kind that is not known."""
    fields = dict(found)
    kind = KINDS[fields.pop("kind")]
    if "stages" in fields:
        fields["stages"] = tuple(Stage(**s) for s in fields["stages"])
    if "layers" in fields:
        fields["layers"] = tuple(tuple(la) for la in fields["layers"])
    return kind(**fields)


KINDS: dict[str, type[Update]] = {kind.__name__: kind for kind in Update.__subclasses__()}
