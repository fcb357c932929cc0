"""Every decoder of the line, on the ground and on board, takes anything: mutated frames (see fuzzing.py) and random bytes.

A sample in every run; a million mutated frames and a megabyte of random bytes to each by

    pytest tests/agreement/test_fuzz_decoders.py tests/host/protocol/test_receiver.py -m slow

(in the second file longer lines, for the receiver).
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rovercam.places import firmware_dir
from rovercam_hil.micropython.cfdp_line import new_board
from rovercam_hil.micropython.worker import Worker

sys.path.insert(0, str(Path(__file__).parent))
from fuzzing import GROUND, KEY, Commands, Files, Telecommands, held
from link_board import BOARD

MILLION = 1_000_000
SAMPLE = 3000
FEW = 20_000  # bytes of random noise in the sample
MEMORY = 8_000_000  # bytes that a decoder on the ground holds at most: 64 files of 30 kB, their blocks twice, fit; the input is 200 MB
OBJECTS = 30_000  # pieces of memory that the whole process may have more at the end than after a tenth
LOOKS = 10  # how often memory is measured on the way


def ground(name: str, frames: int, noise: int) -> None:
    rng = random.Random(name)
    decoder = GROUND[name]()
    early = 0
    for look in range(LOOKS):
        for _ in range(frames // LOOKS):
            decoder.feed(decoder.one(rng))
        for _ in range(noise // 500 // LOOKS):
            decoder.feed(rng.randbytes(500))
        assert held(decoder) < MEMORY
        gc.collect()
        early = early or sys.getallocatedblocks()
        assert sys.getallocatedblocks() < early + OBJECTS, look
    assert decoder.taken > frames // 20, "hardly anything came past the first check"


@pytest.mark.parametrize("name", GROUND)
def test_ground_sample(name: str) -> None:
    ground(name, 300 if name == "line" else SAMPLE // 2, FEW)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("name", GROUND)
def test_ground_million(name: str) -> None:
    ground(name, MILLION, MILLION)


def used(worker: Worker) -> int:
    """Bytes of heap in use on board."""
    return int(worker.eval("(__import__('gc').collect(), __import__('gc').mem_alloc())[1]"))


@pytest.fixture(scope="module")
def uplink(micropython: str) -> Iterator[Worker]:
    with Worker([firmware_dir()]) as worker:
        worker.run(BOARD)
        yield worker


def board_uplink(worker: Worker, frames: int, noise: int) -> None:
    rng = random.Random("uplink")
    kind = Telecommands()
    worker.call("new_uplink", KEY)
    worker.run("def take(data):\n    feed(data)\n    got.clear()")
    before = used(worker)
    for _ in range(frames // 100):
        worker.call("take", b"".join(kind.one(rng) for _ in range(100)))
    for _ in range(noise // 4000):
        worker.call("take", rng.randbytes(4000))
    assert used(worker) - before < 20_000
    ad, bd, bc, bad, foreign, unauthenticated, _ = worker.eval("counts()")
    assert min(ad + bd, bc, bad, unauthenticated) > frames // 200
    assert foreign > frames // 2000


def test_board_uplink_sample(uplink: Worker) -> None:
    board_uplink(uplink, SAMPLE, FEW)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_board_uplink_million(uplink: Worker) -> None:
    board_uplink(uplink, MILLION, MILLION)


@pytest.fixture(scope="module")
def files(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        worker.run(
            "def many(data):\n"
            "    at = 0\n"
            "    while at < len(data):\n"
            "        n = data[at] << 8 | data[at + 1]\n"
            "        piece = memoryview(data)[at + 3 : at + 2 + n]\n"
            "        (c.request_in if data[at + 2] else c.pdu_in)(piece)\n"
            "        at += 2 + n\n"
            "    for _ in range(8):\n"
            "        frame(600, 500)\n"
            "    take()\n"
            "def send():\n"
            "    while len(c.transactions()) < 4:\n"
            "        c.put('/f/sent', 'x')\n"
        )
        yield worker


def board_files(worker: Worker, frames: int, noise: int) -> None:
    """The unit's file transfer entity. It writes what comes; a reset now and then lets it find its records again, a new disk frees it of them."""
    rng = random.Random("files")
    kind = Files()
    before = 0
    good = 0
    for block in range(frames // 50):
        if block % 100 == 0:
            worker.call("new_disk")
            worker.call("boot")
            worker.call("store", "/f/sent", bytes(3500))
            before = before or used(worker)
        elif block % 20 == 0:
            good += worker.eval("c.pdus_in - c.pdus_bad")
            worker.call("boot")
        worker.call("send")
        pieces = [kind.one(rng) for _ in range(50)]
        worker.call("many", b"".join(len(p).to_bytes(2, "big") + p for p in pieces))
    for _ in range(noise // 2500):
        pieces = [rng.randbytes(250) for _ in range(10)]
        worker.call("many", b"".join(len(p).to_bytes(2, "big") + p for p in pieces))
    assert used(worker) - before < 100_000
    assert good > frames // 10


def test_board_files_sample(files: Worker) -> None:
    board_files(files, SAMPLE, FEW)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_board_files_million(files: Worker) -> None:
    board_files(files, MILLION, MILLION)


def board_commands(worker: Worker, frames: int, noise: int) -> None:
    """The dictionary's check of a telecommand's arguments: an answer to each, a failure code or the arguments."""
    worker.run(
        f"from rover.pool import Table\ntable = Table({str(firmware_dir() / 'rover' / 'dictionary.bin')!r})\n"
        "def many(data):\n"
        "    at = good = 0\n"
        "    while at < len(data):\n"
        "        n = data[at]\n"
        "        key = int.from_bytes(data[at + 1 : at + 5], 'big')\n"
        "        good += not table.decode(key, memoryview(data)[at + 5 : at + 1 + n])[0]\n"
        "        at += 1 + n\n"
        "    return good\n"
    )
    rng = random.Random("commands")
    kind = Commands()
    before = used(worker)
    good = 0
    for _ in range(frames // 100):
        pieces = [kind.one(rng)[:255] for _ in range(100)]
        good += worker.call("many", b"".join(bytes([len(p)]) + p for p in pieces))
    for _ in range(noise // 2500):
        good += worker.call("many", b"".join(b"\xfa" + rng.randbytes(250) for _ in range(10)))
    assert used(worker) - before < 20_000
    assert good > frames // 100


def test_board_commands_sample(worker: Worker) -> None:
    board_commands(worker, SAMPLE, FEW)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_board_commands_million(worker: Worker) -> None:
    board_commands(worker, MILLION, MILLION)
