"""archive check, export, redecode, retain, merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rovercam.cli.common import (
    JsonOption,
    SinceOption,
    UnitOption,
    UntilOption,
    open_archive,
    print_json,
    print_table,
    size_text,
    when,
)

archive_app = typer.Typer(help="What was received, for good: check, export, decode again.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(archive_app, name="archive")


@archive_app.command()
def check(
    quick: Annotated[bool, typer.Option("--quick", help="Leave the blocks of samples packed.")] = False,
    json: JsonOption = False,
) -> None:
    """Is the archive whole? Exit code 1 when not."""
    from rovercam.archive import check as check_archive

    with open_archive() as archive:
        result = check_archive(archive, deep=not quick)
        path = archive.path
    if json:
        print_json({"file": str(path), "clean": result.clean, "problems": result.problems, "counts": result.counts})
    else:
        rows = [(name, count) for name, count in result.counts.items()]
        print_table(f"{path} ({size_text(result.bytes)})", ("what", "number"), rows)
        print("clean" if result.clean else "\n".join(f"PROBLEM: {p}" for p in result.problems))
    raise typer.Exit(0 if result.clean else 1)


@archive_app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    unit: UnitOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    files: Annotated[bool, typer.Option("--files", help="Also the files and pictures received.")] = False,
    json: JsonOption = False,
) -> None:
    """Write telemetry (CSV), events and commands (JSON), frames (raw) and, if wanted, files and pictures."""
    from rovercam.station.export import export as export_archive

    with open_archive() as archive:
        written = export_archive(archive, folder, unit, when(since, 0.0), when(until, 1e12), files=files)
    if json:
        print_json(written)
    else:
        print_table(str(folder), ("file", "rows"), written.items())


@archive_app.command()
def redecode(json: JsonOption = False) -> None:
    """Decode everything again with the dictionary of this rovercam, from the packets as received."""
    from rovercam import places
    from rovercam.archive import Archive
    from rovercam.station.redecode import redecode as redecode_archive

    with Archive(places.home() / "archive.db") as archive:
        counts = redecode_archive(archive)
    print_json(counts) if json else print(", ".join(f"{v} {k}" for k, v in counts.items()))


@archive_app.command()
def retain(
    frames: Annotated[str | None, typer.Option(help="Keep raw frames so long, like 30d.")] = None,
    packets: Annotated[str | None, typer.Option(help="Keep packets so long.")] = None,
    samples: Annotated[str | None, typer.Option(help="Keep samples so long.")] = None,
    json: JsonOption = False,
) -> None:
    """Delete what is older; pictures, files, commands and events stay."""
    from rovercam import places
    from rovercam.archive import Archive
    from rovercam.archive import retain as retain_archive

    if frames is packets is samples is None:
        raise typer.BadParameter("say what to keep how long: --frames 30d, --packets 365d, --samples 3650d")
    limits = [None if t is None else when(t, 0.0) for t in (frames, packets, samples)]
    with Archive(places.home() / "archive.db") as archive:
        gone = retain_archive(archive, frames_before=limits[0], packets_before=limits[1], samples_before=limits[2])
    print_json(gone) if json else print(", ".join(f"{v} {k}s deleted" for k, v in gone.items()))


@archive_app.command()
def merge(
    other: Annotated[Path, typer.Argument(help="Archive of another station.")],
    json: JsonOption = False,
) -> None:
    """Add what another station heard and sent; what both heard stays once."""
    from rovercam import places
    from rovercam.archive import Archive
    from rovercam.archive.merge import merge as merge_archives

    with Archive(other, readonly=True) as theirs, Archive(places.home() / "archive.db") as ours:
        added = merge_archives(ours, theirs)
    if json:
        print_json(added)
    else:
        print_table(f"added from {other}", ("what", "number"), list(added.items()))
