"""Routes of events, and of a person's having seen them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from rovercam.archive import Archive
from rovercam.web.api.answers import Acknowledged, EventRow
from rovercam.web.api.common import LATEST, ROW, End, Json, Limit, MayCommand, OfUnit, Row, Severity, Start
from rovercam.web.context import Context


class Acknowledgement(BaseModel):
    model_config = ConfigDict(extra="forbid")
    who: str | None = Field(default=None, max_length=60, pattern=r"^[\w .@()-]*$")


def add(api: FastAPI, context: Context) -> None:
    @api.get("/api/events", tags=["events"], response_model=list[EventRow])
    async def events(
        unit: OfUnit = None,
        start: Start = 0.0,
        end: End = LATEST,
        severity: Annotated[list[Severity] | None, Query(description="only these; several")] = None,
        after: Annotated[int, Query(ge=0, le=ROW, description="only rows with a higher id")] = 0,
        limit: Limit = 500,
    ) -> Any:
        """Oldest first."""
        return Json(
            await context.reads.ask(
                lambda a: a.events(start, end, unit=unit, severities=severity, after=after, limit=limit)
            )
        )

    @api.post(
        "/api/events/{event}/acknowledge", tags=["events"], dependencies=[MayCommand], response_model=Acknowledged
    )
    async def acknowledge(event: Row, body: Acknowledgement | None = None) -> Any:
        """Somebody has seen it."""

        def known(a: Archive) -> bool:
            return a.db.execute("SELECT 1 FROM event WHERE id = ?", (event,)).fetchone() is not None

        if not await context.reads.ask(known) and event not in context.model.events:
            raise HTTPException(404, f"there is no event {event}")
        who = (body.who if body else None) or context.sender
        context.acknowledge(event, who)
        return Json({"id": event, "acknowledged": who})
