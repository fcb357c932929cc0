"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from rovercam.places import firmware_dir
from rovercam_hil.micropython.worker import MicroPythonMissing, Worker, find_micropython

# In CI the examples are the same every time, so that a push is judged by what it changed; by hand they are new each time.
settings.register_profile(
    "rovercam", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("rovercam")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the unix port; tests that need it are skipped, with the reason, where there is none."""
    try:
        return find_micropython()
    except MicroPythonMissing as error:
        pytest.skip(f"{error} ({sys.platform})")


@pytest.fixture(scope="module")
def worker(micropython: str) -> Iterator[Worker]:
    """A MicroPython process with the firmware on its path, fresh for each test module."""
    with Worker([firmware_dir()]) as running:
        yield running


@pytest.fixture(scope="session")
def mars_pictures() -> Path:
    """Folder of real Mars pictures, which are not part of the project."""
    folder = SHARED / "mars"
    if not folder.is_dir():
        pytest.skip("the folder of real Mars pictures (shared/data/mars beside the checkout) is not there")
    return folder
