"""What the routes share: how an answer is written, what a path and a query may hold, who may command."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse

from rovercam.web.access import OPERATOR
from rovercam.web.live import dumps

LATEST = 1e11
"""Times this far from 1970 on are refused (the year 5138)."""
ROW = (1 << 62) - 1

Unit = Annotated[int, Path(ge=0, le=255, description="unit id", examples=[1])]
Row = Annotated[int, Path(ge=0, le=ROW, examples=[1])]
OfUnit = Annotated[int | None, Query(ge=0, le=255, description="only this unit")]
Start = Annotated[float, Query(ge=0, le=LATEST, allow_inf_nan=False, description="POSIX seconds, included")]
End = Annotated[float, Query(ge=0, le=LATEST, allow_inf_nan=False, description="POSIX seconds, not included")]
Limit = Annotated[int, Query(ge=1, le=10_000, description="the newest so many")]


class Json(JSONResponse):
    """Numbers that JSON has no word for are null."""

    def render(self, content: Any) -> bytes:
        return dumps(content)


class Severity(StrEnum):
    info = "info"
    low = "low"
    medium = "medium"
    high = "high"


def operator(request: Request) -> None:
    """Refuses everybody else."""
    if request.state.role != OPERATOR:
        raise HTTPException(403, "this token is for looking only: commands need the operator's")


MayCommand = Depends(operator)
