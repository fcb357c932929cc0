"""Emulated boards for the tests; skipped, with the reason, where no MicroPython image can be had."""

import pytest
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.image import ImageMissing, find
from rovercam_hil.boards.pico import EmulatedPico


@pytest.fixture(scope="session")
def micropython_image():
    try:
        return find()
    except ImageMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def firmware_package():
    """The firmware under /a, without boot.py and main.py: the board stays at its prompt."""
    return {path: data for path, data in filesystem.firmware_files().items() if path.startswith("/a/")}


@pytest.fixture
def make_board(micropython_image):
    """make_board(files, **arguments of EmulatedPico) -> a powered board at its prompt."""
    boards = []

    def make(files=None, **arguments):
        board = EmulatedPico(image=micropython_image, filesystem=filesystem.build(files or {}), **arguments)
        boards.append(board)
        board.power_on()
        board.run(0.3)
        return board

    yield make
    for board in boards:
        board.close()
