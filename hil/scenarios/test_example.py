"""The example of docs/hil.md: a scenario of one's own, with the plugin's fixtures."""

import numpy as np


def test_a_dark_corner_is_dark(ground, scene, evidence):
    picture = np.full((96, 96), 200, np.uint8)
    picture[:32, :32] = 10
    scene.show(picture)
    taken = ground.shoot(size="size_96x96", codec="raw")
    evidence.picture("what arrived", taken.pixels)
    assert taken.pixels[:32, :32].max() < 20
    assert taken.pixels[40:, 40:].min() > 180
