"""Eight units on one station: two emulated Picos taking pictures, six recordings, all with telemetry at 10 Hz.

    python -m rovercam_hil.bench.station_units [--seconds 60]

Prints what came, what was lost, and the station's own CPU time and memory. The emulated units are processes of their own
and slow down on a machine without free cores; the station's figures are its own process's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rovercam.archive import Archive, check
from rovercam.line import LineLost
from rovercam.line.recording import FROM_UNIT, Recorder, Replay
from rovercam.line.stream import ByteStream, Line
from rovercam.places import firmware_dir
from rovercam.station import actions
from rovercam.station.session import OwnSession, own_session

from rovercam_hil.micropython.station_unit import Unit
from rovercam_hil.micropython.worker import Worker

RATE = 10
"""Housekeeping reports per second and unit."""
EMULATED, REPLAYED = (1, 2), (3, 4, 5, 6, 7, 8)
START_TIMEOUT = 120.0


class Once(Replay):
    """Silent after its end, as a unit that says nothing more; a station would open it again."""

    async def read(self) -> bytes:
        try:
            return await super().read()
        except LineLost:
            await asyncio.Event().wait()
            raise


def recordings(folder: Path, seconds: int) -> list[Path]:
    """One per replayed unit, made by the firmware's own link."""
    paths = []
    with Worker([firmware_dir()]) as worker:
        for number in REPLAYED:
            (folder / f"t{number}").mkdir()
            unit = Unit(worker, folder / f"t{number}", number)
            path = folder / f"unit{number}.rec"
            with Recorder(path, clock=lambda: 0.0) as recorder:
                for n in range(seconds * RATE):
                    at = 1_800_000_000.0 + n / RATE
                    unit.housekeeping(1 + n % 2, at, uptime=n)
                    recorder.add(FROM_UNIT, unit.frames(True), at)
            paths.append(path)
    return paths


@contextlib.contextmanager
def emulated(folder: Path) -> Iterator[list[str]]:
    """Addresses of the emulated units, each a process."""
    with contextlib.ExitStack() as stack:
        urls = []
        for number in EMULATED:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            log = stack.enter_context((folder / f"unit{number}.log").open("wb"))
            unit = subprocess.Popen(
                [sys.executable, "-m", "rovercam.cli", "emulate", "--scene", "pattern", "--unit", str(number), "--tcp", str(port)],
                env=os.environ | {"ROVERCAM_HOME": str(folder)}, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
            stack.callback(unit.wait, 20)
            stack.callback(unit.terminate)
            assert unit.stdout is not None
            if not unit.stdout.readline():
                raise RuntimeError(f"unit {number} did not start: {(folder / f'unit{number}.log').read_text()}")
            urls.append(f"socket://127.0.0.1:{port}")
        yield urls


async def _picture(session: OwnSession, number: int) -> int:
    await session.unit(number, START_TIMEOUT)
    for structure in (1, 2):
        await actions.send(
            session,
            number,
            "set_housekeeping_period",
            {"structure": structure, "period": 20 // RATE},
            timeout=START_TIMEOUT,
        )
    shot = await actions.shoot(session, number, {"camera": "pattern", "size": "qvga"})
    return shot.bytes


async def _run(folder: Path, urls: list[str], paths: list[Path], seconds: int) -> dict[str, Any]:
    lines: list[ByteStream] = [Line(url) for url in urls] + [Once(path) for path in paths]
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    async with own_session(lines, home=folder, sender="bench") as session:
        pictures = [asyncio.create_task(_picture(session, n)) for n in EMULATED]
        await asyncio.sleep(seconds + 5)
        sizes = await asyncio.gather(*pictures)
    spent = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(spent, 1),
        "picture_bytes": sizes,
        "cpu_share": round(cpu / spent, 3),
        "memory_MB": round(used.ru_maxrss / 1024, 1),
    }


def _losses(path: Path) -> dict[int, tuple[int, int]]:
    """Unit → (reports in the archive, reports missing by their sequence counts)."""
    found = {}
    with Archive(path, readonly=True) as archive:
        for unit in archive.units():
            counts = [
                row[0]
                for row in archive.db.execute(
                    "SELECT sequence FROM packet WHERE unit = ? AND apid >= 0 ORDER BY id", (unit,)
                )
            ]
            missing = sum(((b - a) & 0x3FFF) - 1 for a, b in itertools.pairwise(counts))
            found[unit] = len(counts), missing
        problems = check(archive).problems
    if problems:
        raise RuntimeError(f"the archive is not clean: {problems}")
    return found


def measure(seconds: int = 60) -> dict[str, Any]:
    """Figures by name; the archive is checked."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = recordings(folder, seconds)
        with emulated(folder) as urls:
            figures = asyncio.run(_run(folder, urls, paths, seconds))
        figures["units"] = {
            unit: {"reports": count, "missing": missing}
            for unit, (count, missing) in _losses(folder / "archive.db").items()
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=60)
    print(json.dumps(measure(parser.parse_args().seconds), indent=1))


if __name__ == "__main__":
    main()
