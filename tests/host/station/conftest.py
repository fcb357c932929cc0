"""A station and a unit with the firmware's link on one clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.station.core import Station
from rovercam.station.updates import (
    Update,
)
from rovercam_hil.micropython.station_unit import KEY, Unit
from rovercam_hil.micropython.worker import Worker

START = 1_800_000_000.0
PORT = "test"


class Bench:
    """Station and unit on one clock, a perfect line unless `lose` says otherwise."""

    def __init__(self, worker: Worker, folder: Path):
        self.folder = folder
        (folder / "t").mkdir()
        self.now = START
        self.unit = Unit(worker, folder / "t")
        self.keys = KeyStore(folder / "keys")
        self.keys.put(1, KEY)
        self.updates: list[Update] = []
        self.most = 8
        """Frames in a step."""
        self.lose: Callable[[], bool] = lambda: False
        self.open()

    def open(self, **more: bool) -> None:
        """A station, as after a start of its process."""
        self.archive = Archive(self.folder / "archive.db")
        self.station = Station(self.archive, self.keys, now=self.now, **more)
        self.station.subscribe(self.updates.append)
        self.station.attach(PORT, self.now)

    def kill(self) -> None:
        """The process ends with nothing committed since the last acknowledgement."""
        self.archive.db.rollback()
        self.archive.db.close()

    def step(self, seconds: float = 0.1, idle: bool = True) -> None:
        self.now += seconds
        self.unit.tick(int(seconds * 1000))
        data = self.unit.frames(idle, self.most)
        if data and not self.lose():
            self.station.receive(PORT, data, self.now)
        self.station.poll(self.now)
        up = self.station.transmit(PORT, self.now)
        if not self.lose():
            self.unit.feed(up, self.now)

    def run(self, seconds: float = 1.0) -> None:
        for _ in range(round(seconds / 0.1)):
            self.step()

    def told(self, kind: type) -> list:  # type: ignore[type-arg]
        return [u for u in self.updates if isinstance(u, kind)]


@pytest.fixture
def bench(worker: Worker, tmp_path: Path) -> Bench:
    return Bench(worker, tmp_path)
