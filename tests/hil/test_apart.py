"""A board in a process of its own: the same bytes at the same times, and plain words when its process is gone."""

import numpy as np
import pytest
from rovercam_hil.boards.apart import Apart
from rovercam_hil.boards.base import BoardError
from rovercam_hil.mission.remote import FarUnit

SLICE = 0.02
SECONDS = 2.5


def world(name, *arguments):
    """What the unit's camera asks of the world."""
    return np.zeros((arguments[2], arguments[1]), np.uint8) if name == "picture" else 1.0


@pytest.fixture
def apart(micropython_image):
    made = []

    def make(maker=FarUnit, serve=world, **arguments):
        arguments = arguments or {"seed": 3, "image": str(micropython_image)}
        made.append(Apart("unit 2", maker, arguments, serve))
        return made[-1]

    yield make
    for board in made:
        board.close()


def sent(board):
    """Everything the board sends in its first seconds, slice by slice, with a few bytes towards it."""
    board.run(0.5)  # without power
    board.power_on()
    said = []
    for k in range(round(SECONDS / SLICE)):
        board.run(SLICE)
        said.append(board.read_timed())
        if k % 40 == 0:
            board.write_at(b"\x55\x55\x55", [board.time + 0.001 * n for n in (1, 2, 3)])
    return [s for s in said if s[0]]


def test_the_same_bytes_at_the_same_times_as_in_one_process(apart, micropython_image):
    here = FarUnit(world, 3, str(micropython_image)).board
    try:
        expected = sent(here)
    finally:
        here.close()
    assert expected, "the unit says something in its first seconds"
    there = apart()
    assert sent(there) == expected
    assert there.powered
    assert there.repl_log == here.repl_log


def test_other_boards_run_while_a_slice_is_under_way(apart):
    board = apart()
    board.power_on()
    board.begin(0.1)
    assert board.time == 0.0, "the slice is not over before it is asked for"
    board.finish()
    assert board.time == pytest.approx(0.1, abs=1e-6)
    board.power_off()
    board.run(5.0)
    assert board.time >= 5.1
    assert not board.powered


def test_what_its_maker_says_against_it_arrives(apart):
    board = apart(seed=1, image="/nowhere/firmware.uf2")
    with pytest.raises(BoardError, match=r"unit 2: .*nowhere"):
        board.power_on()


def test_a_process_that_ended_is_said_plainly(apart):
    board = apart()
    board.power_on()
    board.run(0.02)
    board._process._child.kill()
    board._process._child.wait()
    with pytest.raises(BoardError, match="unit 2: its process ended"):
        board.run(0.02)


def test_the_process_ends_with_its_board(apart):
    board = apart()
    board.power_on()
    board.close()
    assert board._process._child.returncode == 0
