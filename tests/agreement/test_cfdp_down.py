"""Files from the board (firmware in MicroPython) to the ground's entity over lines that lose frames."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rovercam.protocol.cfdp import Cancelled, SegmentReceived, Settings, Started
from rovercam_hil.micropython.cfdp_line import Line, new_board
from rovercam_hil.micropython.worker import Worker


@pytest.fixture(scope="module")
def board(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        yield worker


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_clean_line_is_filled(board: Worker, tmp_path: Path) -> None:
    """64 KiB in frames of 1600 bytes: nothing repeated, and only headers between the file and the raw line."""
    data = noise(1, 65536)
    line = Line(board, tmp_path, capacity=1600)
    transaction = line.get("f", data)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    assert line.data_sent == len(data)
    headers = (1600 - 18) / (1600 + 16)
    assert line.efficiency(len(data)) > headers - 0.025  # the last frame is partly empty
    assert line.run(line.idle, 5)
    assert line.worker.call("take")[-1][0] == 2


@pytest.mark.parametrize("delay", [0.0, 0.25, 2.0])
def test_losses_are_repaired_on_the_way(board: Worker, tmp_path: Path, delay: float) -> None:
    """Frames lost early cost their own time, not a round trip, whatever the delay; nothing is sent without need."""
    data = noise(2, 65536)
    line = Line(board, tmp_path, capacity=1000, delay=delay)
    line.lose = lambda now: line.frames in (3, 4, 17, 23)
    transaction = line.get("f", data)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    assert line.data_sent == len(data) + line.data_lost
    repaired = (line.frames * line.frame_time) + delay
    assert line.now - (line.first_at or 0) < repaired + 3 * line.frame_time + (delay if delay > 1 else 0)


def spoilt(data: bytes, rng: random.Random, length: int = 300) -> bytes:
    """A frame as a burst left it."""
    at = rng.randrange(-length, len(data))
    first, last = max(0, at), min(len(data), at + length)
    return data[:first] + rng.randbytes(last - first) + data[last:]


@pytest.mark.parametrize("run", [0, 200])
@pytest.mark.parametrize("delay", [0.0, 0.25])
def test_what_a_burst_left_is_not_sent_again(board: Worker, tmp_path: Path, delay: float, run: int) -> None:
    """Bursts of 300 bytes in frames of 1600: what is sent again is little more than they spoilt, and the file is right."""
    rng = random.Random(6)
    data = noise(6, 65536)
    line = Line(board, tmp_path, capacity=1600, delay=delay)
    lost = (4, 14, 15, 24)
    line.lose = lambda now: line.frames in lost
    line.remains = lambda frame: spoilt(frame, rng)
    transaction = line.get("f", data, run=run)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    block = run or 64
    assert line.data_sent - len(data) <= len(lost) * (300 + 3 * block)
    line.kill_ground()


def test_an_outage_costs_its_own_time(board: Worker, tmp_path: Path) -> None:
    """Frames that it cut off at either end are used as far as they came."""
    data = noise(7, 65536)
    line = Line(board, tmp_path, capacity=1600)
    line.lose = lambda now: 5 <= line.frames < 20
    line.remains = lambda frame: frame[:1200] if line.frames == 5 else None
    transaction = line.get("f", data)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    assert line.data_sent - len(data) <= line.data_lost - 1100
    line.kill_ground()


def test_digests_that_do_not_come(board: Worker, tmp_path: Path) -> None:
    """Every digest is lost: the bytes are asked for after all."""
    data = noise(8, 65536)
    line = Line(board, tmp_path, capacity=1600)
    line.lose = lambda now: line.frames in (5, 6)
    line.remains = lambda frame: frame
    line.mangle = lambda apid, pdu: [] if apid & 0xF == 2 else [(apid, pdu)]
    transaction = line.get("f", data)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    line.kill_ground()


def test_resume(board: Worker, tmp_path: Path) -> None:
    """Issue 3: 64 KiB with 20 resets, 5 kills of the ground and three outages; at most 5 % above what was lost."""
    rng = random.Random(1)
    data = noise(3, 65536)
    outages = [(2.0, 4.0), (9.0, 12.0), (15.0, 15.5)]
    line = Line(board, tmp_path, capacity=1000, baud=57600, delay=0.05)
    out = lambda now: any(a <= now < b for a, b in outages) or rng.random() < 0.02  # noqa: E731
    line.lose = line.lose_up = out
    transaction = line.get("f", data)
    resets = sorted(rng.uniform(0.3, 18) for _ in range(20))
    kills = sorted(rng.uniform(0.3, 18) for _ in range(5))
    back = None
    done = lambda: line.got(transaction) is not None  # noqa: E731

    def nothing_left() -> bool:
        nonlocal back
        if resets and line.now >= resets[0]:
            resets.pop(0)
            line.boot()
        if kills and line.now >= kills[0]:
            kills.pop(0)
            line.kill_ground()
            back = line.now + 0.4
        if back and line.now >= back:
            back = None
            line.start_ground()
        return done()

    assert line.run(nothing_left)
    assert line.got(transaction) == data
    assert len(resets) < 5, "the transfer was over before the resets"
    assert line.data_sent - len(data) <= 1.05 * line.data_lost
    line.start_ground() if line.ground is None else None
    assert line.run(line.idle, 130)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(0, 20000),
    capacity=st.integers(80, 2000),
    delay=st.sampled_from([0.0, 0.1, 1.0]),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    up=st.sampled_from([0.0, 0.2]),
    run=st.sampled_from([0, 200, 64]),
    checksum=st.sampled_from([0, 3, 15]),
    resets=st.integers(0, 4),
    kills=st.integers(0, 2),
    immediate=st.booleans(),
    remains=st.booleans(),
)
def test_any_line(
    board: Worker, seed: int, size: int, capacity: int, delay: float, loss: float, up: float, run: int,
    checksum: int, resets: int, kills: int, immediate: bool, remains: bool,
) -> None:  # fmt: skip
    """Loss, repetition, disorder, resets of the board and kills of the ground: the file arrives, the board gets idle."""
    rng = random.Random(seed)
    data = rng.randbytes(size)
    with tempfile.TemporaryDirectory() as folder:
        line = Line(
            board, Path(folder), capacity=capacity, delay=delay, lose=lambda now: rng.random() < loss,
            lose_up=lambda now: rng.random() < up, settings=Settings(immediate=immediate),
        )  # fmt: skip
        held: list[tuple[int, bytes]] = []

        def mangle(apid: int, pdu: bytes) -> list[tuple[int, bytes]]:
            out = [(apid, pdu)]
            if rng.random() < loss / 5:
                out *= 2
            if rng.random() < loss / 5:
                held.append(out.pop())
            elif held:
                out.append(held.pop())
            return out

        line.mangle = mangle
        if remains:
            line.remains = lambda data: spoilt(data, rng)
        transaction = line.get("f", data, run=run, checksum=checksum)
        for _ in range(resets + kills):
            line.run(lambda: rng.random() < 0.05, 1.0)
            if rng.random() * (resets + kills) < resets:
                line.boot()
            else:
                line.kill_ground()
                line.run(lambda: rng.random() < 0.2, 1.0)
                line.start_ground()
        assert line.run(lambda: line.got(transaction) is not None, 3000)
        assert line.got(transaction) == data
        assert line.run(line.idle, 3000)
        assert line.worker.eval("c.pdus_bad") == 0
        line.kill_ground()


def test_corrupted_data_is_found_by_the_checksum(board: Worker, tmp_path: Path) -> None:
    """A byte changed behind the frame's CRC: the file is asked for again, not delivered wrong."""
    data = noise(4, 5000)
    line = Line(board, tmp_path)
    changed = []

    def mangle(apid: int, pdu: bytes) -> list[tuple[int, bytes]]:
        if not changed and pdu[0] & 0xF0 == 0x30:
            changed.append(pdu)
            pdu = pdu[:-1] + bytes([pdu[-1] ^ 1])
        return [(apid, pdu)]

    line.mangle = mangle
    transaction = line.get("f", data)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    assert any(type(e).__name__ == "Fault" for e in line.events)


def test_slots_show_the_whole_file_first(board: Worker, tmp_path: Path) -> None:
    """Of a file in slots the first tenth received touches every eighth of the file; neighbours are sent far apart."""
    data = noise(5, 40000)
    line = Line(board, tmp_path, capacity=500)
    transaction = line.get("f", data, run=200)
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.got(transaction) == data
    assert line.data_sent == len(data), "no gap of the order is taken for a loss"
    offsets = [e.offset for e in line.events if isinstance(e, SegmentReceived)]
    first = offsets[: len(offsets) // 10]
    assert {o * 8 // len(data) for o in first} == set(range(8))
    slots = [o // 200 for o in offsets if o % 200 == 0]
    assert sorted(slots) == list(range(200))
    place = {slot: i for i, slot in enumerate(slots)}
    assert min(abs(place[s] - place[s + 1]) for s in range(199)) > 10
    started = next(e for e in line.events if isinstance(e, Started))
    assert started.run == 200


def test_priorities(board: Worker, tmp_path: Path) -> None:
    """Three layers at once: each waits for the more urgent, losses of the urgent go first."""
    line = Line(board, tmp_path, capacity=600)
    line.lose = lambda now: line.frames in (2, 9)
    files = {line.get(f"p.{i}", noise(i, 4000), priority=p): noise(i, 4000) for i, p in ((0, 3), (1, 1), (2, 2))}
    assert line.run(lambda: all(line.got(t) is not None for t in files))
    assert all(line.got(t) == d for t, d in files.items())
    order = [e.name for e in line.events if type(e).__name__ == "Finished"]
    assert order == ["p.1", "p.2", "p.0"]


def test_suspend_resume_cancel(board: Worker, tmp_path: Path) -> None:
    """Suspension outlives a reset; a cancelled transaction is known as cancelled on the ground; the board is empty."""
    data = noise(6, 30000)
    line = Line(board, tmp_path, capacity=600)
    transaction = line.get("f", data)
    line.run(lambda: False, 1.0)
    assert line.worker.eval(f"c.suspend({transaction.number})")
    line.run(lambda: False, 0.3)
    sent = line.data_sent
    line.boot()
    line.run(lambda: False, 3.0)
    assert line.data_sent == sent
    assert line.worker.eval(f"c.resume({transaction.number})")
    assert line.run(lambda: line.got(transaction) is not None)
    assert line.data_sent == len(data) + line.data_lost
    other = line.get("g", data)
    line.run(lambda: False, 1.0)
    assert line.worker.eval(f"c.cancel({other.number})")
    assert line.run(lambda: any(isinstance(e, Cancelled) and e.transaction == other for e in line.events), 10)
    assert line.run(line.idle, 10)
    third = line.get("h", data)
    line.run(lambda: False, 1.0)
    line.ground.cancel(third, line.now)
    assert line.run(line.idle, 10)
    assert line.worker.call("take")[-1][:2] == (3, third.number)
    assert line.worker.eval("[e[0] for e in os.ilistdir('/f/t')]") == ["seq"]


def test_frozen_without_a_ground(board: Worker, tmp_path: Path) -> None:
    """Nobody would ask for what is lost: class 2 stands still, class 1 goes on, and a ground that is heard ends it."""
    data = noise(7, 30000)
    line = Line(board, tmp_path, capacity=600)
    transaction = line.get("f", data)
    line.run(lambda: False, 0.5)
    line.worker.run("c.frozen = True")
    line.run(lambda: False, 0.1)
    sent = line.data_sent
    line.run(lambda: False, 20.0)
    assert 0 < sent == line.data_sent < len(data)
    blind = line.get("g", data, cls=1)
    assert line.run(lambda: line.got(blind) is not None, 20)
    assert line.got(transaction) is None
    line.worker.run("c.heard()")
    assert line.run(lambda: line.got(transaction) is not None, 20)
    assert line.data_sent == 2 * len(data)


def test_file_gone(board: Worker, tmp_path: Path) -> None:
    """The file is evicted from a full flash during its transfer: the ground is told, the board goes on."""
    line = Line(board, tmp_path, capacity=600)
    transaction = line.get("f", noise(8, 30000))
    line.run(lambda: False, 0.5)
    line.worker.run("os.remove('/f/f')\nc._close(c._txs[0])")
    assert line.run(lambda: any(isinstance(e, Cancelled) for e in line.events), 10)
    cancelled = next(e for e in line.events if isinstance(e, Cancelled))
    assert (cancelled.transaction, cancelled.condition) == (transaction, 4)
    assert line.run(line.idle, 10)


def test_long_outage(board: Worker, tmp_path: Path) -> None:
    """Two hours without a ground: a bounded trickle of questions, then the rest of the file."""
    data = noise(9, 30000)
    line = Line(board, tmp_path, capacity=600)
    line.lose = line.lose_up = lambda now: 1.0 < now < 7200
    transaction = line.get("f", data)
    line.run(lambda: line.now > 60, 61)
    frames = line.frames
    line.frame_time *= 20  # nothing happens: coarser steps
    line.run(lambda: line.now > 7190, 8000)
    assert line.frames - frames < 130
    line.frame_time /= 20
    assert line.run(lambda: line.got(transaction) is not None, 120)
    assert line.got(transaction) == data
    assert line.data_sent == len(data) + line.data_lost


def test_flash_writes_of_a_transfer(board: Worker, tmp_path: Path) -> None:
    """Sending writes a record at the start and removes it at the end: no erase per segment (45 ms each on a Pico)."""
    line = Line(board, tmp_path)
    line.get("e", noise(1, 100))
    assert line.run(line.idle, 10)
    line.worker.call("store", "/f/f", noise(1, 65536))
    before = line.worker.eval("disk.erased")
    line.worker.eval("c.put('/f/f')")
    assert line.run(line.idle, 30)
    assert line.worker.eval("disk.erased") - before <= 3
