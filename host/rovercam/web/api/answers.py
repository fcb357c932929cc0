"""The shape of every answer, for /api/openapi.json; tests hold the answers against it. Times are POSIX seconds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Says all there is: other names do not come."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    detail: str = Field(description="what is wrong")


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "not a request that can be read"},
    401: {"model": Problem, "description": "a token is needed"},
    403: {"model": Problem, "description": "not with this role, or not from there"},
    404: {"model": Problem, "description": "there is no such thing"},
    409: {"model": Problem, "description": "not possible now"},
    413: {"model": Problem, "description": "a body of more than 1 MiB"},
    422: {"model": Problem, "description": "a value that is refused"},
    503: {"model": Problem, "description": "the archive cannot be read or written now (disk full?)"},
}


# -------------------------------------------------------------------------------------------------------------- station
class DictionaryVersion(Answer):
    version: str
    hash: str = Field(pattern="^[0-9a-f]{8}$")


class Status(Answer):
    time: float
    role: Literal["operator", "viewer"]
    ports: dict[str, bool] = Field(description="name → open")
    heard: list[int] = Field(description="units heard since the station began")
    units: list[int] = Field(description="units heard ever")
    dictionary: DictionaryVersion


class Clocks(Answer):
    utc: float
    sol: int
    lmst: float = Field(description="local mean solar time, hours")
    ltst: float = Field(description="local true solar time, hours")
    ls: float = Field(description="areocentric solar longitude, degrees")
    sun_elevation: float = Field(description="degrees")
    light_time: float = Field(description="one way, seconds")


class UplinkState(Answer):
    """Empty until something was sent."""

    cop1: str | None = None
    waiting: int | None = None
    number: int | None = Field(default=None, description="anti-replay number used last")
    unit: str | None = Field(default=None, description="what the unit's control word says")


class Link(Answer):
    unit: int
    port: str
    heard: float
    frames: int
    lost: int = Field(description="frames")
    corrected: int = Field(description="symbols")
    duplicates: int = Field(description="frames that another port brought already")
    profile: str
    discarded: int = Field(description="bytes")
    uplink: UplinkState
    insecure: bool
    now: float


class Map(Answer):
    """Pixels are counted from the upper left corner."""

    width: int
    height: int
    metres_per_pixel: float
    site: list[float] = Field(min_length=2, max_length=2, description="pixels right and down where the pose began")
    picture: str = Field(description="its address")


# ------------------------------------------------------------------------------------------------------------ telemetry
class ParameterDefinition(Answer):
    name: str
    id: int
    type: str
    unit: str
    text: str
    settable: bool
    yellow_min: float | None = None
    yellow_max: float | None = None
    red_min: float | None = None
    red_max: float | None = None
    values: dict[str, int] | None = Field(default=None, description="of an enumeration")


class LatestValue(Answer):
    time: float
    value: bool | int | float | str | None
    state: Literal["normal", "yellow", "red"]


class History(Answer):
    """times and values of equal length, ascending."""

    unit: int
    name: str
    engineering_unit: str
    times: list[float]
    values: list[float | None]


# --------------------------------------------------------------------------------------------------- events and commands
class EventRow(Answer):
    id: int
    packet: int | None = Field(description="row of its packet; null: of the station itself")
    time: float
    received: float
    unit: int
    number: int
    name: str
    severity: Literal["info", "low", "medium", "high"]
    text: str
    fields: dict[str, Any]
    acknowledged: str | None = Field(description="by whom")


class Acknowledged(Answer):
    id: int
    acknowledged: str


class ArgumentDefinition(Answer):
    name: str
    type: str
    unit: str
    text: str
    required: bool
    values: list[str] | None = Field(default=None, description="of an enumeration")
    min: float | None = None
    max: float | None = None
    max_items: int | None = None
    default: str | bool | float | None = None


class CommandDefinition(Answer):
    name: str
    text: str
    two_step: bool = Field(description="needs `arm` right before it")
    normal_only: bool = Field(description="refused in safe mode")
    arguments: list[ArgumentDefinition]


class CommandStage(Answer):
    time: float
    stage: str = Field(description="sent, received, acceptance, start, progress, completion, scheduled, lost")
    success: bool
    code: int | None
    text: str


State = Literal["queued", "sent", "received", "accepted", "started", "done", "failed", "lost"]


class CommandState(Answer):
    """time: of the latest change."""

    kind: Literal["CommandChanged"]
    time: float
    id: int
    unit: int
    name: str
    arguments: dict[str, Any]
    sender: str
    state: State
    stages: list[CommandStage]
    two_step: bool


class CommandRow(Answer):
    """time: when it was given; data: the packet, hexadecimal; finished: when its state became final."""

    id: int
    time: float
    unit: int
    name: str
    arguments: dict[str, Any]
    sender: str
    apid: int
    sequence: int
    data: str = Field(pattern="^([0-9a-f]{2})*$")
    state: State
    finished: float | None
    stages: list[CommandStage]


# ------------------------------------------------------------------------------------------------------------- products
class Layer(Answer):
    layer: int
    transfer: int
    name: str
    size: int | None
    received: int
    status: str


class Product(Answer):
    id: int
    unit: int
    number: int
    kind: str
    began: float
    updated: float
    state: str
    width: int | None
    height: int | None
    depth: int | None
    channels: int | None
    fields: dict[str, Any] = Field(description="the unit's catalogue entry; empty while it has not come")
    layers: list[Layer]


class PictureRow(Product):
    png: str = Field(description="address of the picture as far as it is there")


class Confidence(Answer):
    """Shares of the pixels."""

    nothing: float
    thumbnail: float
    base: float
    refined: float
    exact: float


class Picture(Answer):
    id: int
    complete: bool
    fields: dict[str, Any]
    confidence: Confidence


class Transfer(Answer):
    id: int
    unit: int
    sender: int = Field(description="entity that sends: the unit's id, 0 for the ground")
    number: int
    began: float
    name: str
    target: str
    size: int | None
    received: int
    status: str
    finished: float | None
    checksum: int | None


class TransferAction(Answer):
    source: int
    number: int
    action: Literal["suspend", "resume", "cancel"]
