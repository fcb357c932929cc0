"""The tutorials, done by a program: their edits are made in a copy, and what they promise is looked at on the emulated unit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from rovercam.archive import Archive
from rovercam.dictionary import Dictionary, parse
from rovercam.dictionary.generate import write_all
from rovercam.keys import KeyStore
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.pictures import render
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
STEP = re.compile(r"<!-- (.+?) -->\n```\w+\n(.*?)```", re.S)
KINDS = (
    re.compile(r"(?P<kind>file): (?P<path>\S+)"),
    re.compile(r"(?P<kind>insert) into (?P<path>\S+) before: (?P<anchor>.+)"),
    re.compile(r"(?P<kind>replace) in (?P<path>\S+): (?P<anchor>.+)"),
)


def follow(page: Path, root: Path) -> Dictionary:
    """Make the edits of a tutorial in the copy at ``root`` and generate; returns the copy's dictionary."""
    steps = 0
    for comment, text in STEP.findall(page.read_text(encoding="utf-8")):
        step = next(match for kind in KINDS if (match := kind.fullmatch(comment))).groupdict()
        path = root / step["path"]
        steps += 1
        if step["kind"] == "file":
            path.write_text(text, encoding="utf-8")
            continue
        content, anchor = path.read_text(encoding="utf-8"), step["anchor"]
        assert anchor in content, f"{page.name}: {path.name} has no {anchor!r} any more"
        new = text + anchor if step["kind"] == "insert" else text.rstrip("\n")
        path.write_text(content.replace(anchor, new, 1), encoding="utf-8")
    assert steps >= 3
    dictionary = parse((root / "host/rovercam/dictionary/rovercam.toml").read_bytes())
    write_all(dictionary, root)
    return dictionary


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the tutorials edit."""
    shutil.copytree(ROOT / "firmware", tmp_path / "firmware", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "host/rovercam/dictionary").mkdir(parents=True)
    shutil.copy(ROOT / "host/rovercam/dictionary/rovercam.toml", tmp_path / "host/rovercam/dictionary")
    return tmp_path


class Try:
    """A unit with the copy's firmware and a station with its dictionary."""

    def __init__(self, root: Path, dictionary: Dictionary):
        self.unit = make_unit(firmware=root / "firmware", config={"profile": 11})
        keys = KeyStore(root / "keys")
        keys.put(1, self.unit.key)
        self.station = Station(Archive(root / "archive.db", dictionary=dictionary), keys)
        self.session = Session(self.station)
        self.session.add(self.unit.board)
        self.heard: list[updates.Update] = []
        self.station.subscribe(self.heard.append)
        self.unit.board.power_on()
        self.session.run_until(lambda: any(isinstance(u, updates.Telemetry) for u in self.heard), 10, "telemetry")

    def close(self) -> None:
        self.unit.board.close()
        self.station.archive.close()


def test_add_a_telemetry_field(copy: Path) -> None:
    running = Try(copy, follow(TUTORIALS / "add-a-telemetry-field.md", copy))
    health = next(u for u in running.heard if isinstance(u, updates.Telemetry) and u.structure == "health")
    assert health.values["activities_running"] == 0
    running.close()


def test_add_a_camera(copy: Path) -> None:
    running = Try(copy, follow(TUTORIALS / "add-a-camera.md", copy))
    running.session.run(2)
    running.station.command(
        1, "capture", {"camera": "chessboard", "size": "size_96x96", "codec": "raw"}, running.session.now
    )

    def ended() -> list[updates.Update]:
        return [
            u
            for u in running.heard
            if (isinstance(u, updates.PictureChanged) and u.state == "down")
            or (isinstance(u, updates.CommandChanged) and u.state == "failed")
        ]

    running.session.run_until(lambda: bool(ended()), 60, "the picture")
    change = ended()[0]
    assert isinstance(change, updates.PictureChanged), change
    pixels = render(running.station.archive, change.product).pixels
    y, x = np.indices((96, 96))
    np.testing.assert_array_equal(pixels, np.where(((x >> 3) + (y >> 3)) & 1, 235, 16))
    running.close()
