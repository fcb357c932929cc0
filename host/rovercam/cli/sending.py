"""send, params."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rovercam.cli.common import (
    BaudOption,
    JsonOption,
    PortOption,
    QuietOption,
    UnitOption,
    arguments_of,
    print_json,
    print_table,
    run_async,
    utc,
)


def register(app: typer.Typer) -> None:
    app.command()(send)
    app.command()(params)


def _complete_command(incomplete: str) -> list[tuple[str, str]]:
    from rovercam.dictionary import load

    return [(c.name, c.text) for c in load().commands.values() if c.name.startswith(incomplete)]


def send(
    command: Annotated[str, typer.Argument(help="Name of the command.", autocompletion=_complete_command)],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[key=value]…", help="Its arguments.")] = None,
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for a sign of it.")] = 60.0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End when the station has it.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Send one telecommand and show its verification stages."""
    from rovercam.dictionary import encode_command, find, load

    values = arguments_of(arguments or [])
    dictionary = load()
    # Refused here, before any port is opened.
    encode_command(find(dictionary.commands, command, "command"), values, dictionary)
    run_async(_send(command, values, port, baud, unit, timeout, no_wait, json, quiet))


async def _send(
    command: str,
    values: dict[str, str],
    port: str | None,
    baud: int,
    unit: int | None,
    timeout: float,
    no_wait: bool,
    json: bool,
    quiet: bool,
) -> None:
    from rovercam.station import actions
    from rovercam.station.session import open_session
    from rovercam.station.updates import CommandChanged, Update

    shown = 0

    def progress(update: Update) -> None:
        nonlocal shown
        if isinstance(update, CommandChanged) and not json and not quiet:
            for stage in update.stages[shown:]:
                mark = "✓" if stage.success else "✗"
                print(f"{utc(stage.time, date=False)} {mark} {stage.stage} {stage.text}".rstrip(), flush=True)
            shown = len(update.stages)

    async with open_session(port, baudrate=baud, program="send") as session:
        number = await session.unit(unit)
        if no_wait:
            sent = await session.command(number, command, values)
            if json:
                print_json(sent.as_json())
            return
        try:
            done, answers = await actions.send(session, number, command, values, progress=progress, timeout=timeout)
        except actions.NotAchieved as error:
            if json:
                print_json({"command": command, "done": False, "error": str(error)})
            raise
    if json:
        print_json({"command": done.as_json(), "done": True, "answers": [a.as_json() for a in answers]})
        return
    for answer in answers:
        _print_answer(answer.values)


def _print_answer(values: Any) -> None:
    plain = {k: v for k, v in values.items() if k != "items"}
    if plain:
        print("  " + ", ".join(f"{k} {v}" for k, v in plain.items()))
    for item in values.get("items", ()):
        print("  " + ", ".join(f"{k} {v}" for k, v in item.items()))


def params(
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[name | name=value]…", help="Parameters to show or set.")
    ] = None,
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
) -> None:
    """Show or set on-board parameters; without a name, all that can be set."""
    from rovercam.dictionary import ValueRefused, find, load, to_raw

    dictionary = load()
    wanted: list[str] = []
    changes: dict[str, str] = {}
    for word in assignments or [p.name for p in dictionary.parameters.values() if p.settable]:
        name, mark, value = word.partition("=")
        parameter = find(dictionary.parameters, name, "parameter")
        wanted.append(name)
        if mark:
            if not parameter.settable:
                raise ValueRefused(f"{name} is telemetry and cannot be set")
            to_raw(parameter, value, dictionary)
            changes[name] = value
    run_async(_params(wanted, changes, port, baud, unit, json))


async def _params(
    wanted: list[str], changes: dict[str, str], port: str | None, baud: int, unit: int | None, json: bool
) -> None:
    from rovercam.dictionary import load
    from rovercam.station import actions
    from rovercam.station.session import open_session

    dictionary = load()
    values: dict[str, Any] = {}
    async with open_session(port, baudrate=baud, program="params") as session:
        number = await session.unit(unit)
        for name, value in changes.items():
            await actions.send(session, number, "set_parameter", {"parameter": name, "value": value})
        for i in range(0, len(wanted), 40):
            _, answers = await actions.send(session, number, "report_parameters", {"parameters": wanted[i : i + 40]})
            for answer in answers:
                for item in answer.values.get("items", ()):
                    parameter = dictionary.parameter_by_id(item["parameter"])
                    if parameter is not None:
                        values[parameter.name] = item["value"]
    if json:
        print_json(values)
        return
    rows = []
    for name, value in values.items():
        p = dictionary.parameters[name]
        limits = "" if p.min is None or p.max is None else f"{p.min * p.scale:g} … {p.max * p.scale:g}"
        rows.append((name, value, p.unit, limits, p.text))
    print_table("parameters", ("name", "value", "unit", "allowed", "what it is"), rows)
