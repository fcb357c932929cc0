"""Peers of the link bench, through pseudo-terminals and the same seeded line, in real time.

The clock runs from the sender's first byte to the moment the receiver's file is whole; F when it is not within 90 s.
"""

from __future__ import annotations

import os
import pty
import random
import select
import shutil
import statistics
import subprocess
import tempfile
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rovercam_hil.bench.link import LIMIT, Column
from rovercam_hil.line import LineSpec, Link

SIZE = 65536
_AHEAD = 0.02  # seconds of the line that may wait in the emulator: a UART's FIFO, not an endless queue


@dataclass(frozen=True, slots=True)
class Peer:
    """commands(folder, sending tty, receiving tty) -> (sender's words, receiver's words); they talk on stdin and stdout."""

    name: str
    commands: Callable[[Path, str, str], tuple[Sequence[str], Sequence[str]]]


def _zmodem(folder: Path, _down: str, _up: str) -> tuple[Sequence[str], Sequence[str]]:
    return ("sz", "-b", "-q", str(folder / "out" / "file.bin")), ("rz", "-b", "-q", "-y")


def _kermit(folder: Path, down: str, up: str) -> tuple[Sequence[str], Sequence[str]]:
    common = (
        "set carrier-watch off, set flow none, set window 31, set receive packet-length 1000, set file type binary, "
    )
    quiet = "set quiet on, set file display none, "
    send = f"set line {down}, {common}{quiet}send {folder / 'out' / 'file.bin'}, exit"
    receive = f"set line {up}, {common}{quiet}receive, exit"
    return ("kermit", "-Y", "-C", send), ("kermit", "-Y", "-C", receive)


PEERS = {"sz": Peer("zmodem (lrzsz)", _zmodem), "kermit": Peer("C-Kermit", _kermit)}


def installed() -> list[Peer]:
    return [peer for program, peer in PEERS.items() if shutil.which(program)]


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
        words = peer.commands(folder, os.ttyname(sender_tty), os.ttyname(receiver_tty))
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


def row(peer: Peer, column: Column, seeds: int, baud: int) -> float | None:
    """Median over the seeds; None when half or more were not delivered."""
    found = sorted(run(peer, column, seed, baud) or -1.0 for seed in range(1, seeds + 1))
    value = statistics.median(found)
    return None if value < 0 else value
