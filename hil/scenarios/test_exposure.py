"""Exposure: the picture stays right when the light changes, and does what it is told."""

import numpy as np
import pytest

pytestmark = pytest.mark.cost(25)

SMALL = {"size": "size_96x96", "codec": "raw", "width": 96, "height": 32, "x": 0, "y": 0}


def test_automatic_exposure_follows_the_light(ground, scene, evidence):
    lights = (1.0, 0.25, 4.0)
    means = []
    for light in lights:
        scene.brightness = light
        means.append(float(ground.shoot(**SMALL).pixels.mean()))
    evidence.plot("mean grey level against the scene's light", {"automatic": (lights, means)}, "light", "")
    assert max(means) - min(means) < 12


def test_a_manual_exposure_is_what_it_says(ground, scene, evidence):
    scene.show(np.full((96, 96), 60, np.uint8))
    means = {n: float(ground.shoot(**SMALL, exposure=n, gain=16).pixels.mean()) for n in (250, 500, 1000)}
    evidence.value("grey level 60 at 250, 500, 1000 lines", ", ".join(f"{v:.1f}" for v in means.values()))
    # Twice the lines, twice the light: the sensor is linear.
    np.testing.assert_allclose([means[250], means[500], means[1000]], [30, 60, 120], atol=1.0)
    picture = ground.shoot(**SMALL, exposure=700, gain=32)
    assert (picture.fields["exposure"], picture.fields["gain"]) == (700, 32)
