"""Any bytes as a PDU: the board's entity never raises, its memory stays bounded, its own transfers go on."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam_hil.micropython.cfdp_line import Line, new_board
from rovercam_hil.micropython.worker import Worker


@pytest.fixture(scope="module")
def board(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        worker.run(
            "def fuzz(*pdus):\n    for p in pdus:\n        c.pdu_in(p)\n        c.request_in(p)\n        frame(300, 50)\n    events.clear()"
        )
        yield worker


def header(first: int, body: bytes, source: int, number: int, dest: int) -> bytes:
    return struct.pack(">BHBBHB", first, len(body), 1, source, number, dest) + body


bodies = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda c, b: bytes([c]) + b, st.sampled_from([4, 5, 6, 7, 8, 9, 12]), st.binary(max_size=40)),
)
shaped = st.builds(
    header, st.sampled_from([0x20, 0x24, 0x28, 0x30, 0x34, 0x38]), bodies, st.integers(0, 2), st.integers(0, 3),
    st.integers(0, 1),
)  # fmt: skip

requests = st.builds(
    lambda *f: struct.pack(">HIIB", *f),
    st.integers(0, 3),
    st.integers(0, 4000),
    st.integers(0, 4000),
    st.integers(0, 255),
)


@settings(max_examples=150, deadline=None)
@given(pdus=st.lists(st.one_of(st.binary(max_size=80), shaped, requests), min_size=1, max_size=20))
def test_any_bytes(board: Worker, tmp_path_factory: pytest.TempPathFactory, pdus: list[bytes]) -> None:
    """Random bytes and well-formed headers with random bodies; afterwards a file still comes up."""
    line = Line(board, tmp_path_factory.mktemp("g"))
    line.get("f", bytes(3000))
    board.call("fuzz", *pdus)
    assert board.eval("len(c._txs) <= 16 and len(c._acks) <= 8 and len(c._digests) <= 4")
    assert board.eval("c._receiver is None or len(c._receiver._rxs) <= 4")
    line.boot()


def test_memory_is_bounded(board: Worker, tmp_path: Path) -> None:
    """Thousands of hostile PDUs: endless transactions, requests and gaps allocate no more than the first thousand."""
    rng = random.Random(1)
    line = Line(board, tmp_path)
    line.get("f", bytes(60000))

    def hostile() -> bytes:
        number, kind = rng.randrange(1, 2000), rng.randrange(4)
        if kind == 0:
            ranges = b"".join(struct.pack(">II", a, a + 9) for a in (rng.randrange(60000) for _ in range(60)))
            return header(0x28, b"\x08" + struct.pack(">II", 0, 60000) + ranges, 1, 1, 0)
        if kind == 1:
            return header(0x20, b"\x07" + struct.pack(">BIB", 0, 1 << 20, 0) + b"\x04/f/z", 0, number % 4, 1)
        if kind == 2:
            return header(0x30, struct.pack(">I", rng.randrange(1 << 20)) + b"x" * 8, 0, number % 4, 1)
        return header(0x20, b"\x04" + struct.pack(">BII", 0xF0 * rng.randrange(2), 1, 1 << 20), 0, number, 1)

    levels = []
    for _ in range(12):
        board.call("fuzz", *[hostile() for _ in range(250)])
        # asked for by itself: what called fuzz() may still lie on the stack, with all its arguments
        levels.append(board.eval("(gc.collect(), gc.mem_alloc())[1]"))
    assert min(levels[6:]) < min(levels[:6]) + 4096, levels
    assert board.eval("c.naks_dropped + c._receiver.dropped") > 0


def test_strides_reach_every_run(board: Worker) -> None:
    """The step of the sending order is coprime to the number of runs, for any file."""
    board.run(
        "from rover.services.cfdp_sum import stride_for\n"
        "def bad(n):\n    a, b = n, stride_for(n)\n    while b:\n        a, b = b, a % b\n    return a > 1 or stride_for(n) > 65535\n"
    )
    assert board.eval("[n for n in list(range(1, 2000)) + list(range(65000, 65536)) if bad(n)]") == []
