"""Frames rendered by a second process are those the first one would have rendered, and only what was foreseen is taken."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from rovercam_hil.process import ProcessFailed
from rovercam_hil.world.ahead import Ahead
from rovercam_hil.world.world import HazardCamera, MastCamera, World

NOON = 1_621_651_200.0
SIZE = (64, 48)


def site():
    world = World(3)
    world.set_rover(world.on_ground(6.0, -7.0, 40.0))
    for k in range(20):
        world.tracks.press(6.0 - 0.05 * k, -7.0, 0.0, 0.05 * k)
    return world


def cameras(world):
    return [MastCamera(world, size=SIZE), MastCamera(world, left=False, size=SIZE), HazardCamera(world, size=SIZE)]


@pytest.fixture(scope="module")
def world():
    return site()


@pytest.fixture(scope="module")
def ahead(world):
    made = Ahead(world)
    yield made
    made.close()


@pytest.mark.parametrize("fine", [True, False])
def test_foreseen_frames_are_those_of_one_process(ahead, world, fine):
    """``fine``: edges are traced with more rays."""
    turned = replace(world.joints, pan=-30.0, tilt=-9.0)
    mine = cameras(world)
    for camera in mine:
        camera.fine = fine
        ahead.begin(camera, NOON, SIZE, turned)
    before = ahead.taken
    world.set_rover(world.rover, turned)
    here = site()
    here.set_rover(here.rover, turned)
    for camera, alone in zip(mine, cameras(here), strict=True):
        alone.fine = fine
        found, expected = camera.frame(NOON), alone.frame(NOON)
        assert np.array_equal(found.radiance, expected.radiance)
        assert np.array_equal(found.body, expected.body)
        assert found.names == expected.names
    assert ahead.taken - before == 3


FRAME = """
import hashlib
from rovercam_hil.world.world import HazardCamera, World
world = World(3)
world.set_rover(world.on_ground(6.0, -7.0, 40.0))
print(hashlib.sha256(HazardCamera(world, size=(64, 48)).frame(1_621_651_200.0).radiance.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_frame_is_the_same_whether_its_code_was_compiled_or_loaded(tmp_path):
    """Two minutes: pytest tests/hil/world/test_ahead.py -m slow"""

    def frame():
        words = [sys.executable, "-c", FRAME]
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    compiled = frame()
    assert frame() == compiled
    for kept in [*tmp_path.rglob("shade.shade*"), *tmp_path.rglob("light.*")]:
        kept.unlink()
    assert frame() == compiled


@pytest.mark.parametrize("what", ["later", "moved", "turned", "size"])
def test_what_was_not_foreseen_is_rendered_here(ahead, world, what):
    camera = MastCamera(world, size=SIZE)
    ahead.begin(camera, NOON, SIZE)
    before, place, joints = ahead.taken, world.rover, world.joints
    if what == "moved":
        world.set_rover(replace(place, x=place.x + 0.5))
    elif what == "turned":
        world.set_rover(place, replace(joints, pan=joints.pan + 0.1))
    elif what == "size":
        camera.size = (32, 24)
    frame = camera.frame(NOON + (600.0 if what == "later" else 0.0))
    assert frame.radiance.shape == (camera.size[1], camera.size[0], 3)
    assert ahead.taken == before
    world.set_rover(place, joints)


def test_new_tracks_are_seen(ahead, world):
    camera = HazardCamera(world, size=SIZE)
    untouched = camera.frame(NOON + 1800)
    for k in range(40):
        world.tracks.press(world.rover.x + 2.0, world.rover.y + 0.05 * k, 1.5, 0.05 * k)
    ahead.begin(camera, NOON + 1800, SIZE)
    before = ahead.taken
    assert not np.array_equal(camera.frame(NOON + 1800).radiance, untouched.radiance)
    assert ahead.taken == before + 1


def test_a_process_that_ended_is_said(world):
    made = Ahead(world)
    camera = MastCamera(world, size=SIZE)
    made.begin(camera, NOON + 3600, SIZE)
    made._process._child.kill()
    with pytest.raises(ProcessFailed, match="its process ended"):
        camera.frame(NOON + 3600)
    made.close()
