"""The Zhurong mission as `rovercam demo` flies it. Slow; CI runs the command itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from rovercam.line.recording import FROM_UNIT, records

pytest.importorskip("embreex")

from rovercam_hil.mission.checks import MissionFailed
from rovercam_hil.mission.flight import Flight
from rovercam_hil.mission.run import fly
from rovercam_hil.mission.steps import ROLL_OFF
from rovercam_hil.world.world import World


@pytest.mark.slow
def test_the_mission_holds_its_assertions_and_leaves_everything_it_promises(tmp_path: Path) -> None:
    outcome = fly(tmp_path, seed=5, motion_frames=3, key_size="qvga", say=print)
    assert outcome is not None
    assert len(outcome.checks.made) > 60
    assert not outcome.checks.failed
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in ("report.html", "telemetry.csv", "downlink.rec", "pictures/motion.gif", "orbit/comparison.png"):
        assert (tmp_path / name).stat().st_size > 500, name
    captions = json.loads((tmp_path / "release" / "captions.json").read_text(encoding="utf-8"))
    assert [c["file"] for c in captions] == [
        f"release/{n}.png" for n in ("1-panorama", "2-surface", "3-platform", "4-portrait")
    ]
    for caption in captions:
        assert caption["file"] in report
        assert caption["credit"]
        width, height = Image.open(tmp_path / caption["file"]).size
        assert (width, height) == tuple(caption["size"])
    assert captions[0]["size"][0] > 6 * captions[0]["size"][1]
    sent = b"".join(r.data for r in records(tmp_path / "downlink.rec") if r.direction == FROM_UNIT)
    assert len(sent) == outcome.downlink


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_a_refused_picture_fails_the_mission(tmp_path: Path) -> None:
    def first(seed: int, name: str) -> list[bytes]:
        out = tmp_path / name
        out.mkdir()
        with Flight(out, World(seed), seed, ROLL_OFF, say=print) as flight:
            from rovercam_hil.world.dynamics import on_deck

            on_deck(flight.world).show()
            flight.wake()
            flight.look(40.0, -10.0)
            flight.shoot("one", size="qvga")
            assert flight.world.joints.pan == pytest.approx(40.0, abs=0.2)
            with pytest.raises(MissionFailed, match=r"outside: "):
                flight.shoot("outside", size="qvga", x=600, format="grey", codec="raw")
        return [data for _, data in flight.recording]

    a, b, c = first(3, "a"), first(3, "b"), first(4, "c")
    assert b"".join(a) == b"".join(b) != b"".join(c)
