"""`rovercam hil`: the HIL suite on the emulated Pico or on a real board."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from rovercam_hil.boards.base import VIRTUAL_BOARDS

FAILED = 1
JOBS = min(4, os.cpu_count() or 1)


def register(app: typer.Typer) -> None:
    app.command("hil", help=__doc__)(hil)


def suite_folder() -> Path:
    """The scenarios: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "scenarios", package.parent / "scenarios"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"the scenarios are neither in {package / 'scenarios'} nor in {package.parent / 'scenarios'}"
    )


def hil(
    tests: Annotated[
        list[Path] | None, typer.Argument(help="Scenario files or folders of your own, instead of the suite.")
    ] = None,
    board: Annotated[
        str,
        typer.Option(
            help="pico (emulated), native (the firmware without a chip: a quick look), or a real board's port: "
            "/dev/ttyACM0, socket://…, rfc2217://…, labgrid:ENVIRONMENT.yaml"
        ),
    ] = "pico",
    expression: Annotated[str | None, typer.Option("-k", help="Only scenarios whose name fits, as in pytest.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, help="Run so many times; each must give the same result.")] = 1,
    soak: Annotated[float, typer.Option(help="Go on for so many hours, with a new seed each time.")] = 0.0,
    report: Annotated[
        Path, typer.Option(help="Folder for report.html, junit.xml and the evidence of failures.")
    ] = Path("hil-report"),
    image: Annotated[Path | None, typer.Option(help="MicroPython UF2 of the emulated board.")] = None,
    firmware: Annotated[Path | None, typer.Option(help="Firmware folder; default: the one of this rovercam.")] = None,
    power_command: Annotated[str, typer.Option(help="Switches a real board's power; {state} becomes on or off.")] = "",
    unit: Annotated[int, typer.Option(min=1, max=255, help="Unit id.")] = 1,
    baud: Annotated[int | None, typer.Option(help="Rate of the UART; default 921600 emulated, 115200 real.")] = None,
    wire: Annotated[str, typer.Option(help="Line of the emulated board: uart, usb, both.")] = "both",
    faults: Annotated[int, typer.Option(help="Random fault scenarios to run.")] = 4,
    jobs: Annotated[
        int, typer.Option("-n", min=1, help="Processes; the files of scenarios are shared out. A real board has one.")
    ] = JOBS,
    slow: Annotated[bool, typer.Option("--slow", help="The long scenarios too.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="One line per scenario.")] = False,
    stop: Annotated[bool, typer.Option("-x", help="Stop at the first failure.")] = False,
) -> None:
    virtual = board in VIRTUAL_BOARDS
    if not virtual and soak and not power_command:
        typer.echo(
            "rovercam: without --power-command a real board cannot be power-cycled; those scenarios are skipped",
            err=True,
        )
    where = [str(p) for p in tests] if tests else [str(suite_folder())]
    command = [sys.executable, "-m", "pytest", *where, "-p", "rovercam_hil.plugin", "-p", "no:cacheprovider"]
    command += [
        "-o",
        "addopts=",
        "--strict-markers",
        "--import-mode=importlib",
        "-ra",
        "--tb=short",
        "--rootdir",
        where[0] if not tests else ".",
    ]
    command += ["-v" if verbose else "-q", "-m", "" if slow else "not slow"]
    command += ["--board", board, "--wire", wire, "--bench-unit", str(unit), "--fault-scenarios", str(faults)]
    command += ["--bench-baud", str(baud or (921600 if virtual else 115200))]
    for name, value in (
        ("-k", expression),
        ("--image", image),
        ("--firmware", firmware),
        ("--power-command", power_command),
    ):
        if value:
            command += [name, str(value)]
    if stop:
        command.append("-x")
    if virtual and jobs > 1:
        command += ["-n", str(jobs), "--dist", "loadfile", "--longest-first"]
    if board == "pico":
        _image_there(image)
    elif not virtual:
        _port_there(board, baud or 115200)
    began = time.monotonic()
    results: list[tuple[int, Path, int]] = []
    while True:
        number = len(results)
        many = repeat > 1 or soak > 0
        folder = report / f"run-{number + 1:03d}" if many else report
        folder.mkdir(parents=True, exist_ok=True)
        run_seed = seed + number if soak else seed
        words = ["--seed", str(run_seed), "--report", str(folder), "--junitxml", str(folder / "junit.xml")]
        done = subprocess.run([*command, *words], check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        results.append((done.returncode, folder, run_seed))
        if done.returncode in (2, 3, 4):  # interrupted, pytest's own error, usage
            break
        if soak:
            if time.monotonic() - began > soak * 3600:
                break
        elif len(results) >= repeat:
            break
    _say(results, repeat, time.monotonic() - began)
    worst = max(code for code, _, _ in results)
    if worst:
        raise typer.Exit(FAILED if worst != 4 else 2)


def _image_there(image: Path | None) -> None:
    """Without MicroPython everything would be skipped: say so at once."""
    from rovercam_hil.boards import image as images

    try:
        images.find(image)
    except images.ImageMissing as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(FAILED) from None


def _port_there(url: str, baud: int) -> None:
    """Without the port every scenario would fail with the same words."""
    from rovercam.line.errors import LineError
    from rovercam.line.ports import open_port

    from rovercam_hil.boards.base import BoardError
    from rovercam_hil.lab.lease import SCHEME, lease

    try:
        if url.startswith(SCHEME):
            held = lease(url)
            try:
                open_port(held.url, held.baud).close()
            finally:
                held.close()
        else:
            open_port(url, baud).close()
    except (LineError, BoardError) as error:
        typer.echo(f"rovercam: {error}", err=True)
        raise typer.Exit(2) from None


def _say(results: list[tuple[int, Path, int]], repeat: int, seconds: float) -> None:
    if len(results) > 1:
        for code, folder, seed in results:
            typer.echo(f"{folder}: seed {seed}: {'passed' if code == 0 else 'failed'}")
        if repeat > 1:
            files = [folder / "recordings.sha256" for _, folder, _ in results]
            same = len({f.read_text() for f in files if f.exists()}) == 1
            typer.echo(
                "recordings: the same in every run"
                if same
                else "recordings: they differ between runs (recordings.sha256)"
            )
    bad = sum(code != 0 for code, _, _ in results)
    typer.echo(
        f"{len(results)} run{'s' if len(results) > 1 else ''} in {seconds:.0f} s, {bad} failed; report: {results[-1][1] / 'report.html'}"
    )
