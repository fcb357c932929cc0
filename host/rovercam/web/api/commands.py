"""Routes of telecommands: what can be sent, sending, what became of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rovercam.dictionary import Command, Dictionary
from rovercam.dictionary.fields import raw_range
from rovercam.web.api.answers import CommandDefinition, CommandRow, CommandState
from rovercam.web.api.common import LATEST, End, Json, Limit, MayCommand, OfUnit, Row, Start
from rovercam.web.context import Context
from rovercam.web.model import command_of


def number(value: Any) -> Any:
    """Refuses what pydantic would make a number of: `true` is not unit 1."""
    if isinstance(value, (bool, str)):
        raise ValueError("a number is needed")
    return value


class CommandRequest(BaseModel):
    """A telecommand. arguments: by name, engineering values; those left away take their default."""

    model_config = ConfigDict(extra="forbid")
    unit: Annotated[int, BeforeValidator(number)] = Field(ge=1, le=99, examples=[1])
    name: str = Field(max_length=64, examples=["ping"])
    arguments: dict[str, str | bool | int | float | list[str | int | float] | None] = Field(default_factory=dict)
    sender: str | None = Field(
        default=None, max_length=60, pattern=r"^[\w .@()-]*$", description="who it is logged for"
    )


def add(api: FastAPI, context: Context) -> None:
    dictionary = context.station.dictionary

    @api.get("/api/commands/definitions", tags=["commands"], response_model=list[CommandDefinition])
    async def definitions() -> Any:
        """What can be sent: arguments with type, unit, range and default."""
        return Json([definition(dictionary, c) for c in dictionary.commands.values()])

    @api.get("/api/commands", tags=["commands"], response_model=list[CommandRow])
    async def commands(unit: OfUnit = None, start: Start = 0.0, end: End = LATEST, limit: Limit = 100) -> Any:
        """Sent commands with their verification stages, oldest first."""
        return Json(await context.reads.ask(lambda a: a.commands(start, end, unit=unit, limit=limit)))

    @api.get("/api/commands/{command}", tags=["commands"], response_model=CommandState)
    async def command(command: Row) -> Any:
        """One command as it stands."""
        found = context.model.commands.get(command)
        if found is None:
            row = await context.reads.ask(lambda a: a.command(command))
            if row is None:
                raise HTTPException(404, f"there is no command {command}")
            found = command_of(row, dictionary)
        return Json(found.as_json())

    @api.post(
        "/api/commands", tags=["commands"], status_code=202, dependencies=[MayCommand], response_model=CommandState
    )
    async def send(request: CommandRequest) -> Any:
        """Check, queue and send one command; its stages follow live and under /api/commands/{id}."""
        sent = context.send(request.unit, request.name, request.arguments, request.sender or context.sender)
        return Json(sent.as_json(), 202)


def definition(dictionary: Dictionary, command: Command) -> dict[str, Any]:
    """As JSON, with what a form needs."""
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
