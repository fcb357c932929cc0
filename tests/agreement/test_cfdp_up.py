"""Files from the ground's entity to the board (firmware in MicroPython, LittleFS that forgets what was not synced)."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rovercam.protocol.cfdp import Cancelled, Direction, Entity, Finished, RequestError, Settings
from rovercam_hil.micropython.cfdp_line import Line, new_board
from rovercam_hil.micropython.worker import Worker


@pytest.fixture(scope="module")
def board(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        yield worker


def delivered(line: Line) -> bool:
    return any(isinstance(e, Finished) and e.direction == Direction.UP for e in line.events)


def test_put(board: Worker, tmp_path: Path) -> None:
    """A file goes up once, replaces the old one, folders are made; nothing stays behind but the counter."""
    data = random.Random(1).randbytes(20000)
    line = Line(board, tmp_path, capacity=500)
    board.call("store", "/f/x", b"old")
    line.ground.put(1, data, "/f/x")
    line.ground.put(1, data[:500], "/f/a/b/y", checksum=3)
    assert line.run(lambda: sum(isinstance(e, Finished) for e in line.events) == 2, 30)
    assert line.board_file("x") == data
    assert line.board_file("a/b/y") == data[:500]
    assert line.up_sent == len(data) + 500
    line.run(lambda: False, 1)
    assert board.eval("[e[0] for e in os.ilistdir('/f/t')]") == []
    assert [e[0] for e in line.worker.call("take")] == [1, 1, 7, 7]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(0, 8000),
    pdu=st.integers(40, 900),
    delay=st.sampled_from([0.0, 1.0]),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    checksum=st.sampled_from([0, 3, 15]),
    resets=st.integers(0, 4),
    kills=st.integers(0, 2),
)
def test_any_line(
    board: Worker, seed: int, size: int, pdu: int, delay: float, loss: float, checksum: int, resets: int, kills: int
) -> None:
    """Loss, repetition and disorder both ways, resets of the board, kills of the ground: the file is there, once."""
    rng = random.Random(seed)
    data = rng.randbytes(size)
    with tempfile.TemporaryDirectory() as folder:
        line = Line(
            board, Path(folder), capacity=200, delay=delay, lose=lambda now: rng.random() < loss,
            lose_up=lambda now: rng.random() < loss, settings=Settings(pdu_limit=pdu),
        )  # fmt: skip
        later = line._later

        def disorder(queue: list, at: float, payload: bytes) -> None:
            for _ in range(1 + (rng.random() < loss / 5)):
                later(queue, at + (0.2 if queue is line.up and rng.random() < loss / 5 else 0), payload)

        line._later = disorder
        line.ground.put(1, data, "/f/x", checksum=checksum)
        for _ in range(resets + kills):
            line.run(lambda: rng.random() < 0.1, 1.0)
            if rng.random() * (resets + kills) < resets:
                line.boot()
            else:
                line.kill_ground()
                line.run(lambda: rng.random() < 0.2, 1.0)
                line.start_ground()
        assert line.run(lambda: delivered(line), 6000)
        assert line.board_file("x") == data
        assert board.eval("c.pdus_bad") == 0
        line.kill_ground()


def test_losses_and_resets_cost_little(board: Worker, tmp_path: Path) -> None:
    """What was synced outlives a reset; pieces beyond a gap are kept, not asked for again."""
    rng = random.Random(3)
    data = rng.randbytes(65536)
    line = Line(board, tmp_path, capacity=200, lose_up=lambda now: rng.random() < 0.05)
    line.settings = Settings(data_per_poll=200)
    line.start_ground()
    line.ground.put(1, data, "/f/x")
    for _ in range(6):
        line.run(lambda: False, 0.5)
        line.boot()
        line.up_lost += 4096  # in the board's memory, not on its flash
    assert line.run(lambda: delivered(line), 600)
    assert line.board_file("x") == data
    assert line.up_sent - len(data) <= 1.05 * line.up_lost


def test_cancel_and_suspend(board: Worker, tmp_path: Path) -> None:
    line = Line(board, tmp_path, settings=Settings(data_per_poll=200))
    transaction = line.ground.put(1, bytes(30000), "/f/x")
    line.run(lambda: False, 1)
    line.ground.suspend(transaction)
    line.run(lambda: False, 1)
    sent = line.up_sent
    line.run(lambda: False, 10)
    assert line.up_sent == sent
    line.ground.resume(transaction)
    line.run(lambda: False, 0.5)
    assert line.up_sent > sent
    line.ground.cancel(transaction, line.now)
    assert line.run(lambda: any(isinstance(e, Cancelled) for e in line.events), 10)
    assert line.board_file("x") is None
    assert board.eval("[e[0] for e in os.ilistdir('/f/t')]") == []


def test_full_flash_is_told(board: Worker, tmp_path: Path) -> None:
    """No room on the board: Finished with filestore rejection, the unit goes on."""
    line = Line(board, tmp_path)
    board.call("new_disk", 10)
    board.call("boot")
    line.ground.put(1, bytes(range(256)) * 200, "/f/x")
    assert line.run(lambda: any(isinstance(e, Cancelled) for e in line.events), 60)
    assert next(e for e in line.events if isinstance(e, Cancelled)).condition == 4
    line.run(lambda: False, 2)
    line.ground.put(1, b"small", "/f/y")
    assert line.run(lambda: delivered(line), 30)
    assert line.board_file("y") == b"small"


def test_bad_requests(tmp_path: Path, board: Worker) -> None:
    line = Line(board, tmp_path)
    for name, checksum in (("", 0), ("x" * 200, 0), ("/f/x", 1)):
        with pytest.raises(RequestError):
            line.ground.put(1, b"", name, checksum=checksum)


@pytest.mark.parametrize("last", [0, 100], ids=["the same numbers again", "other numbers"])
def test_a_ground_that_forgot_its_files_can_send_again(board: Worker, tmp_path: Path, last: int) -> None:
    """Four files begun by a ground whose archive is gone take all the room that there is. They give way when their numbers
    are used again, or once they have been silent."""
    line = Line(board, tmp_path, capacity=200)
    for n in range(4):
        line.ground.put(1, bytes(5000), f"/f/old{n}")
    assert line.run(lambda: board.eval("sum(e[0].endswith('.rx') for e in os.ilistdir('/f/t'))") == 4, 60)
    line.kill_ground()
    line.run(lambda: False, 2)  # what is on its way arrives
    shutil.rmtree(tmp_path / "ground")
    line.start_ground()
    line.ground = Entity(0, line.store, line.now, line.settings, last_number=last)
    data = random.Random(4).randbytes(3000)
    for n in range(6):
        line.ground.put(1, data[n:], f"/f/new{n}")
    assert line.run(
        lambda: sum(isinstance(e, Finished) and e.direction == Direction.UP for e in line.events) == 6, 1200
    )
    assert [line.board_file(f"new{n}") for n in range(6)] == [data[n:] for n in range(6)]
