"""Routes of the station itself: ports and units, clocks, a unit's link."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Request

from rovercam import marstime
from rovercam.station.server import overview
from rovercam.web.api.answers import Clocks, Link, Status
from rovercam.web.api.common import Json, Unit
from rovercam.web.context import Context


def add(api: FastAPI, context: Context) -> None:
    station = context.station

    @api.get("/api/status", tags=["station"], response_model=Status)
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

    @api.get("/api/time", tags=["station"], response_model=Clocks)
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

    @api.get("/api/units/{unit}/link", tags=["station"], response_model=Link)
    async def link(unit: Unit) -> Any:
        """Line profile, frames, lost, corrected; COP-1 and authentication of the uplink."""
        return Json(overview(station, unit) | {"now": context.now()})
