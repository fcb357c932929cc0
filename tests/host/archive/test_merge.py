"""Two stations heard one unit, each with its own losses: one archive has each thing once."""

from __future__ import annotations

import random
from pathlib import Path

from rovercam.archive import Archive, check
from rovercam.archive.merge import merge
from rovercam.cli import run
from rovercam.keys import KeyStore
from rovercam.station.core import Station
from rovercam_hil.micropython.station_unit import KEY, Unit
from rovercam_hil.micropython.worker import Worker

START = 1_800_000_000.0


def heard(folder: Path, worker: Worker) -> tuple[Path, Path, int]:
    """Archives of two stations and how many reports the unit sent; a third of the frames is lost on each line."""
    (folder / "t").mkdir()
    unit = Unit(worker, folder / "t")
    noise = random.Random(4)
    stations = []
    for k in range(2):
        keys = KeyStore(folder / f"keys{k}")
        keys.put(1, KEY)
        (folder / f"{k}").mkdir()
        station = Station(Archive(folder / f"{k}" / "archive.db"), keys, now=START)
        station.attach(f"line {k}", START)
        stations.append(station)
    for n in range(60):
        unit.housekeeping(1, START + n, uptime=n)
        unit.report(5, 1, bytes([16]), START + n)
        frame = unit.frames(True)
        for k, station in enumerate(stations):
            # The second station's clock is 3 s ahead.
            if noise.random() > 0.33 or n == 59:
                station.receive(f"line {k}", frame, START + n + 3 * k)
    for k, station in enumerate(stations):
        station.detach(f"line {k}", START + 100)
        station.archive.close()
    return folder / "0" / "archive.db", folder / "1" / "archive.db", 60


def test_what_both_heard_is_there_once(tmp_path: Path, worker: Worker) -> None:
    first, second, sent = heard(tmp_path, worker)
    with Archive(second, readonly=True) as other, Archive(first) as archive:
        alone = set(archive.history(1, "uptime").values.tolist())
        theirs = set(other.history(1, "uptime").values.tolist())
        assert len(alone) < sent
        assert theirs - alone
        added = merge(archive, other)
        values = archive.history(1, "uptime").values.tolist()
        assert values == sorted(alone | theirs)  # each once, in the unit's order
        assert added["packet"] > 0
        assert len([e for e in archive.events() if e["packet"]]) == len(alone | theirs)
        frames = [data for *_, data in archive.frames()]
        assert len(frames) == len(set(frames))
        assert check(archive).problems == []
        assert set(merge(archive, other).values()) == {0}


def test_products_get_each_others_layers(tmp_path: Path) -> None:
    fields = {"kind": "picture", "layers": 2, "seconds": 5, "width": 4, "height": 4}
    paths = [tmp_path / "a.db", tmp_path / "b.db"]
    for k, path in enumerate(paths):
        with Archive(path) as archive:
            row = archive.product(1, 7, START)
            archive.update_product(row, START, kind="picture", width=4, height=4, fields=fields)
            transfer = archive.transfer(1, 1, 10 + k, START)
            archive.update_transfer(transfer, name=f"/p/0007.{k}")
            archive.finish_transfer(transfer, START, b"%d" % k * 5)
            archive.add_layer(row, k, transfer)
            archive.add_command(
                time=START + k, unit=1, name="ping", arguments={}, sender="x", apid=272, sequence=k, data=b"c"
            )
    with Archive(paths[1], readonly=True) as other, Archive(paths[0]) as archive:
        merge(archive, other)
        (product,) = archive.products()
        assert product["state"] == "down"
        assert [archive.content(la["transfer"]) for la in product["layers"]] == [b"00000", b"11111"]
        assert [c["sequence"] for c in archive.commands()] == [0, 1]
        assert check(archive).problems == []


def test_the_command(tmp_path: Path, worker: Worker, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    first, second, _ = heard(tmp_path, worker)
    monkeypatch.setenv("ROVERCAM_HOME", str(first.parent))
    assert run(["archive", "merge", str(second), "--json"]) == 0
    assert '"packet"' in capsys.readouterr().out
    assert run(["archive", "merge", str(tmp_path / "none.db")]) == 1
