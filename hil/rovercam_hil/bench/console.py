"""Figures of the console: how long a loaded page takes until it shows values and takes commands, in headless Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rovercam_hil.bench.browser import READY, Browser, find_chromium

PROGRAM = (sys.executable, "-m", "rovercam.cli")
FIRST_S = 120.0
"""The unit has to boot and to report before the page can show anything."""


def page_times(loads: int = 5) -> list[float]:
    """Seconds of each load, the first with an empty cache, of the console of an emulated unit on this computer.

    Raises FileNotFoundError without Chromium, RuntimeError or AssertionError when the page never comes."""
    program = find_chromium()
    if program is None:
        raise FileNotFoundError("no Chromium here (Debian: apt install chromium; or say where in CHROMIUM)")
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        unit = ends.enter_context(_running(folder, "emulate", "--tcp", "0", "--scene", "pattern"))
        port = _word(unit, "unit 1: ")
        station = ends.enter_context(_running(folder, "ground", "--port", port, "--web", "127.0.0.1:0", "--plain"))
        address = _word(station, "console: ")
        browser = Browser(program, folder)
        ends.callback(browser.close)
        browser.open(address)
        browser.until(READY, FIRST_S)
        browser.call("Network.clearBrowserCache")
        times = []
        for number in range(loads):
            began = time.monotonic()
            browser.open(f"{address}?again={number}")
            time.sleep(0.02)
            browser.until(READY, FIRST_S)
            times.append(time.monotonic() - began)
        return times


@contextmanager
def _running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own; leaving the context ends it."""
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env={**os.environ, "ROVERCAM_HOME": str(folder / "home")},
    ) as process:  # fmt: skip
        yield process
        process.terminate()
        process.communicate()


def _word(process: subprocess.Popen[str], before: str) -> str:
    """What follows `before` in the first line of output that has it."""
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if before in line:
            return line.split(before, 1)[1].split()[0].rstrip(".,")
    raise RuntimeError(f"ended before it was ready:\n{said}")
