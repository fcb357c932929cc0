"""The search for water and ice: a candidate where the model has ice in the ground, none where it has not, and never more said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rovercam_hil.mission.checks import Checks
from rovercam_hil.mission.cue import PICTURE, candidates, frost_point, publish, search
from rovercam_hil.world.subsurface import LONGEST, STEP, Radargram, Subsurface

WAY = 37.0


@pytest.fixture(scope="module")
def grounds():
    return {seed: Subsurface(WAY, seed) for seed in range(1, 15)}


def test_candidates_are_where_the_ice_is_and_nowhere_else(grounds):
    with_ice = 0
    for seed, ground in grounds.items():
        found = candidates(ground.radargram())
        if ground.lens is None:
            assert not found, f"seed {seed}: {found}"
            continue
        with_ice += 1
        assert len(found) == 1, f"seed {seed}: {found}"
        assert found[0].start < ground.lens.end
        assert found[0].end > ground.lens.start
        assert abs(found[0].depth - ground.lens.top) <= found[0].uncertainty
    assert 3 <= with_ice <= 11, "both kinds of ground are among the seeds"


def test_an_echo_turned_round_is_no_candidate_any_more(grounds):
    ground = next(g for g in grounds.values() if g.lens is not None)
    radar = ground.radargram()
    top = candidates(radar)[0]
    turned = candidates(Radargram(radar.way, radar.time, -radar.echo))
    assert all(abs(c.depth - top.depth) > 1.0 for c in turned)
    assert turned, "the boundaries to denser ground are the candidates then"


def test_noise_alone_gives_none():
    rng = np.random.default_rng(5)
    time = np.arange(0.0, LONGEST, STEP)
    way = np.arange(0.0, WAY, 0.5)
    assert candidates(Radargram(way, time, rng.normal(0, 0.002, (len(time), len(way))))) == []


@given(st.floats(-60, 10), st.floats(0.01, 100))
def test_frost_point_is_below_the_air_and_is_it_when_saturated(celsius, humidity):
    point, vapour = frost_point(celsius, humidity)
    assert point <= celsius + 1e-6
    assert vapour > 0
    assert frost_point(celsius, 100.0)[0] == pytest.approx(celsius, abs=1e-6)


def test_the_product_says_candidate_and_no_more(grounds, tmp_path):
    seed = next(s for s, g in grounds.items() if g.lens is not None)
    checks = Checks()
    publish(search(WAY, seed, -22.0, 0.07, checks), tmp_path)
    assert not checks.failed
    product = json.loads((tmp_path / "science/cue.json").read_text())
    assert product["product"] == "candidate water/ice cue"
    assert len(product["candidates"]) == 1
    assert "not a finding" in product["verdict"]
    assert (tmp_path / PICTURE).stat().st_size > 1000
