"""Routes of telemetry: definitions, newest values, history."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query

from rovercam.archive.errors import UnknownSeries
from rovercam.dictionary import Dictionary
from rovercam.web.api.answers import History, LatestValue, ParameterDefinition
from rovercam.web.api.common import LATEST, End, Json, Start, Unit
from rovercam.web.context import Context


class Strategy(StrEnum):
    """latest: the newest `size` samples; minmax: the smallest and largest of each of size/2 equal spans of time."""

    latest = "latest"
    minmax = "minmax"


def add(api: FastAPI, context: Context) -> None:
    dictionary = context.station.dictionary

    @api.get("/api/parameters", tags=["telemetry"], response_model=list[ParameterDefinition])
    async def parameters() -> Any:
        """The dictionary's parameters: type, unit, limits, what they mean."""
        return Json([definition(dictionary, n) for n in dictionary.parameters])

    @api.get("/api/units/{unit}/parameters", tags=["telemetry"], response_model=list[str])
    async def parameters_of(unit: Unit) -> Any:
        """Names of parameters that there are samples of."""
        return Json(await context.reads.ask(lambda a: a.parameter_names(unit)))

    @api.get("/api/units/{unit}/latest", tags=["telemetry"], response_model=dict[str, LatestValue])
    async def latest(unit: Unit) -> Any:
        """The newest value of every parameter with its time and limit state."""
        values = context.model.values.get(unit, {})
        return Json({n: {"time": v.time, "value": v.value, "state": v.state} for n, v in sorted(values.items())})

    @api.get("/api/units/{unit}/parameters/{name}/history", tags=["telemetry"], response_model=History)
    async def history(
        unit: Unit,
        name: Annotated[str, Path(max_length=64, examples=["chip_temperature"])],
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


def definition(dictionary: Dictionary, name: str) -> dict[str, Any]:
    """As JSON; limits that there are not are left away."""
    p = dictionary.parameters[name]
    found: dict[str, Any] = {"name": p.name, "id": p.id, "type": p.type, "unit": p.unit, "text": p.text}
    found["settable"] = p.settable
    found |= {k: getattr(p, k) for k in ("yellow_min", "yellow_max", "red_min", "red_max") if getattr(p, k) is not None}
    if p.type in dictionary.enums:
        found["values"] = dict(dictionary.enums[p.type])
    return found
