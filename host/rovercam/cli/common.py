"""What commands share: options, times, tables, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer

T = TypeVar("T")

PortOption = Annotated[
    str | None,
    typer.Option(
        "--port", "-p", envvar="ROVERCAM_PORT", help="Port or pyserial URL; without it the running station is used."
    ),
]
BaudOption = Annotated[int, typer.Option("--baud", envvar="ROVERCAM_BAUD", help="Baud rate of a UART.")]
UnitOption = Annotated[
    int | None, typer.Option("--unit", "-u", envvar="ROVERCAM_UNIT", help="Unit id; not needed when one is heard.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="From: 10m, 2h, 3d before now, 2026-05-14T10:00 (UTC), sol18 or sol18T13:30."),
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Until: as --since.")]


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; Ctrl-C and a polite kill both end it cleanly."""
    import asyncio
    import signal
    from contextlib import suppress

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None
        with suppress(NotImplementedError, ValueError):  # Windows; not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def when(text: str | None, default: float) -> float:
    """POSIX seconds of a text (see rovercam.times); raises BadParameter."""
    import time

    from rovercam import times

    if text is None:
        return default
    try:
        return times.parse(text, time.time())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def utc(time: float | None, *, date: bool = True) -> str:
    """POSIX seconds as UTC, to the second."""
    if time is None:
        return ""
    try:
        moment = datetime.fromtimestamp(time, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time:.0f} s"
    return moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def number(value: Any) -> str:
    """A value for a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def print_json(value: Any) -> None:
    print(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "nothing") -> None:
    """A table on a terminal; tab-separated lines where it goes into a file or a pipe."""
    rows = list(rows)
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(number(v) for v in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(f"[dim]{empty}[/dim]")
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(v if isinstance(v, Text) else Text(number(v)) for v in row))
    console.print(table)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(rows)


def open_archive() -> Any:
    """The archive for reading."""
    from rovercam import places
    from rovercam.archive import Archive

    return Archive(places.home() / "archive.db", readonly=True)


def only_unit(archive: Any, unit: int | None) -> int:
    """The unit asked for, or the only one in the archive."""
    if unit is not None:
        return unit
    units = archive.units()
    if not units:
        from rovercam.archive import ArchiveError

        raise ArchiveError(f"{archive.path} is empty: no unit was heard yet; `rovercam ground --port PORT` listens")
    if len(units) != 1:
        raise typer.BadParameter(f"the archive has units {', '.join(map(str, units))}: say --unit N")
    return int(units[0])


def arguments_of(pairs: Sequence[str]) -> dict[str, str]:
    """key=value words; raises BadParameter."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark or not key:
            raise typer.BadParameter(f"{pair!r}: arguments are written key=value")
        if key in found:
            raise typer.BadParameter(f"{key} is given twice")
        found[key] = value
    return found


def size_text(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "?"
    return (
        f"{count} B" if count < 10_000 else f"{count / 1000:.1f} kB" if count < 10_000_000 else f"{count / 1e6:.1f} MB"
    )


def pick(found: Mapping[str, Any], *names: str) -> list[Any]:
    return [found.get(n, "") for n in names]
