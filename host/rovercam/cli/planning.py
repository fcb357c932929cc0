"""schedule, sequences: what the unit is to do later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rovercam.cli.common import (
    BaudOption,
    JsonOption,
    PortOption,
    UnitOption,
    arguments_of,
    print_json,
    print_table,
    run_async,
    size_text,
    utc,
    when,
)

if TYPE_CHECKING:
    from rovercam.dictionary import Dictionary

ALL = "all"
EntryArgument = Annotated[str, typer.Argument(help="Number of the entry, as `schedule list` shows it, or all.")]
NameArgument = Annotated[str, typer.Argument(help="Name of the sequence on the unit.")]
FileArgument = Annotated[
    Path, typer.Argument(help="Text file: lines of SECONDS COMMAND [key=value …].", exists=True, dir_okay=False)
]
FOLDER = "/q"


def register(app: typer.Typer) -> None:
    schedule = typer.Typer(help="Commands that the unit runs by itself at on-board times.", no_args_is_help=True)
    for name, function in _SCHEDULE.items():
        schedule.command(name)(function)
    app.add_typer(schedule, name="schedule")
    sequences = typer.Typer(help="Named lists of commands with relative times.", no_args_is_help=True)
    for name, function in _SEQUENCES.items():
        sequences.command(name)(function)
    app.add_typer(sequences, name="sequences")


# ------------------------------------------------------------------------------------------------------------ schedule
def list_(
    port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None, json: JsonOption = False
) -> None:
    """List what is scheduled, in order of time."""
    run_async(_list(port, baud, unit, json))


async def _list(port: str | None, baud: int, unit: int | None, json: bool) -> None:
    from rovercam.dictionary import load

    answers = await _send(port, baud, unit, "list_schedule", {})
    found = [a.values for a in answers if a.name == "schedule"]
    dictionary = load()
    items = [
        {
            "entry": i["entry"],
            "seconds": i["seconds"],
            "time": utc(i["seconds"]),
            "command": _command_name(dictionary, i["service"], i["subtype"], i["function"]),
        }
        for values in found
        for i in values["items"]
    ]
    enabled = all(v["enabled"] for v in found)
    if json:
        print_json({"enabled": enabled, "entries": items})
        return
    rows = [(i["entry"], i["time"], i["command"]) for i in items]
    title = "schedule" if enabled else "schedule (held: entries that fall due are dropped)"
    print_table(title, ("entry", "time (UTC)", "command"), rows, "nothing is scheduled")


def _command_name(dictionary: Dictionary, service: int, subtype: int, function: int) -> str:
    for command in dictionary.commands.values():
        if (command.service, command.subtype, command.function or 0) == (service, subtype, function):
            return command.name
    return f"service {service} subtype {subtype}"


def add(
    at: Annotated[str, typer.Argument(help="+90, +10m, +2h from now, a UTC time 2026-05-14T10:00, or POSIX seconds.")],
    command: Annotated[str, typer.Argument(help="Name of the command.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[key=value]…", help="Its arguments.")] = None,
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
    json: JsonOption = False,
) -> None:
    """Have the unit run a command at a time; its verification goes on in `rovercam commands` when it runs."""
    from rovercam.dictionary import encode_command, find, load

    values = arguments_of(arguments or [])
    dictionary = load()
    encode_command(find(dictionary.commands, command, "command"), values, dictionary)
    run_async(_add(moment(at), command, values, port, baud, unit, json))


def moment(text: str) -> int:
    """POSIX seconds of a time on the command line; raises BadParameter."""
    import time

    if text.startswith("+"):
        words = text[1:] if text[-1:] in "smhd" else text[1:] + "s"
        return round(2 * time.time() - when(words, 0.0))
    return int(text) if text.isdigit() else round(when(text, 0.0))


async def _add(
    seconds: int, command: str, values: dict[str, str], port: str | None, baud: int, unit: int | None, json: bool
) -> None:
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="schedule") as session:
        waiting = await actions.schedule(session, await session.unit(unit), seconds, command, values)
    if json:
        print_json(waiting.as_json())
    else:
        print(f"{command} at {utc(seconds)} UTC")


def shift(
    entry: EntryArgument,
    seconds: Annotated[int, typer.Argument(help="Later by so much; earlier when negative (write: -- -60).")],
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
) -> None:
    """Shift one entry, or all, in time."""
    number = _number(entry)
    if number is None:
        run_async(_send(port, baud, unit, "shift_schedule", {"shift": seconds}))
    else:
        run_async(_send(port, baud, unit, "shift_entry", {"entry": number, "shift": seconds}))


def delete(entry: EntryArgument, port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None) -> None:
    """Delete one entry, or all."""
    number = _number(entry)
    if number is None:
        run_async(_send(port, baud, unit, "reset_schedule", {}))
    else:
        run_async(_send(port, baud, unit, "delete_schedule", {"entry": number}))


def enable(port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None) -> None:
    """Run what is scheduled."""
    run_async(_send(port, baud, unit, "enable_schedule", {}))


def disable(port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None) -> None:
    """Hold the schedule: what falls due is dropped, with an event."""
    run_async(_send(port, baud, unit, "disable_schedule", {}))


def _number(entry: str) -> int | None:
    """None for all; raises BadParameter."""
    if entry == ALL:
        return None
    if not entry.isdigit():
        raise typer.BadParameter(f"{entry!r}: expected the number of an entry, or all")
    return int(entry)


async def _send(port: str | None, baud: int, unit: int | None, name: str, arguments: dict[str, Any]) -> list[Any]:
    """One command to its end; its answers."""
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="schedule") as session:
        _, answers = await actions.send(session, await session.unit(unit), name, arguments)
    return list(answers)


# ----------------------------------------------------------------------------------------------------------- sequences
def check(file: FileArgument, json: JsonOption = False) -> None:
    """Check a sequence against the dictionary: names, values, ranges, size. Nothing is sent."""
    from rovercam.protocol import sequences

    text = file.read_text(encoding="utf-8")
    data = _packed(file, 1)
    entries = sequences.parse(text)
    if json:
        print_json({"entries": len(entries), "bytes": len(data), "seconds": entries[-1].delay})
    else:
        print(f"{file}: {len(entries)} commands in {entries[-1].delay} s, {size_text(len(data))}")


def _packed(file: Path, unit: int) -> bytes:
    """Raises BadParameter with the line that is wrong."""
    from rovercam.dictionary import load
    from rovercam.protocol import sequences

    try:
        return sequences.pack(file.read_text(encoding="utf-8"), load(), unit)
    except (sequences.SequenceError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error


def upload(
    file: FileArgument,
    name: Annotated[str | None, typer.Argument(help="Name on the unit; default: the file's, without its end.")] = None,
    port: PortOption = None,
    baud: BaudOption = 115200,
    unit: UnitOption = None,
) -> None:
    """Check a sequence and bring it to the unit."""
    name = name or file.stem
    if not 0 < len(name.encode()) <= 30 or "/" in name:
        raise typer.BadParameter(f"{name!r}: the name of a sequence has 1 to 30 bytes and no /")
    _packed(file, 1)  # refused here, before any port is opened
    run_async(_upload(file, name, port, baud, unit))


async def _upload(file: Path, name: str, port: str | None, baud: int, unit: int | None) -> None:
    from rovercam.station import actions
    from rovercam.station.session import open_session

    async with open_session(port, baudrate=baud, program="sequences") as session:
        number = await session.unit(unit)
        data = _packed(file, number)
        await actions.put(session, number, data, f"{FOLDER}/{name}")
    print(f"{name}: {size_text(len(data))}; start it with: rovercam sequences start {name}")


def sequence_list(
    port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None, json: JsonOption = False
) -> None:
    """List the sequences on the unit."""
    answers = run_async(_send(port, baud, unit, "list_files", {"path": FOLDER}))
    items = [i for a in answers if a.name == "file_list" for i in a.values["items"] if not i["folder"]]
    if json:
        print_json([{"name": i["name"], "bytes": i["size"]} for i in items])
    else:
        print_table("sequences", ("name", "bytes"), [(i["name"], i["size"]) for i in items], "no sequences")


def start(name: NameArgument, port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None) -> None:
    """Start a sequence: its commands go into the schedule, relative to now."""
    run_async(_send(port, baud, unit, "run_sequence", {"sequence": name}))


def abort(name: NameArgument, port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None) -> None:
    """Take out of the schedule what has not run yet of a sequence."""
    run_async(_send(port, baud, unit, "abort_sequence", {"sequence": name}))


def sequence_delete(
    name: NameArgument, port: PortOption = None, baud: BaudOption = 115200, unit: UnitOption = None
) -> None:
    """Delete a sequence on the unit; what has been started of it stays in the schedule."""
    run_async(_send(port, baud, unit, "delete_file", {"path": f"{FOLDER}/{name}"}))


_SCHEDULE: dict[str, Callable[..., None]] = {
    "list": list_, "add": add, "shift": shift, "delete": delete, "enable": enable, "disable": disable,
}  # fmt: skip
_SEQUENCES: dict[str, Callable[..., None]] = {
    "check": check, "upload": upload, "list": sequence_list, "start": start, "abort": abort, "delete": sequence_delete,
}  # fmt: skip
