"""A home with a key, and a unit behind a TCP port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rovercam.keys import KeyStore
from rovercam_hil.micropython.station_unit import KEY, TcpUnit
from rovercam_hil.micropython.worker import Worker


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("ROVERCAM_HOME", str(folder))
    KeyStore(folder / "keys").put(1, KEY)
    return folder


@pytest.fixture
def unit(worker: Worker, home: Path, tmp_path: Path) -> Iterator[TcpUnit]:
    served = TcpUnit(worker, tmp_path / "unit")
    yield served
    served.close()
