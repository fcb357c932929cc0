"""The HTTP API under /api: history, latest values, events, commands, pictures, products, link, live updates.

Times are POSIX seconds (UTC). /api/openapi.json describes every answer. Errors are {"detail": what is wrong}:
401/403 no access, 404 no such thing, 409 not possible now, 422 a value that is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteError
from starlette.routing import Match, Route

from rovercam.archive import ArchiveError
from rovercam.archive.errors import UnknownSeries
from rovercam.dictionary import DictionaryError, UnknownName
from rovercam.station.core import StationError
from rovercam.station.pictures import NoPicture
from rovercam.web.api import commands, events, live, products, sitemap, station, telemetry
from rovercam.web.api.answers import ERRORS
from rovercam.web.api.common import Json
from rovercam.web.context import Context


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
    for part in (telemetry, station, sitemap, events, commands, products, live):
        part.add(api, context)
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
    async def _(request: Request, error: StarletteError) -> Response:
        headers = error.headers
        if error.status_code == 405:
            headers = {"allow": ", ".join(_methods(api, request))}
        return Json({"detail": error.detail}, error.status_code, headers=headers)


def _methods(api: FastAPI, request: Request) -> list[str]:
    """All methods of an address; the router names those of its first route alone (RFC 9110 section 10.2.1)."""
    found: set[str] = set()
    for route in api.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
