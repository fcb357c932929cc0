"""The link's cost on the emulated Pico at 125 MHz."""

import pytest
from rovercam_hil.bench.board_link import measure


@pytest.fixture(scope="module")
def result(micropython_image):
    return measure(micropython_image)


@pytest.mark.parametrize(("profile", "aim"), [(11, 115e3), (14, 115e3), (15, 115e3), (0, 46e3)])
def test_fills_the_line(result, profile, aim):
    """Read from flash, framed, coded, randomised: 921600 baud with RS(255,239), 460800 with RS(255,223)."""
    assert result.row(f"all profile {profile}").bytes_per_second >= aim


def test_heap_of_the_link(result):
    assert sum(result.heap.values()) < 30_000
