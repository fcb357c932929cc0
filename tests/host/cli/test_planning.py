"""schedule and sequences: what is checked before it is sent, what reaches the unit, what is logged."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import pytest
from rovercam.cli import run
from rovercam.cli.planning import moment
from rovercam.dictionary import load
from rovercam.protocol import sequences
from rovercam_hil.micropython.station_unit import TcpUnit

PANORAMA = """
# two pictures
0    point_mast pan=-30
5    capture size=vga codec=rate  # the left one
20   point_mast pan=30
"""


def test_a_scheduled_command_is_sent_and_logged_for_who_sent_it(
    unit: TcpUnit, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = int(time.time()) + 3600
    assert run(["schedule", "add", str(at), "point_mast", "pan=12.5", "--port", unit.url]) == 0
    inserted = next(p for p in unit.unit.commands if p[7:9] == b"\x0b\x04")
    assert struct.unpack_from(">I", inserted, 11)[0] == at
    capsys.readouterr()
    assert run(["commands", "--json"]) == 0
    logged = {c["name"]: c for c in json.loads(capsys.readouterr().out)}
    assert logged["point_mast"]["state"] == "queued"
    assert logged["insert_schedule"]["state"] == "done"
    assert "(schedule)" in logged["point_mast"]["sender"]
    assert [s["stage"] for s in logged["point_mast"]["stages"]] == ["scheduled"]


def test_the_schedule_is_shown_with_names_and_times(unit: TcpUnit, capsys: pytest.CaptureFixture[str]) -> None:
    entries = struct.pack(">HIBBB", 7, 1_623_369_600, 8, 1, 7) + struct.pack(">HIBBB", 8, 1_623_369_660, 17, 1, 0)
    unit.unit.answers[11, 17] = (11, 13, b"\1\1" + entries)
    assert run(["schedule", "list", "--port", unit.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["7\t2021-06-11 00:00:00\tpoint_mast", "8\t2021-06-11 00:01:00\tping"]
    unit.unit.answers[11, 17] = (11, 13, b"\0\1" + entries)
    assert run(["schedule", "list", "--json", "--port", unit.url]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["enabled"], len(found["entries"])) == (False, 2)


def test_entries_and_the_whole_schedule_are_changed(unit: TcpUnit) -> None:
    for words in (["shift", "7", "60"], ["shift", "all", "--", "-60"], ["delete", "7"], ["delete", "all"], ["disable"]):
        command = ["schedule", words[0], "--port", unit.url, *words[1:]]
        assert run(command) == 0
    sent = [(p[7], p[8], p[11:]) for p in unit.unit.commands if p[7] == 11]
    assert sent == [
        (11, 7, struct.pack(">Hi", 7, 60)), (11, 15, struct.pack(">i", -60)), (11, 5, b"\0\7"), (11, 3, b""), (11, 2, b""),
    ]  # fmt: skip


def test_a_sequence_is_brought_to_the_unit_as_the_unit_reads_it(unit: TcpUnit, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "panorama.txt"
    file.write_text(PANORAMA)
    assert run(["sequences", "check", str(file)]) == 0
    data = sequences.pack(PANORAMA, load(), 1)
    assert data[:4] == b"RS\1\3"
    delay, length = struct.unpack_from(">IB", data, 4)
    assert (delay, data[9 + 7 : 9 + 9]) == (0, b"\x08\x01")
    assert struct.unpack_from(">I", data, 9 + length)[0] == 5
    assert run(["sequences", "start", "panorama", "--port", unit.url]) == 0
    assert run(["sequences", "abort", "panorama", "--port", unit.url]) == 0
    assert [p[8] for p in unit.unit.commands if p[7] == 21] == [4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 warp\n", "line 1, warp: there is no command called 'warp'"),
        ("# c\n\n5 point_mast pan=400\n", "line 3, point_mast"),
        ("soon ping\n", "line 1: expected SECONDS COMMAND"),
        ("0 ping 'open\n", "line 1: expected SECONDS COMMAND"),
        ("# nothing\n", "1 to 255 commands"),
        ("0 ping\n" * 256, "1 to 255 commands"),
    ],
)
def test_a_bad_sequence_is_refused_with_its_line_before_a_port_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    file = tmp_path / "bad.txt"
    file.write_text(text)
    for words in (["check", str(file)], ["upload", str(file), "--port", "nowhere"]):
        assert run(["sequences", *words]) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_times_are_relative_or_absolute() -> None:
    now = time.time()
    assert moment("+90") == pytest.approx(now + 90, abs=5)
    assert moment("+10m") == pytest.approx(now + 600, abs=5)
    assert moment("2021-06-11T00:00") == 1_623_369_600
    assert moment("1623369600") == 1_623_369_600


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["schedule", "add", "soon", "ping"], "is no time: 10m"),
        (["schedule", "add", "+60", "warp"], "no command called 'warp'"),
        (["schedule", "delete", "seven"], "number of an entry"),
        (["sequences", "upload", "missing.txt"], "missing.txt"),
    ],
)
def test_bad_input(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--port", "nowhere"]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
