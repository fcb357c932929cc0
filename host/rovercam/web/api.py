"""The HTTP API under /api: history, latest values, events, commands, pictures, products, link, live updates.

Times are POSIX seconds (UTC). /api/openapi.json describes everything. Errors are {"detail": what is wrong}: 401/403 no
access, 404 no such thing, 409 not possible now, 422 a value that is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteError

from rovercam import marstime
from rovercam.archive import Archive, ArchiveError
from rovercam.archive.errors import UnknownSeries
from rovercam.dictionary import Command, Dictionary, DictionaryError, UnknownName
from rovercam.dictionary.fields import raw_range
from rovercam.station.core import StationError
from rovercam.station.pictures import NoPicture
from rovercam.station.server import overview
from rovercam.station.updates import KINDS
from rovercam.web.access import OPERATOR
from rovercam.web.context import Context
from rovercam.web.live import Client, dumps
from rovercam.web.reads import quietly, shares

LATEST = 1e11
"""Times this far from 1970 on are refused (the year 5138)."""
ROW = (1 << 62) - 1

Unit = Annotated[int, Path(ge=0, le=255, description="unit id")]
Row = Annotated[int, Path(ge=0, le=ROW)]
OfUnit = Annotated[int | None, Query(ge=0, le=255, description="only this unit")]
Start = Annotated[float, Query(ge=0, le=LATEST, allow_inf_nan=False, description="POSIX seconds, included")]
End = Annotated[float, Query(ge=0, le=LATEST, allow_inf_nan=False, description="POSIX seconds, not included")]
Limit = Annotated[int, Query(ge=1, le=10_000, description="the newest so many")]


class Json(Response):
    """Numbers that JSON has no word for are null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return dumps(content)


class Strategy(StrEnum):
    """latest: the newest `size` samples; minmax: the smallest and largest of each of size/2 equal spans of time."""

    latest = "latest"
    minmax = "minmax"


class Kind(StrEnum):
    full = "full"
    thumbnail = "thumbnail"
    confidence = "confidence"


class Action(StrEnum):
    suspend = "suspend"
    resume = "resume"
    cancel = "cancel"


class CommandRequest(BaseModel):
    """A telecommand. arguments: by name, engineering values; those left away take their default."""

    model_config = ConfigDict(extra="forbid")
    unit: int = Field(ge=1, le=99)
    name: str = Field(max_length=64)
    arguments: dict[str, str | bool | int | float | list[str | int | float] | None] = Field(default_factory=dict)
    sender: str | None = Field(
        default=None, max_length=60, pattern=r"^[\w .@()-]*$", description="who it is logged for"
    )


class Acknowledgement(BaseModel):
    model_config = ConfigDict(extra="forbid")
    who: str | None = Field(default=None, max_length=60, pattern=r"^[\w .@()-]*$")


class History(BaseModel):
    """times (POSIX seconds) and values of equal length, ascending."""

    unit: int
    name: str
    engineering_unit: str
    times: list[float]
    values: list[float | None]


def operator(request: Request) -> None:
    """Refuses everybody else."""
    if request.state.role != OPERATOR:
        raise HTTPException(403, "this token is for looking only: commands need the operator's")


MayCommand = Depends(operator)
ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "a token is needed"},
    403: {"description": "not with this role, or not from there"},
    404: {"description": "there is no such thing"},
    409: {"description": "not possible now"},
}


def make_api(context: Context) -> FastAPI:
    """The API of one station."""
    api = FastAPI(
        title="rovercam ground station",
        version=context.station.dictionary.version,
        docs_url=None,  # their pages load scripts from the internet
        redoc_url=None,
        openapi_url="/api/openapi.json",
        default_response_class=Json,
        responses=ERRORS,
    )
    _errors(api)
    _telemetry(api, context)
    _station(api, context)
    _events(api, context)
    _commands(api, context)
    _products(api, context)
    _live(api, context)
    return api


def _errors(api: FastAPI) -> None:
    statuses: dict[type[Exception], int] = {
        UnknownName: 404,
        UnknownSeries: 404,
        NoPicture: 404,
        DictionaryError: 422,
        StationError: 409,
        ArchiveError: 503,
    }

    def handler(status: int) -> Callable[[Request, Exception], Response]:
        return lambda _, error: Json({"detail": str(error)}, status)

    for kind, status in statuses.items():
        api.add_exception_handler(kind, handler(status))

    @api.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> Response:
        parts = [f"{'.'.join(map(str, e['loc'][1:])) or e['loc'][0]}: {e['msg']}" for e in error.errors()]
        return Json({"detail": "; ".join(parts)}, 422)

    @api.exception_handler(StarletteError)
    async def _(_: Request, error: StarletteError) -> Response:
        return Json({"detail": error.detail}, error.status_code, headers=error.headers)


def _station(api: FastAPI, context: Context) -> None:
    station = context.station

    @api.get("/api/status", tags=["station"])
    async def status(request: Request) -> Any:
        """Ports, units, the dictionary's version and the asker's role."""
        known = set(station.units()) | set(await context.reads.ask(lambda a: a.units()))
        return Json(
            {
                "time": context.now(),
                "role": request.state.role,
                "ports": station.ports(),
                "heard": station.units(),
                "units": sorted(known),
                "dictionary": {"version": station.dictionary.version, "hash": f"{station.dictionary.hash:08x}"},
            }
        )

    @api.get("/api/time", tags=["station"])
    async def clocks() -> Any:
        """UTC, and time on Mars at Zhurong's site."""
        now = time.time()
        moment = marstime.ZHURONG.moment(now)
        return Json(
            {
                "utc": now,
                "sol": moment.sol,
                "lmst": moment.lmst,
                "ltst": moment.ltst,
                "ls": moment.ls,
                "sun_elevation": moment.sun_elevation,
                "light_time": marstime.light_time(now),
            }
        )

    @api.get("/api/units/{unit}/link", tags=["station"])
    async def link(unit: Unit) -> Any:
        """Line profile, frames, lost, corrected; COP-1 and authentication of the uplink."""
        return Json(overview(station, unit) | {"now": context.now()})


def _telemetry(api: FastAPI, context: Context) -> None:
    dictionary = context.station.dictionary

    @api.get("/api/parameters", tags=["telemetry"])
    async def parameters() -> Any:
        """The dictionary's parameters: type, unit, limits, what they mean."""
        return Json([parameter_json(dictionary, n) for n in dictionary.parameters])

    @api.get("/api/units/{unit}/parameters", tags=["telemetry"])
    async def parameters_of(unit: Unit) -> Any:
        """Names of parameters that there are samples of."""
        return Json(await context.reads.ask(lambda a: a.parameter_names(unit)))

    @api.get("/api/units/{unit}/latest", tags=["telemetry"])
    async def latest(unit: Unit) -> Any:
        """The newest value of every parameter with its time and limit state."""
        values = context.model.values.get(unit, {})
        return Json({n: {"time": v.time, "value": v.value, "state": v.state} for n, v in sorted(values.items())})

    @api.get("/api/units/{unit}/parameters/{name}/history", tags=["telemetry"], response_model=History)
    async def history(
        unit: Unit,
        name: Annotated[str, Path(max_length=64)],
        start: Start = 0.0,
        end: End = LATEST,
        strategy: Strategy = Strategy.minmax,
        size: Annotated[int, Query(ge=2, le=100_000, description="at most so many samples")] = 1000,
    ) -> Any:
        """Samples with start ≤ time < end; enumerations as numbers."""
        if name not in dictionary.parameters and name not in await context.reads.ask(lambda a: a.parameter_names(unit)):
            raise UnknownSeries(f"unit {unit} has no parameter {name!r}")
        found = await context.reads.ask(lambda a: a.history(unit, name, start, end, strategy=strategy.value, size=size))
        return Json(
            {
                "unit": unit,
                "name": name,
                "engineering_unit": found.engineering_unit,
                "times": found.times.tolist(),
                "values": found.values.tolist(),
            }
        )


def parameter_json(dictionary: Dictionary, name: str) -> dict[str, Any]:
    p = dictionary.parameters[name]
    found: dict[str, Any] = {"name": p.name, "id": p.id, "type": p.type, "unit": p.unit, "text": p.text}
    found["settable"] = p.settable
    found |= {k: getattr(p, k) for k in ("yellow_min", "yellow_max", "red_min", "red_max") if getattr(p, k) is not None}
    if p.type in dictionary.enums:
        found["values"] = dict(dictionary.enums[p.type])
    return found


def _events(api: FastAPI, context: Context) -> None:
    @api.get("/api/events", tags=["events"])
    async def events(
        unit: OfUnit = None,
        start: Start = 0.0,
        end: End = LATEST,
        severity: Annotated[list[str] | None, Query(description="info, low, medium, high; several")] = None,
        after: Annotated[int, Query(ge=0, le=ROW, description="only rows with a higher id")] = 0,
        limit: Limit = 500,
    ) -> Any:
        """Oldest first."""
        return Json(
            await context.reads.ask(
                lambda a: a.events(start, end, unit=unit, severities=severity, after=after, limit=limit)
            )
        )

    @api.post("/api/events/{event}/acknowledge", tags=["events"], dependencies=[MayCommand])
    async def acknowledge(event: Row, body: Acknowledgement | None = None) -> Any:
        """Somebody has seen it."""

        def known(a: Archive) -> bool:
            return a.db.execute("SELECT 1 FROM event WHERE id = ?", (event,)).fetchone() is not None

        if not await context.reads.ask(known) and event not in context.model.events:
            raise HTTPException(404, f"there is no event {event}")
        who = (body.who if body else None) or context.sender
        context.acknowledge(event, who)
        return Json({"id": event, "acknowledged": who})


def _commands(api: FastAPI, context: Context) -> None:
    dictionary = context.station.dictionary

    @api.get("/api/commands/definitions", tags=["commands"])
    async def definitions() -> Any:
        """What can be sent: arguments with type, unit, range and default."""
        return Json([definition_json(dictionary, c) for c in dictionary.commands.values()])

    @api.get("/api/commands", tags=["commands"])
    async def commands(unit: OfUnit = None, start: Start = 0.0, end: End = LATEST, limit: Limit = 100) -> Any:
        """Sent commands with their verification stages, oldest first."""
        return Json(await context.reads.ask(lambda a: a.commands(start, end, unit=unit, limit=limit)))

    @api.get("/api/commands/{command}", tags=["commands"])
    async def command(command: Row) -> Any:
        """One command as it stands."""
        found = context.model.commands.get(command)
        if found is None:
            raise HTTPException(404, f"command {command} is not among the last {len(context.model.commands)}")
        return Json(found.as_json())

    @api.post("/api/commands", tags=["commands"], status_code=202, dependencies=[MayCommand])
    async def send(request: CommandRequest) -> Any:
        """Check, queue and send one command; its stages follow live and under /api/commands/{id}."""
        sent = context.send(request.unit, request.name, request.arguments, request.sender or context.sender)
        return Json(sent.as_json(), 202)


def definition_json(dictionary: Dictionary, command: Command) -> dict[str, Any]:
    args = []
    for f in command.args:
        one: dict[str, Any] = {
            "name": f.name,
            "type": f.type,
            "unit": f.unit,
            "text": f.text,
            "required": f.default is None,
        }
        if f.type in dictionary.enums:
            one["values"] = list(dictionary.enums[f.type])
        elif f.type not in ("string", "bytes", "value", "bool"):
            low, high = raw_range(f, dictionary)
            one |= {"min": low * f.scale + f.offset, "max": high * f.scale + f.offset}
        if f.max_items is not None:
            one["max_items"] = f.max_items
        if f.default is not None:
            one["default"] = f.default if isinstance(f.default, (str, bool)) else f.default * f.scale + f.offset
        args.append(one)
    return {
        "name": command.name,
        "text": command.text,
        "two_step": command.two_step,
        "normal_only": command.normal_only,
        "arguments": args,
    }


def _products(api: FastAPI, context: Context) -> None:
    @api.get("/api/products", tags=["products"])
    async def products(
        unit: OfUnit = None, kind: Annotated[str | None, Query(max_length=20)] = None, limit: Limit = 200
    ) -> Any:
        """Pictures and other products with their layers, newest last."""
        return Json(await context.reads.ask(lambda a: a.products(unit=unit, kind=kind, limit=limit)))

    @api.get("/api/pictures", tags=["products"])
    async def pictures(unit: OfUnit = None, limit: Limit = 200) -> Any:
        """Pictures, newest last."""
        found = await context.reads.ask(lambda a: a.products(unit=unit, kind="picture", limit=limit))
        return Json([p | {"png": f"/api/pictures/{p['id']}.png"} for p in found])

    png: dict[int | str, dict[str, Any]] = {
        200: {"content": {"image/png": {}}, "description": "the picture as far as it is there"}
    }

    @api.get("/api/pictures/{picture}.png", tags=["products"], response_class=Response, responses={**ERRORS, **png})
    async def picture_file(picture: Row, kind: Kind = Kind.full) -> Response:
        """Full size (16-bit where the picture is), thumbnail, or the confidence as a transparent overlay."""
        data = await context.pictures.png(picture, kind.value)
        return Response(data, media_type="image/png", headers={"cache-control": "no-cache"})

    @api.get("/api/pictures/{picture}", tags=["products"])
    async def picture(picture: Row) -> Any:
        """The catalogue entry, and which share of the pixels is how certain."""
        rendered = await context.pictures.rendered(picture)
        names = ("nothing", "thumbnail", "base", "refined", "exact")
        return Json(
            {
                "id": picture,
                "complete": rendered.complete,
                "fields": dict(rendered.fields),
                "confidence": dict(zip(names, shares(rendered), strict=True)),
            }
        )

    @api.get("/api/transfers", tags=["products"])
    async def transfers(
        unit: OfUnit = None, status: Annotated[str | None, Query(max_length=20)] = None, limit: Limit = 200
    ) -> Any:
        """Files on their way and arrived."""
        found = await context.reads.ask(lambda a: a.transfers(unit=unit, status=status, limit=limit))
        return Json([{k: v for k, v in t.items() if k != "state"} for t in found])

    @api.post("/api/transfers/{source}/{number}/{action}", tags=["products"], dependencies=[MayCommand])
    async def transfer(source: Unit, number: Annotated[int, Path(ge=0, le=0xFFFFFFFF)], action: Action) -> Any:
        """Suspend, resume or cancel; source: entity that sends the file (the unit's id, 0 for the ground)."""
        context.transfer(action.value, source, number)
        return Json({"source": source, "number": number, "action": action.value})


def _live(api: FastAPI, context: Context) -> None:
    @api.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        """Every update as it happens. Query: kinds=Telemetry,EventReceived,… and unit=N."""
        kinds = socket.query_params.get("kinds")
        unit = socket.query_params.get("unit")
        wanted = frozenset(kinds.split(",")) if kinds else None
        await socket.accept()
        unknown = (wanted or frozenset()) - KINDS.keys() - {"EventAcknowledged"}
        if unknown or (unit is not None and not (unit.isascii() and unit.isdigit() and len(unit) < 4)):
            await socket.close(1008, f"no such kinds: {sorted(unknown)[:3]}"[:120] if unknown else "unit: a number")
            return
        client = Client(wanted, None if unit is None else int(unit))
        context.hub.clients.add(client)

        async def pour() -> None:
            while True:
                await socket.send_text((await client.next()).decode())

        task = asyncio.create_task(pour())
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # clients have nothing to say here
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            context.hub.clients.discard(client)
            await quietly(task)
