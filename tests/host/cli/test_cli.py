"""The command: exit codes, errors for people, JSON for programs, start-up time; and a whole session over TCP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rovercam.archive import Archive
from rovercam.cli import run
from rovercam.cli.plot import plot
from rovercam.dictionary import load
from rovercam.keys import KeyStore
from rovercam.line.recording import FROM_UNIT, Recorder
from rovercam_hil.micropython.station_unit import KEY, TcpUnit, Unit
from rovercam_hil.micropython.worker import Worker


def test_send_and_what_is_left_of_it(unit: TcpUnit, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["send", "ping", "--port", unit.url]) == 0
    out = capsys.readouterr().out
    assert [w for w in re.findall(r"✓ (\w+)", out)] == ["sent", "received", "acceptance", "start", "completion"]
    assert run(["commands", "--json"]) == 0
    (command,) = [c for c in json.loads(capsys.readouterr().out) if c["name"] == "ping"]
    assert command["state"] == "done"
    assert "(send)" in command["sender"]
    assert run(["archive", "check"]) == 0


def test_a_refused_command_is_not_achieved(unit: TcpUnit, capsys: pytest.CaptureFixture[str]) -> None:
    unit.unit.failure = (4, 5, 0)
    assert run(["send", "restart", "--port", unit.url, "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["done"] is False
    assert "busy" in err


def test_put_brings_a_file(unit: TcpUnit, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(os.urandom(3000))
    assert run(["put", str(local), str(tmp_path / "unit" / "f"), "--port", unit.url, "-q"]) == 0
    assert (tmp_path / "unit" / "f").read_bytes() == local.read_bytes()


def test_through_the_running_station(unit: TcpUnit, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ground` owns the port; `send` goes through it; its port is said to be busy, and by whom."""
    with subprocess.Popen(
        [sys.executable, "-m", "rovercam.cli", "ground", "--no-web", "--port", unit.url],
        stdout=subprocess.PIPE,
        text=True,
    ) as ground:
        try:
            assert ground.stdout is not None
            while "heard" not in ground.stdout.readline():
                pass
            assert run(["send", "ping"]) == 0
            capsys.readouterr()
            assert run(["send", "ping", "--port", unit.url]) == 1
            assert f"process {ground.pid}" in capsys.readouterr().err
            assert run(["ground", "--no-web", "--port", "nowhere"]) == 1
            assert f"a station is running already (process {ground.pid}" in capsys.readouterr().err
        finally:
            ground.terminate()
            rest = ground.stdout.read() if ground.stdout else ""
    assert ground.returncode == 0
    assert "ping: completion" in rest
    assert not (home / "station.json").exists()
    assert run(["send", "ping"]) == 1
    assert "no station is running" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["send", "warp", "--port", "nowhere"], 2, "no command called 'warp'"),
        (["send", "set_profile", "profile=16", "--port", "nowhere"], 2, "0 to 15"),
        (["send", "set_profile", "profile", "--port", "nowhere"], 2, "key=value"),
        (["send", "ping", "--port", "nowhere"], 1, "there is no port nowhere; there are:"),
        (["send", "ping", "--port", "socket://127.0.0.1:1"], 1, "does not answer"),
        (["shoot", "--out", "/nowhere/x.png"], 2, "no folder"),
        (["shoot", "--out", "x.png", "--roi", "1,2"], 2, "X,Y,W,H"),
        (["shoot", "--out", "x.png", "--lossless", "--bpp", "1"], 2, "exclude"),
        (["telemetry"], 1, "no archive"),
        (["params", "uptime=3"], 2, "cannot be set"),
        (["params", "ground_silence=3"], 2, "10 to 43200"),
        (["archive", "retain"], 2, "--frames"),
        (["events", "--since", "yesterday"], 2, "yesterday"),
        (["replay", "missing.rec"], 2, "missing.rec"),
        (["ground", "--port", "nowhere", "--map", "site.png", "--map-site", "here"], 2, "X,Y is needed"),
        (["ground", "--port", "nowhere", "--web", "127.0.0.1:0", "--map", "site.png"], 1, "--map-scale and --map-site"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_bad_input(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    if arguments[0] == "events":
        Archive(home / "archive.db").close()
    assert run(arguments) == code
    assert message in " ".join(capsys.readouterr().err.split())


def test_telemetry_events_and_plots_of_a_recording(
    worker: Worker, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "u").mkdir()
    unit = Unit(worker, tmp_path / "u")
    with Recorder(tmp_path / "r.rec") as recorder:
        for i in range(30):
            at = 1_800_000_000.0 + i
            unit.housekeeping(1, at, uptime=i * i)
            if i == 5:
                unit.report(5, 4, b"\5" + bytes(8), at)
            recorder.add(FROM_UNIT, unit.frames(), at)
    assert run(["replay", str(tmp_path / "r.rec"), "--speed", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"] == 1
    assert run(["telemetry", "uptime", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["uptime"]
    assert found["values"] == [i * i for i in range(30)]
    assert run(["telemetry", "uptime", "--plot"]) == 0
    assert "841" in capsys.readouterr().out
    assert run(["telemetry"]) == 0
    assert "heap_free" in capsys.readouterr().out
    assert run(["events", "--severity", "high", "--csv"]) == 0
    assert "Flash full" in capsys.readouterr().out
    assert run(["archive", "export", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["telemetry-unit1.csv"] == 30 * len(load().structures[1].parameters)
    assert run(["archive", "redecode"]) == 0
    assert "1 events" in capsys.readouterr().out
    assert run(["archive", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clean"] is True


def test_keys(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "list", "--json"]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)[0]["unit"] == 1
    assert KEY.hex() not in text
    file = tmp_path / "k"
    assert run(["keys", "export", "1", str(file)]) == 0
    assert file.stat().st_mode & 0o077 == 0
    assert run(["keys", "export", "1", str(file)]) == 2
    assert run(["keys", "import", "2", str(file)]) == 0
    assert KeyStore(home / "keys").get(2) == KEY
    file.write_text("ab" * 32)
    assert run(["keys", "import", "2", str(file)]) == 1
    assert "--force" in capsys.readouterr().err
    assert run(["keys", "import", "2", str(file), "--force"]) == 0
    file.write_text("short")
    assert run(["keys", "import", "3", str(file)]) == 1
    assert (home / "keys" / "unit-2.key").stat().st_mode & 0o077 == 0


def test_plot_shows_both_ends() -> None:
    text = plot([0.0, 1.0, 2.0], [5.0, 7.0, 6.0], title="t", unit="V", width=20, height=4)
    lines = text.splitlines()
    assert lines[0] == "t (V)"
    assert lines[1].startswith("7 ┤")
    assert lines[4].startswith("5 ┤")
    assert any(0x2800 < ord(c) < 0x2900 for c in text)
    assert plot([], [], title="t") == "t: no samples"


def test_help_imports_nothing_heavy() -> None:
    """Start-up time hangs on it; seconds would measure this machine instead."""
    code = (
        "import sys, contextlib, io; from rovercam.cli import run\n"
        "with contextlib.redirect_stdout(io.StringIO()): assert run(['--help']) == 0\n"
        "print([m for m in ('rich', 'serial', 'sqlite3', 'PIL', 'nicegui', 'spacepackets', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
