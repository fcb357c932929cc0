"""Schemathesis reads /api/openapi.json and asks every operation of it: what the description allows and what it forbids.

Each answer must have a status, a type and a shape that the description names, and what it forbids must be refused.
More of it, in some minutes: pytest tests/host/web/test_schema.py -m slow
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="reads the API's own description")


@pytest.fixture(scope="module")
def described(ground: Any, mars_layers: Any) -> str:
    """The API of a station that has something of everything to tell: of unit 1 and rows 1, the description's examples."""
    pixels, layers = mars_layers
    height, width = pixels.shape
    ground.until(ground.station.units)
    ground.put_picture(60, layers, width, height, int(time.time()))
    ground.call(lambda: ground.unit.housekeeping(2, time.time(), chip_temperature=2000))
    ground.call(lambda: ground.unit.report(5, 3, bytes([3, 2, 4]), time.time()))
    ground.call(lambda: ground.station.command(1, "ping", {}, time.time()))
    told = ground.station.archive
    ground.until(lambda: told.products() and told.events() and "chip_temperature" in told.parameter_names(1), 60)
    return f"{ground.address}api/openapi.json"


SETTINGS = """
[[operations]]
include-name = "POST /api/commands"
# Which arguments a command takes stands in /api/commands/definitions, not in this description.
checks.positive_data_acceptance.expected-statuses = [202, 404, 409, 422]
"""


def run(address: str, folder: Path, *options: str) -> None:
    """Its command, which does what its plugin does and more, and knows nothing of pytest."""
    (folder / "schemathesis.toml").write_text(SETTINGS)
    words = [sys.executable, "-m", "schemathesis.cli", "run", address, "--checks=all", "--no-color", *options]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]


def test_answers_are_as_described(described: str, tmp_path: Path) -> None:
    run(described, tmp_path, "--seed=1", "--phases=examples,coverage,fuzzing", "--max-examples=5")


@pytest.mark.slow
def test_many_answers_are_as_described(described: str, tmp_path: Path) -> None:
    run(described, tmp_path, "--seed=2", "--max-examples=200")
