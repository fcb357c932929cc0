"""The site from orbit on 6 and 11 June, and what the two views say about the drive."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rovercam.marstime import ZHURONG

from rovercam_hil.mission.checks import Checks, MissionFailed
from rovercam_hil.process import ProcessFailed
from rovercam_hil.world import orbital
from rovercam_hil.world.dynamics import COUNT, Rover, drive_to
from rovercam_hil.world.orbit_compare import Comparison, compare, enhance_tracks
from rovercam_hil.world.world import World

if TYPE_CHECKING:
    from rovercam_hil.mission.steps import Mission

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


@dataclass(frozen=True)
class FlyBys:
    """The two passes over the site: pictures, and what was so. Places in metres east and north of the platform."""

    pictures: tuple[np.ndarray, np.ndarray]
    places: tuple[tuple[float, float], tuple[float, float]]
    rolled: tuple[float, float]
    """Metres of wheel odometry."""
    result: Comparison
    moved: np.ndarray


def fly_by(world: World, state: dict[str, Any], size: int = 320) -> FlyBys:
    """Drives the rover (Rover.state) south before each of the two passes. Raises MissionFailed when it is stuck,
    CompareError when the views cannot be compared."""
    rover = Rover.at(world, state)
    pictures: list[np.ndarray] = []
    places, rolled = [], []
    for name, metres, date in (("6 June", 22.0, DATES[0]), ("11 June", 14.0, DATES[1])):
        _south(rover, metres, name, not pictures)
        geometry = orbital.usual_pass(date, world.seed)
        pictures.append(orbital.view(world, geometry, size, centre=(0.0, -20.0), oversample=2, seed=world.seed))
        places.append((rover.x, rover.y))
        rolled.append((rover.pulses_left + rover.pulses_right) / 2 * COUNT)
    result, moved = compare(pictures[0], pictures[1])
    return FlyBys((pictures[0], pictures[1]), (places[0], places[1]), (rolled[0], rolled[1]), result, moved)


def _south(rover: Rover, metres: float, name: str, first: bool) -> None:
    """Days of driving, the unit being off: to ``metres`` from the platform or, next, so much further on."""
    # Around the camera that stands in the way.
    way = ((rover.x + 3.0, rover.y - 4.0), (5.0, -14.0)) if first else ()
    end = (2.0, -math.sqrt(metres**2 - 4.0)) if first else (rover.x - 3.0, rover.y - metres)
    for x, y in (*way, end):
        if not drive_to(rover, x, y):
            raise MissionFailed(f"{name}: stuck at {rover.x:.1f}, {rover.y:.1f}")
    rover.show()


def from_orbit(mission: Mission, checks: Checks) -> FromOrbit:
    """What the two passes say, against what was so. Raises MissionFailed when they say nothing."""
    try:
        seen = mission.fly_bys()
    except ProcessFailed as error:
        raise MissionFailed(f"the two views from orbit: {error}") from error
    pictures, result, moved = seen.pictures, seen.result, seen.moved
    mission.places["6 June"], mission.places["11 June"] = seen.places
    (x0, y0), (x1, y1) = seen.places
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
    odometry = seen.rolled[1] - seen.rolled[0]
    checks.that(
        "wheel odometry is not less than the straight line",
        odometry > 0.95 * truth,
        f"{odometry:.2f} m against {truth:.2f} m",
    )
    return FromOrbit(pictures, enhance_tracks(pictures[0], moved), moved, result, truth, odometry)
