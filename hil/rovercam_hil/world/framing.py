"""Planning the group portrait: where the camera is released, how the rover gets there and back, and the check afterwards.

The rover comes from the platform driving south, so it stands with its back to the platform when it releases the camera
from under its body; the camera looks past the rover's rear wheels. The rover then backs off to the platform's side and
already faces the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rovercam_hil.world import rover_body
from rovercam_hil.world.mesh import rotation, translation
from rovercam_hil.world.optics import REMOTE, Lens
from rovercam_hil.world.platform_body import platform_mesh
from rovercam_hil.world.render import Frame
from rovercam_hil.world.world import Pose, RemoteCamera, World


class FramingError(ValueError):
    """No release point frames both; the message says what stands against it."""


@dataclass(frozen=True)
class Leg:
    """One leg of the path: drive to (x, y), metres east and north of the platform's middle."""

    x: float
    y: float
    backwards: bool = False


@dataclass(frozen=True)
class Plan:
    """A planned portrait. Headings in degrees counter-clockwise from east."""

    release: tuple[float, float]
    release_heading: float
    """The rover's heading at release; the camera looks the opposite way."""
    stand: tuple[float, float]
    """Where the rover stands for the portraits."""
    front_heading: float
    side_heading: float
    approach: tuple[Leg, ...]
    withdraw: tuple[Leg, ...]
    distance: float
    """From the camera to the platform's middle, metres."""
    margin: float
    """Smallest angle between any part of the bodies and the picture's edge, degrees."""

    @property
    def camera_heading(self) -> float:
        return (self.release_heading + 180.0) % 360.0


NEAREST_FARTHEST = (6.0, 16.0)
"""Metres between platform and release point that are looked at."""


@lru_cache(maxsize=1)
def _hulls() -> tuple[np.ndarray, np.ndarray]:
    """Corners of the convex hulls of rover and platform, each in its own frame."""
    from scipy.spatial import ConvexHull

    hulls = []
    for mesh in (rover_body.rover_mesh(), platform_mesh()):
        points = np.unique(mesh.corners.reshape(-1, 3).round(3), axis=0)
        hulls.append(points[ConvexHull(points).vertices])
    return hulls[0], hulls[1]


def _outline(stand: tuple[float, float], heading: float, platform: Pose, ground: float) -> np.ndarray:
    """Points (n, 3) that bound rover and platform, in world metres."""
    rover, landed = _hulls()
    at = translation(stand[0], stand[1], ground) @ rotation("z", heading)
    m = platform.matrix()
    return np.concatenate([rover @ at[:3, :3].T + at[:3, 3], landed @ m[:3, :3].T + m[:3, 3]])


def _margin(lens: Lens, size: tuple[int, int], camera: np.ndarray, points: np.ndarray) -> float:
    """Smallest distance in degrees between the points and the picture's edge; negative when something is cut."""
    inverse = np.linalg.inv(camera)
    pixels, front = lens.project(points @ inverse[:3, :3].T + inverse[:3, 3], *size)
    if not front.all():
        return -90.0
    w, h = size
    gap = min(pixels[:, 0].min(), w - pixels[:, 0].max(), pixels[:, 1].min(), h - pixels[:, 1].max())
    return math.degrees(gap / lens.focal(w))


def plan(world: World, lens: Lens = REMOTE, size: tuple[int, int] = (640, 480), *, distance: float = 10.0, margin: float = 1.5,
         stand: tuple[float, float] = (4.7, -1.6)) -> Plan:  # fmt: skip
    """Find the release point nearest to `distance` metres from the platform that frames both with `margin` degrees.

    Raises FramingError with the field of view that would be needed when there is none within 16 m.
    """
    if not NEAREST_FARTHEST[0] <= distance <= NEAREST_FARTHEST[1]:
        raise FramingError(
            f"a release point {distance:g} m from the platform is impossible: nearer than {NEAREST_FARTHEST[0]:g} m the rover stands in the "
            f"way of its own portrait, beyond {NEAREST_FARTHEST[1]:g} m the short-range radio and the bodies' size in the picture end"
        )
    ground = world.terrain.at(*stand)
    best: tuple[float, float, float, float] | None = None
    best_gap = -90.0
    for d in np.arange(max(distance - 2.0, 6.0), 16.01, 0.25):
        for x in np.arange(-1.0, 4.01, 0.5):
            y = -math.sqrt(max(d * d - x * x, 1.0))
            points = np.concatenate([_outline(stand, h, world.platform, ground) for h in _headings(stand, x, y)])
            middle = _aim(points, x, y)
            pose = _camera(world, x, y, middle)
            gap = _margin(lens, size, pose, points)
            best_gap = max(best_gap, gap)
            if gap >= margin and (best is None or abs(d - distance) < abs(best[0] - distance) - 1e-6 or
                                  (abs(abs(d - distance) - abs(best[0] - distance)) < 1e-6 and gap > best[3])):  # fmt: skip
                best = (float(d), float(x), middle, gap)
        if best is not None and d > distance + abs(best[0] - distance):
            break
    if best is None:
        lack = margin - best_gap
        raise FramingError(
            f"no release point within 16 m frames rover and platform: the field of view is {lens.field:.1f} degrees, at least "
            f"{lens.field + 2 * lack:.0f} are needed for a margin of {margin:g} degrees (or move the rover closer to the platform)"
        )
    d, x, middle, gap = best
    y = -math.sqrt(d * d - x * x)
    heading = (middle + 180.0 + 180.0) % 360.0 - 180.0  # the rover's back is towards the picture
    front, side = _headings(stand, x, y)
    back = math.radians(heading)
    # Straighten out before the release: the last 1.5 m are driven along the release heading.
    lead = Leg(x - 1.5 * math.cos(back), y - 1.5 * math.sin(back))
    # Withdraw in reverse, clear of the rails' feet, then beside the platform.
    knee = Leg(stand[0], stand[1] - 3.2, backwards=True)
    return Plan(
        release=(x, y),
        release_heading=heading,
        stand=stand,
        front_heading=front,
        side_heading=side,
        approach=(Leg(0.0, -5.6), lead, Leg(x, y)),
        withdraw=(knee, Leg(*stand, backwards=True)),
        distance=d,
        margin=gap,
    )


def _headings(stand: tuple[float, float], x: float, y: float) -> tuple[float, float]:
    """Facing the camera, and showing it the left side."""
    front = math.degrees(math.atan2(y - stand[1], x - stand[0]))
    return front, front + 90.0


def release_heading_at(world: World, plan: Plan, x: float, y: float) -> float:
    """The rover's heading, degrees, with which a camera released at (x, y) has as much room on its left as on its right:
    a drive never ends exactly where it was to."""
    ground = world.terrain.at(*plan.stand)
    headings = (plan.front_heading, plan.side_heading)
    points = np.concatenate([_outline(plan.stand, h, world.platform, ground) for h in headings])
    return _aim(points, x, y) % 360.0 - 180.0


def _aim(points: np.ndarray, x: float, y: float) -> float:
    """Heading of the line of sight that has as much on its left as on its right, degrees."""
    bearing = np.degrees(np.arctan2(points[:, 1] - y, points[:, 0] - x))
    return float(bearing.min() + bearing.max()) / 2


def _camera(world: World, x: float, y: float, heading: float) -> np.ndarray:
    return world.on_ground(x, y, heading).matrix() @ translation(0.125, 0, 0.13) @ rotation("y", -RemoteCamera.tilt)


def released(world: World, rover: Pose) -> Pose:
    """Pose of the remote camera when a rover at this pose lets it go: under the bay, looking back, standing on the ground."""
    a = math.radians(rover.heading)
    bx = rover.x + rover_body.REMOTE_BAY[0] * math.cos(a)
    by = rover.y + rover_body.REMOTE_BAY[0] * math.sin(a)
    return world.on_ground(bx, by, rover.heading + 180.0)


@dataclass(frozen=True)
class Check:
    """What a portrait holds. Boxes are (left, top, right, bottom) pixels of what is seen, None when unseen."""

    rover: tuple[int, int, int, int] | None
    platform: tuple[int, int, int, int] | None
    rover_share: float
    """Share of the picture that shows the rover, 0 … 1."""
    platform_share: float
    whole: bool
    """Both are seen and neither touches the edge."""


def check(frame: Frame, border: int = 2) -> Check:
    """Check a traced picture by the ids of the bodies in it."""
    h, w = frame.body.shape

    def box(name: str) -> tuple[tuple[int, int, int, int] | None, float]:
        if name not in frame.names:
            return None, 0.0
        rows, cols = np.nonzero(frame.body == frame.names.index(name))
        if len(rows) < 50:
            return None, 0.0
        return (int(cols.min()), int(rows.min()), int(cols.max()), int(rows.max())), len(rows) / (w * h)

    rover, rover_share = box("rover")
    platform, platform_share = box("platform")

    def inside(b: tuple[int, int, int, int] | None) -> bool:
        return b is not None and b[0] >= border and b[1] >= border and b[2] < w - border and b[3] < h - border

    return Check(rover, platform, rover_share, platform_share, inside(rover) and inside(platform))
