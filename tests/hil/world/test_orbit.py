"""Two pictures from orbit: what `orbit compare` measures against where the rover really was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rovercam.marstime import ZHURONG
from typer.testing import CliRunner

pytest.importorskip("embreex")

from rovercam_hil.cli.orbit import orbit
from rovercam_hil.world import orbit_compare, orbital
from rovercam_hil.world.dynamics import Rover, drive_to
from rovercam_hil.world.world import World


def _case(seed: int, size: int = 256) -> tuple[np.ndarray, np.ndarray, tuple[float, float], tuple[float, float]]:
    """Pictures of 6 and 11 June 2021 (sols 23 and 28) with the passes' own pointing errors, and the true places."""
    rng = np.random.default_rng(seed)
    world = World(seed)
    rover = Rover(world, 0.0, -5.5, -90.0, seed=seed)
    assert drive_to(rover, float(rng.uniform(-4, 4)), -12 - float(rng.uniform(0, 8)))
    places, pictures = [], []
    for sol in (23, 28):
        if places:
            d, a = float(rng.uniform(9, 24)), math.radians(float(rng.uniform(210, 330)))
            assert drive_to(rover, rover.x + d * math.cos(a), rover.y + d * math.sin(a))
        rover.show()
        places.append((rover.x, rover.y))
        geometry = orbital.usual_pass(ZHURONG.time_of(sol, 15.0), seed)
        pictures.append(orbital.view(world, geometry, size, centre=(0.0, -16.0), oversample=2, seed=seed))
    return pictures[0], pictures[1], places[0], places[1]


def _good(seed: int, size: int) -> tuple[bool, str]:
    a, b, p, q = _case(seed, size)
    result, _ = orbit_compare.compare(a, b)
    true = math.dist(p, q)
    towards = math.degrees(math.atan2(q[0] - p[0], q[1] - p[1]))
    off = result.displacement - true
    turned = (result.direction - towards + 180) % 360 - 180
    text = f"seed {seed}: {true:.2f} m, off by {off:+.2f} m (± {result.displacement_uncertainty:.2f}), {turned:+.1f}°"
    return abs(off) <= min(0.5, result.displacement_uncertainty) and abs(turned) <= 3.0, text


@pytest.mark.parametrize("seed", [2, 5, 7])
def test_displacement_and_direction(seed: int) -> None:
    good, text = _good(seed, 256)
    assert good, text


@pytest.mark.slow
def test_forty_seeds() -> None:
    results = [_good(seed, 320) for seed in range(100, 140)]
    bad = [text for good, text in results if not good]
    assert len(bad) <= 2, "\n".join(bad)


def test_the_command_works_on_files_and_says_what_is_wrong(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    from scipy.ndimage import gaussian_filter

    ground = gaussian_filter(rng.normal(0, 1, (300, 300)), 2.0) * 60 + 110
    noise = [rng.normal(0, 1, (240, 240)) for _ in range(2)]
    a, b = ground[20:260, 20:260] + noise[0], ground[25:265, 17:257] + noise[1]
    blob = 90 * np.exp(-(((np.mgrid[-10:11, -10:11]) ** 2).sum(axis=0)) / 18)
    a[40:61, 100:121] -= 1.5 * blob  # what stays
    b[35:56, 103:124] -= 1.5 * blob
    a[100:121, 110:131] += blob  # what moves: 60 rows down, 30 columns right in A's frame
    b[155:176, 143:164] += blob
    for name, picture in (("a", a), ("b", b)):
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
    run = CliRunner().invoke(
        orbit, ["compare", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--out", str(tmp_path / "c.png")]
    )
    assert run.exit_code == 0, run.output
    assert f"{0.3 * math.hypot(60, 30):.1f}" in run.output
    assert Image.open(tmp_path / "c.png").size == (3 * 240 + 8, 240)
    same = CliRunner().invoke(orbit, ["compare", str(tmp_path / "a.png"), str(tmp_path / "a.png")])
    assert same.exit_code == 1
    assert "did not move" in same.output
    Image.fromarray(rng.integers(0, 255, (240, 240), dtype=np.uint8)).save(tmp_path / "noise.png")
    assert CliRunner().invoke(orbit, ["compare", str(tmp_path / "a.png"), str(tmp_path / "noise.png")]).exit_code == 1
    missing = CliRunner().invoke(orbit, ["compare", str(tmp_path / "nothing.png"), str(tmp_path / "b.png")])
    assert missing.exit_code == 2
    assert "no such file" in missing.output
