"""telemetry, events, commands: what was received, and live."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rovercam.cli.common import (
    BaudOption,
    JsonOption,
    PortOption,
    SinceOption,
    UnitOption,
    UntilOption,
    number,
    only_unit,
    open_archive,
    print_csv,
    print_json,
    print_table,
    run_async,
    utc,
    when,
)

FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
COLORS = {"red": "bold red", "yellow": "yellow", "high": "bold red", "medium": "yellow", "low": "cyan"}


def register(app: typer.Typer) -> None:
    app.command()(telemetry)
    app.command()(events)
    app.command()(commands)


def _complete_parameter(incomplete: str) -> list[tuple[str, str]]:
    from rovercam.dictionary import load

    return [(p.name, p.text) for p in load().parameters.values() if p.name.startswith(incomplete)]


def telemetry(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Parameters; without any, the newest of all.", autocompletion=_complete_parameter),
    ] = None,
    unit: UnitOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    size: Annotated[int, typer.Option(help="At most so many samples of each (minmax: peaks are kept).")] = 1000,
    all_samples: Annotated[bool, typer.Option("--all", help="Every sample.")] = False,
    follow: FollowOption = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw curves.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Only the names.")] = False,
    csv: CsvOption = False,
    json: JsonOption = False,
    port: PortOption = None,
    baud: BaudOption = 115200,
) -> None:
    """Newest values, history of parameters, curves, or live values."""
    if follow or (port is not None and not names):
        run_async(_follow(names or [], port, baud, unit, json))
        return
    with open_archive() as archive:
        unit = only_unit(archive, unit)
        if listing:
            found = archive.parameter_names(unit)
            print_json(found) if json else print("\n".join(found))
        elif not names:
            _newest(archive, unit, json, csv)
        else:
            strategy = "all" if all_samples else "minmax"
            start, end = when(since, 0.0), when(until, 1e12)
            series = [archive.history(unit, n, start, end, strategy=strategy, size=size) for n in names]
            _history(series, json, csv, plot)


def _newest(archive: Any, unit: int, json: bool, csv: bool) -> None:
    from rovercam.dictionary import load

    dictionary = load()
    rows = []
    for name, (at, value) in sorted(archive.latest_values(unit).items()):
        p = dictionary.parameters.get(name)
        shown: Any = value
        if p is not None and p.type in dictionary.enums:
            shown = dictionary.enum_name(p.type, int(value))
        elif p is not None and p.type == "bool":
            shown = bool(value)
        elif p is not None and p.scale == 1:
            shown = int(value)
        rows.append((name, shown, p.unit if p else "", p.state(value) if p else "", at, p.text if p else ""))
    if json:
        print_json({r[0]: {"value": r[1], "unit": r[2], "state": r[3], "time": r[4]} for r in rows})
    elif csv:
        print_csv(("name", "value", "unit", "state", "time"), [r[:5] for r in rows])
    else:
        from rich.text import Text

        print_table(
            f"unit {unit}",
            ("parameter", "value", "unit", "time", "what it is"),
            [(r[0], Text(number(r[1]), style=COLORS.get(r[3], "")), r[2], utc(r[4]), r[5]) for r in rows],
            "no telemetry yet",
        )


def _history(series: list[Any], json: bool, csv: bool, plot: bool) -> None:
    if json:
        print_json(
            {
                s.name: {"unit": s.engineering_unit, "times": s.times.tolist(), "values": s.values.tolist()}
                for s in series
            }
        )
    elif csv:
        print_csv(
            ("time", "utc", "parameter", "value"),
            ((f"{t:.6f}", utc(t), s.name, v) for s in series for t, v in zip(s.times, s.values, strict=True)),
        )
    elif plot:
        from rovercam.cli.plot import plot as draw

        print("\n\n".join(draw(s.times, s.values, title=s.name, unit=s.engineering_unit) for s in series))
    else:
        rows = [(utc(t), s.name, v, s.engineering_unit) for s in series for t, v in zip(s.times, s.values, strict=True)]
        print_table("history", ("time", "parameter", "value", "unit"), rows, "no samples in this time")


async def _follow(names: list[str], port: str | None, baud: int, unit: int | None, json: bool) -> None:
    from rovercam.dictionary import find, load
    from rovercam.station.session import open_session
    from rovercam.station.updates import Telemetry

    dictionary = load()
    for name in names:
        find(dictionary.parameters, name, "parameter")
    async with open_session(port, baudrate=baud, program="telemetry") as session:
        async for update in session.updates():
            if not isinstance(update, Telemetry) or unit not in (None, update.unit):
                continue
            values = {n: v for n, v in update.values.items() if not names or n in names}
            if not values:
                continue
            if json:
                line = {"time": update.time, "unit": update.unit, "values": values, "alarms": dict(update.alarms)}
                print_json(line)
            else:
                for name, value in values.items():
                    p = dictionary.parameters.get(name)
                    alarm = update.alarms.get(name, "")
                    print(
                        f"{utc(update.time)}  {update.unit}  {name} {number(value)} {p.unit if p else ''} {alarm}".rstrip()
                    )
            import sys

            sys.stdout.flush()


def events(
    unit: UnitOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    severity: Annotated[list[str] | None, typer.Option(help="Only these: info, low, medium, high.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 100,
    follow: FollowOption = False,
    csv: CsvOption = False,
    json: JsonOption = False,
    port: PortOption = None,
    baud: BaudOption = 115200,
) -> None:
    """List events of units and of the station, or follow them."""
    for name in severity or ():
        if name not in ("info", "low", "medium", "high"):
            raise typer.BadParameter(f"severity {name!r}: allowed are info, low, medium, high")
    if follow or port is not None:
        run_async(_follow_events(port, baud, unit, severity, json))
        return
    with open_archive() as archive:
        found = archive.events(when(since, 0.0), when(until, 1e12), unit=unit, severities=severity, limit=limit)
    columns = ("id", "time", "unit", "severity", "name", "text")
    if json:
        print_json(found)
    elif csv:
        print_csv(columns, [[e[c] for c in columns] for e in found])
    else:
        from rich.text import Text

        rows = [
            (utc(e["time"]), e["unit"], Text(e["severity"], style=COLORS.get(e["severity"], "")), e["name"], e["text"])
            for e in found
        ]
        print_table("events", ("time", "unit", "severity", "event", "text"), rows, "no events")


async def _follow_events(port: str | None, baud: int, unit: int | None, severity: list[str] | None, json: bool) -> None:
    from rovercam.station.session import open_session
    from rovercam.station.updates import EventReceived

    async with open_session(port, baudrate=baud, program="events") as session:
        async for e in session.updates():
            if (
                not isinstance(e, EventReceived)
                or unit not in (None, e.unit)
                or (severity and e.severity not in severity)
            ):
                continue
            if json:
                print_json(e.as_json())
            else:
                print(f"{utc(e.time)}  unit {e.unit}  {e.severity:6}  {e.text}", flush=True)


def commands(
    unit: UnitOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 50,
    available: Annotated[bool, typer.Option("--available", help="List what can be sent instead.")] = False,
    json: JsonOption = False,
) -> None:
    """List the commands sent, by whom, and what became of them."""
    if available:
        _available(json)
        return
    with open_archive() as archive:
        found = archive.commands(when(since, 0.0), when(until, 1e12), unit=unit, limit=limit)
    if json:
        print_json(found)
        return
    rows = []
    for c in found:
        reason = next((s["text"] for s in reversed(c["stages"]) if not s["success"]), "")
        arguments = " ".join(f"{k}={v}" for k, v in c["arguments"].items())
        rows.append((utc(c["time"]), c["unit"], c["name"], arguments, c["sender"], c["state"], reason))
    print_table("commands", ("time", "unit", "command", "arguments", "sender", "state", "reason"), rows, "none yet")


def _available(json: bool) -> None:
    import dataclasses

    from rovercam.dictionary import load

    found = list(load().commands.values())
    if json:
        print_json([dataclasses.asdict(c) for c in found])
        return
    rows = [
        (c.name, " ".join(a.name + ("" if a.default is None else f"[={a.default}]") for a in c.args), c.text)
        for c in found
    ]
    print_table("commands", ("command", "arguments", "what it does"), rows)
