"""Peers of the link bench, through pseudo-terminals and the same seeded lines, in real time; several at once.

The clock runs from the sender's first byte to the moment the receiver's file is whole; F when it is not within 90 s.
"""

from __future__ import annotations

import importlib.util
import os
import pty
import random
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rovercam_hil.bench.link import LIMIT, Column
from rovercam_hil.line import LineSpec, Link
from rovercam_hil.line.impairment import Impairment

SIZE = 65536
_AHEAD = 0.02  # seconds of the line that may wait in the emulator: a UART's FIFO, not an endless queue


Commands = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """commands(folder, sending tty, receiving tty, delay) -> (sender's words, receiver's words); they talk on stdin and stdout."""

    name: str
    commands: Callable[[Path, str, str, float], Commands]


def zmodem(file: Path) -> Commands:
    """lrzsz's words; the receiver's file comes into its working directory."""
    return ("sz", "-b", "-q", str(file)), ("rz", "-b", "-q", "-y")


def _zmodem(folder: Path, _down: str, _up: str, _delay: float) -> Commands:
    return zmodem(folder / "out" / "file.bin")


def _kermit(folder: Path, down: str, up: str, _delay: float) -> Commands:
    common = (
        "set carrier-watch off, set flow none, set window 31, set receive packet-length 1000, set file type binary, "
    )
    quiet = "set quiet on, set file display none, "
    send = f"set line {down}, {common}{quiet}send {folder / 'out' / 'file.bin'}, exit"
    receive = f"set line {up}, {common}{quiet}receive, exit"
    return ("kermit", "-Y", "-C", send), ("kermit", "-Y", "-C", receive)


def _cfdp(segment: int, folder: Path, _down: str, _up: str, delay: float) -> Commands:
    program = (sys.executable, "-m", "rovercam_hil.bench.peer_cfdp")
    size, timer = str(segment), str(1.0 + 2 * delay)
    return (*program, "send", str(folder / "out" / "file.bin"), size, timer), (*program, "receive", size, timer)


def installed() -> list[Peer]:
    """lrzsz and C-Kermit where their programs are, cfdp-py where it can be imported."""
    found = [Peer(name, how) for program, name, how in _PROGRAMS if shutil.which(program)]
    if importlib.util.find_spec("cfdppy"):
        found += [Peer(f"cfdp-py, {size} B", partial(_cfdp, size)) for size in (256, 1024)]
    return found


_PROGRAMS = (("sz", "zmodem (lrzsz)", _zmodem), ("kermit", "C-Kermit, window 31", _kermit))


def run(peer: Peer, column: Column, seed: int, baud: int, limit: float = LIMIT) -> float | None:
    """Goodput in percent, None when the file is not whole in time."""
    content = random.Random(f"link bench {seed}").randbytes(SIZE)
    spec = column.spec + (",oneway=down" if column.oneway else "")
    line = Link(LineSpec.parse(spec.strip(",").replace("outage=12-15", "outage=2-5"), baud=baud, seed=seed))
    with tempfile.TemporaryDirectory(prefix="rovercam-bench-") as scratch:
        folder = Path(scratch)
        (folder / "out").mkdir()
        (folder / "out" / "file.bin").write_bytes(content)
        (folder / "in").mkdir()
        sender, sender_tty = pty.openpty()
        receiver, receiver_tty = pty.openpty()
        for fd in (sender_tty, receiver_tty):
            tty.setraw(fd)
        words = peer.commands(folder, os.ttyname(sender_tty), os.ttyname(receiver_tty), line.spec.down.delay)
        null = subprocess.DEVNULL
        processes = [
            subprocess.Popen(words[1], stdin=receiver_tty, stdout=receiver_tty, stderr=null, cwd=folder / "in"),
            subprocess.Popen(words[0], stdin=sender_tty, stdout=sender_tty, stderr=null, cwd=folder / "out"),
        ]
        try:
            seconds = _pump(line, sender, receiver, folder / "in" / "file.bin", content, limit)
        finally:
            for process in processes:
                process.kill()
                process.wait()
            for fd in (sender, sender_tty, receiver, receiver_tty):
                os.close(fd)
    return None if seconds is None else 100 * SIZE * 10 / (baud * seconds)


def _pump(line: Link, sender: int, receiver: int, target: Path, content: bytes, limit: float) -> float | None:
    """Carry bytes both ways until the file is whole; seconds from the sender's first byte."""
    began = time.monotonic()
    first: float | None = None
    ways = ((sender, receiver, line.down), (receiver, sender, line.up))
    while True:
        now = time.monotonic() - began
        if now - (first or 0.0) > limit:
            return None
        ready = [a for a, _, way in ways if way.line.free - now < _AHEAD]
        readable = select.select(ready, [], [], 0.002)[0] if ready else []
        if not ready:
            time.sleep(0.002)
        now = time.monotonic() - began
        for source, sink, way in ways:
            if source in readable:
                data = os.read(source, 256)
                if source == sender and first is None:
                    first = now
                    for _, _, direction in ways:
                        _from(direction.line, first)
                way.push(data, now)
            arrived, _ = way.pull(now)
            if arrived:
                os.write(sink, arrived)
        if (
            first is not None
            and target.exists()
            and target.stat().st_size == len(content)
            and target.read_bytes() == content
        ):
            return now - first


def _from(line: Impairment, first: float) -> None:
    """The outage is counted from the transfer's first byte, as it is for the unit: a program's start takes its time."""
    shifted = tuple((start + first, end + first) for start, end in line.spec.outage)
    line.spec = replace(line.spec, outage=shifted)


def rows(
    columns: Sequence[Column], seeds: int | None, baud: int, at_once: int = 4
) -> dict[str, dict[str, float | None]]:
    """Peer -> column -> median over the seeds, None when half or more were not delivered. at_once: runs side by side; they mostly wait for the line."""
    peers = installed()
    with ThreadPoolExecutor(at_once) as pool:
        runs = {
            (peer.name, column.name, seed): pool.submit(run, peer, column, seed, baud)
            for column in columns
            for peer in peers
            for seed in range(1, column.runs(seeds, 1) + 1)
        }
        found = {key: future.result() for key, future in runs.items()}
    table: dict[str, dict[str, float | None]] = {}
    for peer in peers:
        row = table[peer.name] = {}
        for column in columns:
            value = statistics.median(
                found[peer.name, column.name, k] or -1.0 for k in range(1, column.runs(seeds, 1) + 1)
            )
            row[column.name] = None if value < 0 else value
    return table
