"""Every decoder of the line, on the ground and on board, takes anything: mutated frames and random bytes.

A sample in every run; a million mutated frames and a megabyte of random bytes to each by

    pytest tests/agreement/test_fuzz_decoders.py tests/host/protocol/test_receiver.py -m slow

(the million of the downlink receiver, whose search for slips takes its time, is in the second file).
"""

from __future__ import annotations

import contextlib
import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rovercam.dictionary import load
from rovercam.places import firmware_dir
from rovercam.protocol import pus, tc
from rovercam.protocol.cfdp import Entity, MemoryStore, Settings, pdus
from rovercam.protocol.downlink import Receiver
from rovercam.protocol.profiles import LONGEST
from rovercam_hil.bench.host_link import recording
from rovercam_hil.micropython.cfdp_line import new_board
from rovercam_hil.micropython.worker import Worker

sys.path.insert(0, str(Path(__file__).parent))
from link_board import BOARD

KEY = bytes(range(32))
SCID = 0x101
MILLION = 1_000_000
SAMPLE = 3000
FEW = 20_000  # bytes of random noise in the sample
MEMORY = 2_000_000  # bytes that a decoder on the ground may take more after all this


def mutated(rng: random.Random, good: bytes) -> bytes:
    """Wrong bytes, cut short, grown, or repeated in part."""
    out = bytearray(good)
    for _ in range(rng.randrange(1, 8)):
        kind = rng.randrange(5)
        at = rng.randrange(len(out)) if out else 0
        if kind < 2 and out:
            out[at] ^= rng.randrange(1, 256)
        elif kind == 2:
            del out[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            out[at:at] = out[at : at + rng.randrange(1, 30)]
    return bytes(out)


def pdus_of(build: pdus.Builder) -> list[bytes]:
    return [
        build.metadata("/f/x", "/f/y", 100, 0), build.data(0, bytes(50)), build.data(70, bytes(30)), build.eof(0, 100),
        build.eof(0, 100, 15), build.prompt(), build.prompt(True), build.nak(0, 9, [(0, 0), (1, 4)]),
        build.finished(0, True), build.keep_alive(7), build.ack(4, 0, 1),
    ]  # fmt: skip


class Ground:
    """The ground's decoders: ``feed(frame)`` to one of them."""

    def __init__(self, name: str):
        self.receiver = Receiver()
        self.entity = Entity(0, MemoryStore(), settings=Settings(largest_file=10_000))
        self.now = 0.0
        self.feed: Callable[[bytes], None] = getattr(self, name)
        dictionary = load()
        self.good = {
            "line": [recording(n, 0.0004, n)[:259] for n in (0, 2, 3, 5)],
            "cfdp": pdus_of(pdus.Builder(1, 5, 0)) + pdus_of(pdus.Builder(0, 1, 1)),
            "repair": [bytes.fromhex("010005000000c800000000006400") + bytes(201)],
            "report": [pus.build_report(dictionary.apid(1), 1, 3, 25, bytes(40), time=1.0, counter=1)],
        }[name]

    def line(self, data: bytes) -> None:
        self.receiver.feed(data, 0.0)
        counters = self.receiver.counters
        assert counters.received == counters.framed + counters.discarded_total + self.receiver.held
        assert self.receiver.held <= 2 * LONGEST + len(data) + 8192

    def cfdp(self, data: bytes) -> None:
        self.now += 0.01
        self.entity.pdu_in(1, data, self.now)
        for _, out in self.entity.poll(self.now):
            pdus.parse(out)

    def repair(self, data: bytes) -> None:
        self.now += 0.01
        self.entity.repair_in(1, data, self.now)

    def report(self, data: bytes) -> None:
        with contextlib.suppress(pus.PacketError):
            pus.parse(data)


GROUND = ("line", "cfdp", "repair", "report")


def ground(name: str, frames: int, noise: int) -> None:
    rng = random.Random(name)
    decoder = Ground(name)
    for _ in range(20):
        decoder.feed(mutated(rng, rng.choice(decoder.good)))
    tracemalloc.start()
    try:
        for _ in range(frames):
            decoder.feed(mutated(rng, rng.choice(decoder.good)))
        for _ in range(noise // 500):
            decoder.feed(rng.randbytes(500))
        assert tracemalloc.get_traced_memory()[0] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", GROUND)
def test_ground_sample(name: str) -> None:
    ground(name, 60 if name == "line" else SAMPLE // 2, FEW)


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("name", GROUND)
def test_ground_million(name: str) -> None:
    ground(name, 10_000 if name == "line" else MILLION, MILLION)


@pytest.fixture(scope="module")
def uplink(micropython: str) -> Iterator[Worker]:
    with Worker([firmware_dir()]) as worker:
        worker.run(BOARD)
        yield worker


@pytest.fixture(scope="module")
def files(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        worker.call("new_disk")
        worker.call("boot")
        yield worker


def used(worker: Worker) -> int:
    """Bytes of heap in use on board."""
    return int(worker.eval("(__import__('gc').collect(), __import__('gc').mem_alloc())[1]"))


def telecommands(rng: random.Random) -> list[bytes]:
    """CLTUs as the ground sends them, under the unit's key and another."""
    packet = pus.build_command(0x110, 1, 17, 1, b"")
    return [
        tc.cltu(tc.frame(SCID, data, ns=n, bypass=bool(n & 1), control=control, key=key, number=1))
        for n in range(4)
        for data, control in ((packet, False), (tc.UNLOCK, True), (tc.set_vr(9), True))
        for key in (KEY, rng.randbytes(32))
    ]


def board_uplink(worker: Worker, frames: int, noise: int) -> None:
    rng = random.Random("uplink")
    worker.call("new_uplink", KEY)
    good = telecommands(rng)
    before = used(worker)
    for _ in range(frames // 100):
        worker.call("feed", b"".join(mutated(rng, rng.choice(good)) for _ in range(100)))
    for _ in range(noise // 4000):
        worker.call("feed", rng.randbytes(4000))
    assert used(worker) - before < 20_000


def test_board_uplink_sample(uplink: Worker) -> None:
    board_uplink(uplink, SAMPLE, FEW)


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_board_uplink_million(uplink: Worker) -> None:
    board_uplink(uplink, MILLION, MILLION)


def board_files(worker: Worker, frames: int, noise: int) -> None:
    """The unit's file transfer entity; it may write files, and its memory is bounded all the same."""
    worker.run(
        "def many(data):\n"
        "    at = 0\n"
        "    while at < len(data):\n"
        "        n = data[at] << 8 | data[at + 1]\n"
        "        c.pdu_in(memoryview(data)[at + 2 : at + 2 + n])\n"
        "        at += 2 + n\n"
        "    frame(600, 50)\n"
        "    take()"
    )
    rng = random.Random("files")
    good = pdus_of(pdus.Builder(0, 1, 1)) + pdus_of(pdus.Builder(1, 5, 0))

    def feed(pieces: list[bytes]) -> None:
        worker.call("many", b"".join(len(p).to_bytes(2, "big") + p for p in pieces))

    feed([rng.choice(good) for _ in range(40)])
    before = used(worker)
    for _ in range(frames // 50):
        feed([mutated(rng, rng.choice(good)) for _ in range(50)])
    for _ in range(noise // 2500):
        feed([rng.randbytes(250) for _ in range(10)])
    assert used(worker) - before < 100_000
    assert worker.eval("c.pdus_in") >= frames
    bad: Any = worker.eval("c.pdus_bad")
    assert bad > frames // 10


def test_board_files_sample(files: Worker) -> None:
    board_files(files, SAMPLE, FEW)


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_board_files_million(files: Worker) -> None:
    board_files(files, MILLION, MILLION)
