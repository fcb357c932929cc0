"""Class 1 with erasure repair: nothing is ever heard from the ground."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import zfec
from rovercam.protocol.cfdp import FileStore, Progress, SegmentReceived, TransactionId, repair
from rovercam_hil.micropython.cfdp_line import Line, new_board
from rovercam_hil.micropython.worker import Worker


@pytest.fixture(scope="module")
def board(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        yield worker


def one_way(board: Worker, folder: Path, **options: object) -> Line:
    return Line(board, folder, lose_up=lambda now: True, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "percent"), [(1, 100), (100, 200), (12800, 50), (12801, 30), (30000, 10)])
def test_repair_blocks_are_zfecs(board: Worker, tmp_path: Path, size: int, percent: int) -> None:
    """Every repair block on the line equals the one zfec computes from the file."""
    data = random.Random(size).randbytes(size)
    line = one_way(board, tmp_path)
    seen: dict[tuple[int, int], bytes] = {}

    def take(apid: int, pdu: bytes) -> list[tuple[int, bytes]]:
        if apid & 15 == 2:
            packet = repair.parse(pdu)
            for i in range(0, len(packet.data), packet.length):
                seen[packet.generation, packet.first + i // packet.length] = packet.data[i : i + packet.length]
        return [(apid, pdu)]

    line.mangle = take
    transaction = line.get("f", data, cls=1, repair_percent=percent)
    assert line.run(line.idle, 60)
    assert line.got(transaction) == data
    blocks = repair.Blocks(size, 100)
    count = 0
    for generation in range(blocks.generations):
        k = blocks.count(generation)
        source = []
        for i in range(k):
            at = (generation + i * blocks.generations) * 100
            source.append(data[at : at + 100].ljust(100, b"\0"))
        numbers = [i for g, i in seen if g == generation]
        count += min(-(-k * percent // 100), 256 - k)
        expected = zfec.Encoder(k, 256).encode(source, numbers)
        assert [seen[generation, i] for i in numbers] == [bytes(b) for b in expected]
    assert len(seen) == count


def test_five_passes_four_bad(board: Worker, tmp_path: Path) -> None:
    """Issue 3: five passes of which four are 90 % corrupted, no pass whole; what came before is shown meanwhile."""
    rng = random.Random(5)
    data = rng.randbytes(30000)
    line = one_way(board, tmp_path, capacity=600)
    bad = {0: 0.9, 1: 0.9, 2: 0.25, 3: 0.9, 4: 0.9}
    line.lose = lambda now: rng.random() < bad.get(line.worker.eval("c._txs[0].cycle if c._txs else 4"), 0.9)
    transaction = line.get("f", data, cls=1, repair_percent=60, cycles=5)
    assert line.run(line.idle, 200)
    assert line.got(transaction) == data
    assert sum(isinstance(e, SegmentReceived) for e in line.events) > 20
    first = next(e for e in line.events if isinstance(e, Progress))
    assert first.done < len(data) // 10


def test_too_few_blocks_are_kept(board: Worker, tmp_path: Path) -> None:
    """Not enough came: no file, but everything is kept over a kill, and a later pass completes it."""
    rng = random.Random(6)
    data = rng.randbytes(20000)
    line = one_way(board, tmp_path, capacity=600, lose=lambda now: rng.random() < 0.75)
    transaction = line.get("f", data, cls=1, repair_percent=40, cycles=0)
    line.run(lambda: False, 4.0)
    assert line.got(transaction) is None
    line.kill_ground()
    kept = FileStore(tmp_path / "ground").load()[0]
    assert 0 < kept.ranges.total < len(data)
    assert kept.repair
    line.start_ground()
    assert line.run(lambda: line.got(transaction) is not None, 120)
    assert line.got(transaction) == data
    board.eval(f"c.cancel({transaction.number})")
    assert line.run(line.idle, 20)


def test_metadata_and_eof_lost(board: Worker, tmp_path: Path) -> None:
    """Repair packets carry size and checksum: the content survives without a single directive."""
    data = random.Random(7).randbytes(5000)
    line = one_way(board, tmp_path)
    line.mangle = lambda apid, pdu: [] if apid & 15 == 1 and pdu[0] & 0x10 == 0 else [(apid, pdu)]
    transaction = line.get("f", data, cls=1, repair_percent=20)
    assert line.run(line.idle, 20)
    assert line.got(transaction) == data


def test_reset_goes_on_from_a_mark(board: Worker, tmp_path: Path) -> None:
    """A mark every 48 KiB: so much at most is sent again."""
    data = random.Random(8).randbytes(90000)
    line = one_way(board, tmp_path)
    transaction = line.get("f", data, cls=1)
    line.run(lambda: line.data_sent > 70000)
    line.boot()
    assert line.run(line.idle, 60)
    assert line.got(transaction) == data
    assert line.data_sent < len(data) + 49152 - 20000


@pytest.mark.parametrize("cut", [0, 3, 14, 15, 50])
def test_bad_repair_packets(board: Worker, tmp_path: Path, cut: int) -> None:
    """Truncated or impossible repair packets are counted and change nothing."""
    line = one_way(board, tmp_path)
    packet = repair.HEADER.pack(1, 9, 5000, 0, 100, 0, 50) + bytes(100)
    line.ground.repair_in(1, packet[:cut], 0.0)
    line.ground.repair_in(1, repair.HEADER.pack(1, 9, 5000, 0, 100, 1, 50) + bytes(100), 0.0)
    line.ground.repair_in(1, repair.HEADER.pack(1, 9, 5000, 0, 100, 0, 49) + bytes(100), 0.0)
    line.ground.repair_in(2, packet, 0.0)
    assert (line.ground.counters.pdus_bad, line.ground.counters.pdus_foreign) == (3, 1)
    assert line.ground.transactions() == []
    assert TransactionId(1, 9) not in line.ground._receivers
