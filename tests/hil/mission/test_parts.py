"""The pure parts of the mission: claims, servo gear, axes of the plots, hops of the relay."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rovercam_hil.mission.checks import Checks, MissionFailed
from rovercam_hil.mission.plots import breaks, curve, ticks


def test_a_claim_that_does_not_hold_fails_the_mission_and_says_what_was_found() -> None:
    checks = Checks()
    assert checks.near("distance", 6.1, 6.0, 0.4, "m")
    checks.end()
    assert not checks.near("distance", 6.5, 6.0, 0.4, "m")
    with pytest.raises(MissionFailed, match=r"distance: 6\.50 m \(wanted 6\.00 ± 0\.4\)"):
        checks.end()


def test_a_mission_that_asserts_nothing_has_not_held() -> None:
    with pytest.raises(MissionFailed, match="nothing"):
        Checks().end()


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 12
    slack = 1e-6 * (1 + abs(low) + span)  # a hair of the axis
    assert all(low - slack <= v <= low + span + slack for v in found)


def test_nights_are_cut_out_of_the_axis() -> None:
    times = [0.0, 60.0, 120.0, 90000.0, 90060.0]
    assert breaks(times, 900.0) == [(0, 3), (3, 5)]
    picture = curve("Air <temperature>", times, [-20.0, -21.0, -20.5, -60.0, -61.0], "°C", ["sol 8", "sol 9"])
    root = ET.fromstring(picture)
    lines = [e for e in root if e.get("class") == "c"]
    assert len(lines) == 2
    for line in lines:
        points = [tuple(map(float, p.split(","))) for p in (line.get("points") or "").split()]
        assert all(50 < x < 520 and 0 < y < 170 for x, y in points)
    # Warmer is higher.
    heights = [float((line.get("points") or "").split()[0].split(",")[1]) for line in lines]
    assert heights[0] < heights[1]


def test_a_curve_without_samples_says_so() -> None:
    assert "no samples" in curve("Nothing", [], [], "")


@given(st.floats(-720, 720))
def test_the_servo_turns_the_head_where_it_is_told(pan: float) -> None:
    pytest.importorskip("embreex")
    from rovercam_hil.mission.eyes import head_pan, servo_pan

    servo = servo_pan(pan)
    assert -90.0 <= servo <= 90.0
    off = (head_pan(servo) - pan + 180.0) % 360.0 - 180.0
    assert abs(off) <= 0.11


@pytest.mark.parametrize("seed", [1, 4])
def test_the_portrait_crosses_three_hops_and_four_blind_passes_of_five_are_corrupted(seed: int) -> None:
    from rovercam.marstime import ZHURONG
    from rovercam_hil.mission.hops import relay

    checks = Checks()
    picture = np.random.default_rng(seed).bytes(40_000)
    taken = ZHURONG.time_of(18, 13.2)
    hops = relay(picture, taken, taken + 12.0, seed, checks)
    checks.end()
    assert hops.delivered > taken + hops.light
    assert [bad for _, bad, _ in hops.passes].count(True) == 4
    good = next(n for _, bad, n in hops.passes if not bad)
    assert 0.8 * len(picture) < good <= len(picture)
    assert "remote camera" in hops.seen[0][1]
    assert "earth" in hops.seen[-1][1]
