"""The site from orbit on 6 and 11 June, and what the two views say about the drive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rovercam.marstime import ZHURONG

from rovercam_hil.mission.checks import Checks, MissionFailed
from rovercam_hil.mission.steps import Mission
from rovercam_hil.world import orbital
from rovercam_hil.world.orbit_compare import CompareError, Comparison, compare, enhance_tracks

DATES = (ZHURONG.time_of(23, 15.0), ZHURONG.time_of(28, 15.0))
"""6 and 11 June 2021, as published; mid-afternoon, with shadows long enough to see, is ours."""


@dataclass(frozen=True)
class FromOrbit:
    pictures: tuple[np.ndarray, np.ndarray]
    changed: np.ndarray
    """What differs, contrast stretched: tracks."""
    moved: np.ndarray
    result: Comparison
    truth: float
    """Metres, by the world."""
    odometry: float
    """Metres, by the wheels' encoders."""


def from_orbit(mission: Mission, checks: Checks, size: int = 320) -> FromOrbit:
    """Drives south between the two passes; raises MissionFailed when the views cannot be compared."""
    world, pictures = mission.world, []
    for name, metres, date in (("6 June", 22.0, DATES[0]), ("11 June", 14.0, DATES[1])):
        mission.drive_south(metres, name)
        geometry = orbital.usual_pass(date, world.seed)
        pictures.append(orbital.view(world, geometry, size, centre=(0.0, -20.0), oversample=2, seed=world.seed))
    try:
        result, moved = compare(pictures[0], pictures[1])
    except CompareError as error:
        raise MissionFailed(f"the two views from orbit: {error}") from error
    (x0, y0), (x1, y1) = mission.places["6 June"], mission.places["11 June"]
    truth = math.hypot(x1 - x0, y1 - y0)
    towards = math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360.0
    off = (result.direction - towards + 180.0) % 360.0 - 180.0
    checks.near("displacement from orbit", result.displacement, truth, 0.5, "m")
    # The stated uncertainty covers 95 %: a run beyond it is no failure, one beyond twice it is.
    limit = 2 * result.displacement_uncertainty
    checks.that("displacement agrees with its uncertainty", abs(result.displacement - truth) <= limit,
                f"off by {result.displacement - truth:+.2f} m, ± {result.displacement_uncertainty:.2f} m stated")  # fmt: skip
    checks.near("direction from orbit", off, 0.0, 3.0, "°")
    checks.near("the rover from the platform on 6 June", math.hypot(x0, y0), 22.0, 1.0, "m")
    odometry = mission.travelled["11 June"] - mission.travelled["6 June"]
    checks.that(
        "wheel odometry is not less than the straight line",
        odometry > 0.95 * truth,
        f"{odometry:.2f} m against {truth:.2f} m",
    )
    return FromOrbit((pictures[0], pictures[1]), enhance_tracks(pictures[0], moved), moved, result, truth, odometry)
