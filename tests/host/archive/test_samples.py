"""The parameter store: against plain lists, folded or not, over kills, re-decoding and retention."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rovercam.archive import Archive, ArchiveFull, NotAnArchive, UnknownSeries, check, retain, source_of
from rovercam.archive.blocks import BLOCK, pack_times, pack_values, unpack_times, unpack_values
from rovercam.dictionary import load
from rovercam.dictionary.fields import BASE_TYPES, base_type
from rovercam.protocol import pus

DICTIONARY = load()
HEALTH = DICTIONARY.structures[1]
FORMAT = struct.Struct(">" + "".join(BASE_TYPES[base_type(p.type, DICTIONARY.enums) or ""] for p in HEALTH.parameters))
UPTIME = [p.name for p in HEALTH.parameters].index("uptime")


def put(archive: Archive, at: float, uptime: int, unit: int = 1) -> int:
    values = [0] * len(HEALTH.parameters)
    values[UPTIME] = uptime
    data = pus.build_report(DICTIONARY.apid(unit), 0, 3, 25, b"\1" + FORMAT.pack(*values), time=at)
    return archive.add_packet(
        frame=None, time=at, received=at, unit=unit, apid=DICTIONARY.apid(unit), sequence=0,
        source=source_of(unit, 3, 25, 1), body=pus.TM_BODY, data=data,
    )  # fmt: skip


def expected_minmax(samples: list[tuple[float, int]], low: float, high: float) -> tuple[int, int]:
    inside = [v for t, v in samples if low <= t < high]
    return min(inside), max(inside)


@given(st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=50))
def test_times_pack(times: list[int]) -> None:
    array = np.array(sorted(times), np.int64)
    assert np.array_equal(unpack_times(pack_times(array), len(array)), array)


@given(st.sampled_from(["u1", ">u2", ">i2", ">u4", ">i4", ">f4", "f8"]), st.binary(min_size=8, max_size=400))
def test_values_pack(kind: str, data: bytes) -> None:
    values = np.frombuffer(data[: len(data) // 8 * 8], kind)
    packed_kind, blob = pack_values(values)
    assert unpack_values(packed_kind, blob, len(values)).astype(kind).tobytes() == values.tobytes()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[float, int]]]:
    """Three blocks and a tail; one sample in fifty comes late, as after an outage."""
    path = tmp_path_factory.mktemp("archive") / "a.db"
    noise = random.Random(1)
    samples = []
    with Archive(path) as archive:
        for i in range(3 * BLOCK + 400):
            at = 3000.0 + i - (noise.randrange(2000) if i % 50 == 49 else 0)
            value = noise.randrange(1 << 31)
            put(archive, at, value)
            samples.append((at, value))
    return path, sorted(samples, key=lambda s: s[0])


def test_history_equals_what_was_put(filled: tuple[Path, list[tuple[float, int]]]) -> None:
    path, samples = filled
    with Archive(path, readonly=True) as archive:
        found = archive.history(1, "uptime")
        assert found.times.tolist() == pytest.approx([s[0] for s in samples])
        assert sorted(found.values.tolist()) == sorted(s[1] for s in samples)
        assert archive.db.execute("SELECT count(*) FROM block").fetchone() == (3,)


@pytest.mark.parametrize(("low", "high"), [(3000.0, 3001.0), (3500.5, 4900.0), (5900.0, 9999.0), (7000.0, 8000.0)])
def test_history_of_a_time(filled: tuple[Path, list[tuple[float, int]]], low: float, high: float) -> None:
    path, samples = filled
    with Archive(path, readonly=True) as archive:
        found = archive.history(1, "uptime", low, high)
    assert sorted(zip(found.times, found.values, strict=True)) == sorted(s for s in samples if low <= s[0] < high)


@pytest.mark.parametrize("size", [1, 3, 1000, 1600, 10_000])
def test_latest(filled: tuple[Path, list[tuple[float, int]]], size: int) -> None:
    path, samples = filled
    with Archive(path, readonly=True) as archive:
        found = archive.history(1, "uptime", strategy="latest", size=size)
    assert found.times.tolist() == pytest.approx([s[0] for s in samples[-size:]])


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_minmax_keeps_every_extreme(filled: tuple[Path, list[tuple[float, int]]], size: int) -> None:
    path, samples = filled
    with Archive(path, readonly=True) as archive:
        found = archive.history(1, "uptime", strategy="minmax", size=size)
    assert len(found) <= size
    pairs = list(zip(found.times, found.values, strict=True))
    assert set(pairs) <= set(samples), "minmax returns samples that were taken, at their times"
    low, high = samples[0][0], samples[-1][0] + 1e-6
    width = math.ceil((high - low) * 1e6 / (size // 2)) / 1e6
    for i in range(size // 2):
        here = [v for t, v in pairs if low + i * width <= t < low + (i + 1) * width]
        if here:
            assert (min(here), max(here)) == expected_minmax(samples, low + i * width, low + (i + 1) * width)


def test_newest_values_come_from_tail_and_blocks(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.db") as archive:
        put(archive, 10.0, 5)
        assert archive.latest_values(1)["uptime"] == (10.0, 5.0)
        archive.fold_all()
        assert archive.latest_values(1)["uptime"] == (10.0, 5.0)
        put(archive, 11.0, 6)
        assert archive.latest_values(1)["uptime"] == (11.0, 6.0)
        assert "uptime" in archive.parameter_names(1)


def test_unknown_parameter_is_said(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.db") as archive, pytest.raises(UnknownSeries, match="warp_factor"):
        archive.history(1, "warp_factor")


def test_bad_strategy_is_refused(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.db") as archive, pytest.raises(ValueError, match="latest"):
        archive.history(1, "uptime", strategy="median")


def test_parameter_reports_and_ground_samples(tmp_path: Path) -> None:
    """Service 20.2 and the station's own samples are series like any other."""
    with Archive(tmp_path / "a.db") as archive:
        body = struct.pack(
            ">HHHh", DICTIONARY.parameters["ground_silence"].id, 77, DICTIONARY.parameters["chip_temperature"].id, -150
        )
        data = pus.build_report(DICTIONARY.apid(1), 0, 20, 2, body, time=50.0)
        archive.add_packet(
            frame=None, time=50.0, received=50.0, unit=1, apid=0x110, sequence=0, source=source_of(1, 20, 2),
            body=pus.TM_BODY, data=data,
        )  # fmt: skip
        archive.add_ground_samples(51.0, 1, {"link.corrected": 3})
        for _ in range(2):
            assert archive.history(1, "ground_silence").values.tolist() == [77]
            assert archive.history(1, "chip_temperature").values.tolist() == pytest.approx([-1.5])
            assert archive.history(1, "link.corrected").values.tolist() == [3]
            archive.fold_all()


def test_a_structure_made_in_flight(tmp_path: Path) -> None:
    """Packets before the change are read as they were, those after it as they are."""
    with Archive(tmp_path / "a.db") as archive:
        source = source_of(1, 3, 25, 7)

        def packet(at: float, body: bytes) -> None:
            data = pus.build_report(DICTIONARY.apid(1), 0, 3, 25, b"\7" + body, time=at)
            archive.add_packet(
                frame=None,
                time=at,
                received=at,
                unit=1,
                apid=0x110,
                sequence=0,
                source=source,
                body=pus.TM_BODY,
                data=data,
            )

        archive.set_structure(1, 7, 100.0, ["uptime"])
        packet(101.0, struct.pack(">I", 41))
        archive.set_structure(1, 7, 200.0, ["boot_count", "uptime"])
        packet(201.0, struct.pack(">HI", 9, 42))
        packet(202.0, struct.pack(">I", 43))  # of the old shape: left out, not misread
        assert archive.history(1, "uptime").values.tolist() == [41, 42]
        assert archive.history(1, "boot_count").values.tolist() == [9]


def test_decoding_again_gives_the_same(filled: tuple[Path, list[tuple[float, int]]], tmp_path: Path) -> None:
    from rovercam.station.redecode import redecode

    path = tmp_path / "copy.db"
    path.write_bytes(filled[0].read_bytes())
    with Archive(path) as archive:
        before = archive.history(1, "uptime")
        assert redecode(archive)["samples"] == (3 * BLOCK + 400) * len(HEALTH.parameters)
        after = archive.history(1, "uptime")
        assert after.times.tolist() == before.times.tolist()
        assert after.values.tolist() == before.values.tolist()
        assert check(archive).clean


def test_retention_keeps_samples_and_what_can_be_decoded_again(
    filled: tuple[Path, list[tuple[float, int]]], tmp_path: Path
) -> None:
    from rovercam.station.redecode import redecode

    path = tmp_path / "copy.db"
    path.write_bytes(filled[0].read_bytes())
    with Archive(path) as archive:
        before = archive.history(1, "uptime")
        gone = retain(archive, packets_before=3000.0 + 2 * BLOCK + 100)
        assert gone["packet"] == pytest.approx(2 * BLOCK, abs=BLOCK)
        assert len(archive.history(1, "uptime")) == len(before)
        redecode(archive)
        assert archive.history(1, "uptime").times.tolist() == before.times.tolist()
        assert check(archive).clean
        retain(archive, samples_before=3000.0 + BLOCK + 200)
        assert 0 < len(archive.history(1, "uptime")) < len(before)


def test_check_finds_damage(filled: tuple[Path, list[tuple[float, int]]], tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(filled[0].read_bytes())
    with Archive(path) as archive:
        assert check(archive).clean
        archive.begin()
        archive.db.execute("UPDATE span SET hi = hi + 1 WHERE series = (SELECT id FROM series WHERE name = 'uptime')")
        archive.db.execute("INSERT INTO piece VALUES (999, 0, x'00')")
        problems = check(archive).problems
        assert any("extremes" in p for p in problems)
        assert any("pieces belong to no transfer" in p for p in problems)


def test_something_else_is_no_archive(tmp_path: Path) -> None:
    import sqlite3

    text = tmp_path / "text.db"
    text.write_text("not a database, but long enough to have a header of sixteen bytes")
    with pytest.raises(NotAnArchive):
        Archive(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE music (title)")
    with pytest.raises(NotAnArchive, match="music"):
        Archive(other)
    with pytest.raises(NotAnArchive, match="no archive"):
        Archive(tmp_path / "missing.db", readonly=True)


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.db") as archive:
        put(archive, 1.0, 1)
        archive.commit()
        archive.db.execute(f"PRAGMA max_page_count={archive.db.execute('PRAGMA page_count').fetchone()[0] + 1}")

        def fill() -> None:
            for i in range(3000):
                put(archive, 2.0 + i, 2)

        with pytest.raises(ArchiveFull, match="free some space"):
            fill()
        archive.rollback()
        archive.db.execute("PRAGMA max_page_count=1000000")
        assert archive.history(1, "uptime").values.tolist() == [1]
        put(archive, 3.0, 3)
        assert archive.history(1, "uptime").values.tolist() == [1, 3]


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_samples import put
from rovercam.archive import Archive
with Archive(sys.argv[1]) as archive:
    (n,) = archive.db.execute("SELECT count(*) FROM packet").fetchone()
    transfer = archive.transfer(1, 1, 1, 0.0)
    while True:
        for _ in range(37):
            put(archive, 1000.0 + n, n)
            archive.add_piece(transfer, n * 10, b"%010d" % n)
            n += 1
        archive.commit()
        print(n, flush=True)
"""


def killed_writers(path: Path, times: int, seed: int) -> None:
    """A writer killed at random moments; whatever it said it had committed must be there, and the archive whole."""
    noise = random.Random(seed)
    acknowledged = 0
    for _ in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(noise.random() * 0.15)
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout.read().splitlines():
            if line.isdigit() and int(line) > acknowledged:
                acknowledged = int(line)
        process.wait()
        with Archive(path) as archive:
            found = archive.history(1, "uptime").values.tolist()
            pieces = archive.db.execute("SELECT count(*) FROM piece").fetchone()[0]
            assert found[:acknowledged] == list(range(acknowledged)), f"seed {seed}"
            assert found == list(range(len(found))), f"seed {seed}"
            assert pieces == len(found)
            assert check(archive).problems == [], f"seed {seed}"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    killed_writers(tmp_path / "a.db", 10, 1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_two_hundred_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """pytest tests/host/archive -m slow -k two_hundred: some minutes."""
    for part in range(8):  # eight archives: each kill has the whole of one checked
        killed_writers(tmp_path / f"{part}.db", 25, 2 + part)


def test_commands_and_their_stages(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.db") as archive:
        number = archive.add_command(
            time=1.0, unit=1, name="ping", arguments={}, sender="someone", apid=0x110, sequence=7, data=b"x"
        )
        archive.add_stage(number, 1.5, "acceptance", True, None, "")
        archive.set_command_state(number, "accepted")
        (found,) = archive.commands()
        assert (found["name"], found["sender"], found["state"]) == ("ping", "someone", "accepted")
        assert [s["stage"] for s in found["stages"]] == ["acceptance"]
        assert archive.last_sequence(0x110) == 7
        assert archive.last_sequence(0x120) is None
        json.dumps(archive.events())
