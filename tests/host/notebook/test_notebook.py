"""The notebook API, by the examples of its page and against what the archive holds."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rovercam
from rovercam.archive import Archive, NotAnArchive, source_of
from rovercam.dictionary import UnknownName, load
from rovercam.marstime import ZHURONG
from rovercam.protocol import pus

PAGE = Path(__file__).resolve().parents[3] / "docs" / "notebook.md"
START = ZHURONG.time_of(18, 9.0)
PIXELS = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def housekeeping(structure: str, values: dict[str, int]) -> tuple[int, bytes]:
    """(structure id, source data) with these raw values, 0 elsewhere."""
    dictionary = load()
    found = next(s for s in dictionary.structures.values() if s.name == structure)
    out = bytearray([found.id])
    for p in found.parameters:
        size = {"u8": 1, "bool": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "f32": 4}.get(p.type, 1)
        out += values.get(p.name, 0).to_bytes(size, "big", signed=p.type.startswith("i"))
    return found.id, bytes(out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder with an archive.db: 100 reports of two structures on sol 18, one picture."""
    with Archive(tmp_path / "archive.db") as archive:
        for k in range(100):
            for structure, values, shift in (
                ("health", {"heap_free": 70_000 + k, "mode": k % 2}, 0.0),
                ("environment", {"chip_temperature": 2000 + k}, 2.5),
            ):
                number, body = housekeeping(structure, values)
                at = START + 5 * k + shift
                packet = pus.build_report(272, k, 3, 25, body, time=at, synchronised=True)
                archive.add_packet(
                    frame=None, time=at, received=at, unit=1, apid=272, sequence=k, source=source_of(1, 3, 25, number),
                    body=pus.TM_BODY, data=packet,
                )  # fmt: skip
        row = archive.product(1, 7, START)
        fields = {"kind": "picture", "layers": 1, "codec": "raw", "format": "grey", "camera": "pattern", "depth": 8, "width": 64,
                  "height": 48, "seconds": int(START), "fraction": 0.5, "time_status": "synchronised", "size": PIXELS.size}  # fmt: skip
        archive.update_product(row, START, state="down", kind="picture", width=64, height=48, fields=fields)
        transfer = archive.transfer(1, 1, 1, START)
        archive.finish_transfer(transfer, START, PIXELS.tobytes())
        archive.add_layer(row, 0, transfer)
        archive.add_event(packet=None, time=START, received=START, unit=1, number=1, name="started", severity="info",
                          text="Unit started", fields={})  # fmt: skip
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_reading_example_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(example("reading"), names)
    assert np.array_equal(names["pixels"], PIXELS)
    assert names["exact"] == 1.0
    assert (folder / "last.png").is_file()
    assert "Unit started" in capsys.readouterr().out


def test_a_table_has_every_sample_at_its_time(folder: Path) -> None:
    with rovercam.open("archive.db") as archive:
        table = archive.telemetry("chip_temperature", "heap_free", "mode")
        assert len(table) == 200
        assert np.isnan(table["chip_temperature"]).sum() == 100
        there = ~np.isnan(table["heap_free"])
        assert np.array_equal(table["heap_free"][there], 70_000 + np.arange(100))
        assert np.allclose(table["chip_temperature"][~there], (2000 + np.arange(100)) * 0.01)
        assert table.times[there][0] == np.datetime64(round(START * 1e6), "us")
        assert table.text("mode")[there.argmax() + 2] == "safe"
        assert table.to_numpy().dtype.names == ("time", "chip_temperature", "heap_free", "mode")
        assert "<td>70099</td>" in table._repr_html_()


def test_times_in_every_form_mean_the_same(folder: Path) -> None:
    begin, end = datetime.fromtimestamp(START + 50, UTC), START + 100
    with rovercam.open("archive.db") as archive:
        expected = archive.telemetry("heap_free", start=START + 50, end=end)
        assert len(expected) == 10
        for start in (begin, begin.isoformat(), begin.replace(tzinfo=None)):
            assert np.array_equal(archive.telemetry("heap_free", start=start, end=end).times, expected.times)
        assert len(archive.telemetry("heap_free", start="sol18", end="sol19")) == 100
        assert len(archive.telemetry("heap_free", start="sol18T09:05")) < 100
        assert len(archive.telemetry("heap_free", end="sol18")) == 0
        with pytest.raises(ValueError, match="sol18T13:30"):
            archive.telemetry("heap_free", start="yesterday")


def test_to_pandas(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    with rovercam.open("archive.db") as archive:
        frame = archive.telemetry("heap_free").to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["heap_free"].iloc[-1] == 70_099


def test_mistakes_are_said(folder: Path) -> None:
    with rovercam.open("archive.db") as archive:
        with pytest.raises(UnknownName, match="heap_free"):
            archive.telemetry("heap_fre")
        with pytest.raises(KeyError, match="7"):
            archive.picture(8)
    with pytest.raises(NotAnArchive, match="no archive"):
        rovercam.open("other.db")


@pytest.fixture
def emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of an emulated Pico's line."""
    pytest.importorskip("rp2040py")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("ROVERCAM_HOME", str(tmp_path / "home"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "rovercam.cli", "emulate", "--scene", "pattern", "--tcp", str(port)]
    with (tmp_path / "unit.log").open("wb") as log:
        unit = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=log)
        assert unit.stdout is not None
        try:
            first = unit.stdout.readline().decode()
            assert first.startswith("unit 1: "), (tmp_path / "unit.log").read_text()
            yield f"socket://127.0.0.1:{port}"
        finally:
            unit.terminate()
            unit.wait(20)
            unit.stdout.close()


@pytest.mark.slow
def test_the_commanding_example_runs(emulated: str) -> None:
    """pytest tests/host/notebook -m slow: an emulated Pico, half a minute on a free core."""
    names: dict[str, Any] = {}
    exec(example("commanding").replace("socket://127.0.0.1:7000", emulated), names)
    assert names["picture"].pixels.shape == (120, 160)
    assert [c["name"] for c in names["history"] if c["state"] == "done"][-1] == "downlink_file"
