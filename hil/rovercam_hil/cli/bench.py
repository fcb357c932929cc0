"""`rovercam bench link | board | host | ground | sol`: measurements beside the aim, and beside peers where installed."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]
Image = Annotated[Path | None, typer.Option(help="MicroPython UF2.")]


def group_of(app: typer.Typer) -> typer.Typer:
    """The group `bench`, made when it is not there."""
    group = next((g.typer_instance for g in app.registered_groups if g.name == "bench"), None)
    if group is None:
        group = typer.Typer(help="Measurements.", no_args_is_help=True)
        app.add_typer(group, name="bench")
    return group


def register(app: typer.Typer) -> None:
    group = group_of(app)
    for name, command in (
        ("link", link),
        ("board", board),
        ("host", host),
        ("ground", ground),
        ("sol", sol),
        ("console", console),
    ):
        group.command(name)(command)


def sol(
    awake: Annotated[float, typer.Option(min=10, help="Seconds of virtual time awake.")] = 120.0,
    asleep: Annotated[float, typer.Option(min=300, help="And asleep.")] = 1800.0,
    whole: Annotated[
        bool, typer.Option("--whole", help="Instead: whole sols, natively, with two passes of an orbiter (4 minutes).")
    ] = False,
    json: JsonFile = None,
    image: Image = None,
) -> None:
    """How many times faster than real time a unit runs, awake and asleep, and what a sol takes at that pace."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import sol as bench
    from rovercam_hil.boards.base import BoardError

    try:
        if whole:
            _whole_sols(json)
            return
        found = bench.measure(awake, asleep, image)
    except BoardError as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    print_table(
        "faster than real time (nothing else running)",
        ("board", "state", "unit time, s", "took, s", "times", "a sol, min", "aim, min"),
        [
            (
                p.board,
                p.state,
                f"{p.virtual:.0f}",
                f"{p.spent:.1f}",
                f"{p.faster:.0f}",
                f"{p.sol / 60:.1f}",
                f"{bench.AIM[p.state] / 60:.0f}",
            )
            for p in found
        ],
    )
    _write(json, [asdict(p) | {"sol": p.sol, "aim": bench.AIM[p.state]} for p in found])


def _whole_sols(json: Path | None) -> None:
    from rovercam_hil.bench import sol as bench

    found = []
    for state, aim in bench.AIM.items():
        w = bench.whole(state)
        found.append(asdict(w) | {"aim": aim})
        typer.echo(
            f"{state}: a sol in {w.spent / 60:.2f} min (aim {aim / 60:.0f}); {w.contact:.0f} s of contact; of {w.sent} bytes sent {w.heard} heard "
            f"in contact and {w.unheard} by nobody; the ground has housekeeping of {w.minutes} of {w.of_minutes} minutes before the last pass"
        )
        if w.heard + w.unheard != w.sent:
            typer.echo(f"rovercam: {w.sent - w.heard - w.unheard} bytes are not accounted for", err=True)
            raise typer.Exit(1)
    _write(json, found)


def _write(path: Path | None, value: Any) -> None:
    if path is not None:
        path.write_text(jsonlib.dumps(value, indent=1), encoding="utf-8")


def link(
    columns: Annotated[str, typer.Option(help="Comma-separated; default: all.")] = "",
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs per column, seeds 1 … N; the table has medians. Default 3, burst 10."),
    ] = None,
    baud: Annotated[int, typer.Option(help="Rate of the line.")] = 115200,
    peers: Annotated[
        bool, typer.Option("--peers", help="Also lrzsz, C-Kermit and cfdp-py where installed, in real time.")
    ] = False,
    peer_seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs of each peer per column. Default 1, burst 10.")
    ] = None,
    json: JsonFile = None,
    plot: Annotated[Path | None, typer.Option(help="Write an SVG here.")] = None,
    image: Image = None,
) -> None:
    """64 KiB from the emulated Pico to the archive over each line; percent of the raw line beside the aim. F: not delivered."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import link as bench
    from rovercam_hil.bench import link_report as report
    from rovercam_hil.boards.base import BoardError

    names = [n.strip() for n in columns.split(",") if n.strip()] or list(bench.COLUMNS)
    for name in names:
        if name not in bench.COLUMNS:
            raise typer.BadParameter(f"no column {name!r}; there are {', '.join(bench.COLUMNS)}")
    results = []
    try:
        for name in names:
            for seed in range(1, bench.COLUMNS[name].runs(seeds, 3) + 1):
                found = bench.run(bench.COLUMNS[name], seed=seed, baud=baud, image=str(image) if image else None)
                results.append(found)
                typer.echo(
                    f"{name}, seed {seed}: {report.percent(found.goodput)} % in {found.seconds:.2f} s, "
                    f"profiles {found.profiles}, {found.lost} frames lost, line idle {found.idle:.2f} s",
                    err=True,
                )
    except BoardError as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(1) from None
    others: Mapping[str, report.Row] = {}
    if peers:
        from rovercam_hil.bench import link_peers

        others = link_peers.rows([bench.COLUMNS[n] for n in names], peer_seeds, baud)
    rows = report.rows(results, others)
    print_table(f"64 KiB at {baud} baud, percent of the raw line", ("line", *rows), report.table(rows))
    command = shlex.join(["rovercam", *sys.argv[1:]])
    if json is not None:
        report.write_json(json, results, rows, command)
    if plot is not None:
        plot.write_text(report.svg(rows, f"64 KiB at {baud} baud"), encoding="utf-8")
    short = [n for n in names if rows["rovercam"][n] is None or rows["rovercam"][n] < (bench.COLUMNS[n].aim or 0)]  # type: ignore[operator]
    if short and baud == 115200:
        typer.echo(f"below the aim: {', '.join(short)}", err=True)
        raise typer.Exit(1)


def board(json: JsonFile = None, image: Image = None) -> None:
    """What the link costs the emulated Pico: cycles per byte, bytes per second, heap."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import board_link

    result = board_link.measure(image)
    rows = [
        (r.name, r.microseconds, f"{r.cycles_per_byte:.1f}", f"{r.bytes_per_second / 1e3:.1f}") for r in result.rows
    ]
    print_table("the link on the emulated RP2040", ("what", "µs", "cycles/byte", "KB/s"), rows)
    print_table("heap", ("module", "bytes"), list(result.heap.items()))
    _write(json, {"rows": [asdict(r) for r in result.rows], "heap": result.heap})


def host(
    megabytes: Annotated[float, typer.Option(help="Length of each recording.")] = 8.0,
    long: Annotated[float, typer.Option(help="Instead: decode so many MB, and see whether memory stays flat.")] = 0.0,
    json: JsonFile = None,
) -> None:
    """How fast the ground decodes a recording, clean and with bit errors."""
    from rovercam.cli.common import print_table
    from rovercam.protocol.profiles import TABLE

    from rovercam_hil.bench import host_link

    if long:
        try:
            run = host_link.long(long)
        except OSError as error:
            typer.echo(f"rovercam: {error}", err=True)
            raise typer.Exit(1) from None
        typer.echo(
            f"{run.megabytes:.0f} MB, {run.megabytes_per_second:.1f} MB/s; peak memory {run.resident_early / 1e6:.1f} MB "
            f"after a tenth, {run.resident_end / 1e6:.1f} MB at the end"
        )
        _write(json, asdict(run))
        return
    found = host_link.measure(megabytes)
    rows = [
        (str(TABLE[r.profile]), f"{r.ber:g}", f"{r.megabytes_per_second:.1f}", r.frames, r.lost, r.peak_bytes)
        for r in found
    ]
    print_table("decoding a recording", ("profile", "BER", "MB/s", "frames", "lost", "peak bytes"), rows)
    _write(json, [asdict(r) for r in found])


def ground(
    samples: Annotated[int, typer.Option(help="Samples to archive.")] = 1_000_000, json: JsonFile = None
) -> None:
    """How fast the archive takes samples and answers."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import ground as bench

    figures = bench.archive(samples)
    print_table("archive", ("figure", "value"), [(k, f"{v:.4g}") for k, v in figures.items()])
    _write(json, figures)


def console(
    loads: Annotated[int, typer.Option(help="How often the page is loaded.")] = 5, json: JsonFile = None
) -> None:
    """How long the console's page takes to be usable, in headless Chromium."""
    from rovercam.cli.common import print_table

    from rovercam_hil.bench import console as bench

    times = bench.page_times(loads)
    rows = [(("empty cache" if i == 0 else "again"), f"{t:.2f}") for i, t in enumerate(times)]
    print_table("console", ("load", "seconds until usable"), rows)
    _write(json, times)
