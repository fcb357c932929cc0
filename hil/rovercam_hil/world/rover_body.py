"""The rover: six wheels on rocker-bogie arms, octagonal body, mast with camera head, four wings like a butterfly's.

Frame: origin on the ground under the middle of the body, x forward, y left, z up. About 2.6 × 3.0 × 1.85 m unfolded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from rovercam_hil.world.materials import Material as M
from rovercam_hil.world.mesh import (
    Mesh,
    bar,
    beam,
    box,
    cylinder,
    join,
    lathe,
    plate,
    rotation,
    soup,
    sphere,
    translation,
)

WHEEL_RADIUS = 0.15
WHEEL_WIDTH = 0.24
TRACK = 1.62
"""Left to right distance of the wheels' middles, metres."""
AXLES = (0.82, 0.0, -0.82)
"""Front, middle and rear axle, metres forward of the middle."""
DECK = 0.86
"""Upper deck above the ground, metres."""
MAST_FOOT = (0.42, 0.22)
HEAD = 1.74
"""Height of the pan/tilt joint of the camera head."""
BASELINE = 0.27
"""Distance between the two mast cameras, metres."""
CAMERA_FORWARD = 0.09
HAZARD = (0.66, 0.0, 0.56)
"""Front hazard cameras: forward, left, up."""
REMOTE_BAY = (-0.10, 0.0, 0.28)
"""Where the remote camera hangs under the body before release."""


@dataclass(frozen=True)
class Joints:
    """What moves in the rover's own frame."""

    pan: float = 0.0
    """Degrees to the right of straight ahead."""
    tilt: float = 0.0
    """Degrees up."""
    rocker_left: float = 0.0
    """Degrees; positive lifts the front wheel."""
    rocker_right: float = 0.0
    roll: tuple[float, ...] = (0.0,) * 6
    """Turn of the wheels in degrees: left front, middle, rear, right front, middle, rear."""
    mast: bool = True
    """Mast raised."""
    wings: bool = True
    """Wings unfolded."""
    remote: bool = False
    """The remote camera still hangs under the body."""


@lru_cache(maxsize=1)
def _wheel() -> Mesh:
    w = WHEEL_WIDTH / 2
    r = WHEEL_RADIUS
    tread = lathe(
        [(r - 0.012, -w), (r - 0.006, -w * 0.6), (r - 0.004, 0), (r - 0.006, w * 0.6), (r - 0.012, w)], M.TREAD, 36
    )
    rim_in = lathe([(r - 0.03, w), (r - 0.035, 0.02), (0.05, 0.0), (0, 0.0)], M.WHEEL, 28)
    rim_out = lathe([(0, 0.0), (0.05, -0.0), (r - 0.035, -0.02), (r - 0.03, -w)], M.WHEEL, 28)
    hub = cylinder(0.045, 2 * w * 0.9, M.DARK_METAL)
    parts = [tread, rim_in, rim_out, hub]
    for k in range(18):  # cleats
        a = 20.0 * k
        parts.append(box(0.012, 0.010, 2 * w, M.WHEEL).at(r - 0.002, 0, 0).turned("z", a))
    for k in range(6):  # spokes
        for side in (-0.7, 0.7):
            parts.append(
                box(r - 0.05, 0.022, 0.012, M.METAL).at((r - 0.03) / 2 + 0.02, 0, side * w).turned("z", 60.0 * k)
            )
    return join(*parts).turned("x", 90)


def _wing(outline: list[tuple[float, float]], tilt: float, hinge: tuple[float, float]) -> Mesh:
    """One wing for the left side, with its ribs; smooth outline from control points."""
    pts = _rounded(np.array(outline))
    panel = plate(pts, 0.022, M.SOLAR_CELLS, M.WHITE, M.METAL)
    edge = []
    for i in range(len(pts)):
        p, q = pts[i], pts[(i + 1) % len(pts)]
        if np.linalg.norm(q - p) > 1e-3:
            edge.append(beam((p[0], p[1], -0.008), (q[0], q[1], -0.008), 0.022, 0.030, M.WHITE))
    m = translation(hinge[0], hinge[1], 0) @ rotation("x", tilt) @ translation(-hinge[0], -hinge[1], 0)
    return join(panel, *edge).placed(m)


def _rounded(points: np.ndarray, rounds: int = 3) -> np.ndarray:
    """Chaikin's corner cutting, keeping the first and last edge (the hinge) straight."""
    p = points
    for _ in range(rounds):
        q = [p[0]]
        for a, b in pairwise(p):
            q += [0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b]
        q.append(p[-1])
        p = np.array(q)
    return p


@lru_cache(maxsize=2)
def _wings(unfolded: bool) -> Mesh:
    if not unfolded:
        return plate(
            np.array([(0.55, -0.45), (0.55, 0.45), (-0.6, 0.45), (-0.6, -0.45)]), 0.05, M.SOLAR_CELLS, M.WHITE, M.METAL
        ).at(0, 0, DECK + 0.16)
    # Left fore wing: broad, reaching forward and out; left hind wing: narrower, swept back.
    fore = [
        (-0.02, 0.44),
        (0.02, 0.85),
        (0.10, 1.36),
        (0.44, 1.52),
        (0.92, 1.46),
        (0.98, 1.08),
        (0.70, 0.74),
        (0.46, 0.44),
    ]
    hind = [
        (-0.62, 0.44),
        (-0.96, 0.60),
        (-1.34, 0.96),
        (-1.40, 1.34),
        (-1.02, 1.44),
        (-0.58, 1.30),
        (-0.18, 0.90),
        (-0.08, 0.44),
    ]
    left = join(_wing(fore[::-1], 4.0, (0.2, 0.44)), _wing(hind[::-1], 4.0, (-0.3, 0.44))).at(0, 0, DECK + 0.05)
    return join(left, left.scaled(1, -1, 1))


@lru_cache(maxsize=2)
def _body(mast: bool) -> Mesh:
    """Chassis, upper deck with its two windows, antennas, boxes; without what turns."""
    lo = np.array(
        [
            (0.56, -0.34),
            (0.56, 0.34),
            (0.40, 0.46),
            (-0.46, 0.46),
            (-0.60, 0.34),
            (-0.60, -0.34),
            (-0.46, -0.46),
            (0.40, -0.46),
        ]
    )
    parts = []
    n = len(lo)
    z0, z1 = 0.42, DECK
    for i in range(n):
        p, q = lo[i], lo[(i + 1) % n]
        parts.append(
            soup(
                np.array([[[*p, z0], [*q, z0], [*q, z1]], [[*p, z0], [*q, z1], [*p, z1]]]),
                M.GOLD_FOIL if i in (3, 0) else M.WHITE,
            )
        )
    c = lo.mean(axis=0)
    parts.append(soup(np.array([[[*c, z1], [*lo[i], z1], [*lo[(i + 1) % n], z1]] for i in range(n)]), M.WHITE))
    parts.append(soup(np.array([[[*c, z0], [*lo[(i + 1) % n], z0], [*lo[i], z0]] for i in range(n)]), M.GOLD_FOIL))
    # Upper deck: two round windows that collect the Sun's heat, edged in white and gold.
    for y in (0.21, -0.21):
        parts += [
            lathe([(0.165, 0.0), (0.165, 0.035), (0.135, 0.045), (0.135, 0.03)], M.METAL, 32).at(-0.14, y, z1),
            lathe([(0.135, 0.030), (0, 0.030)], M.WINDOW, 32).at(-0.14, y, z1),
        ]
    parts += [
        box(0.20, 0.26, 0.09, M.GOLD_FOIL).at(0.36, -0.18, z1 + 0.045),
        box(0.12, 0.10, 0.06, M.WHITE).at(0.14, -0.36, z1 + 0.03),
        box(0.10, 0.16, 0.05, M.BLUE_GREY).at(-0.46, 0.0, z1 + 0.025),
        # High-gain antenna: a dish on a short arm; UHF whip; low-gain cone.
        cylinder(0.02, 0.20, M.METAL).at(-0.50, -0.24, z1 + 0.10),
        lathe(
            [(0.02, 0.0), (0.10, 0.022), (0.17, 0.07), (0.165, 0.075), (0.09, 0.032), (0.0, 0.012)], M.WHITE, 28
        ).placed(translation(-0.50, -0.24, z1 + 0.20) @ rotation("y", -28) @ rotation("x", 14)),
        bar((-0.50, -0.24, z1 + 0.2), (-0.55, -0.22, z1 + 0.30), 0.012, M.METAL),
        cylinder(0.012, 0.34, M.WHITE).at(-0.52, 0.26, z1 + 0.17),
        cylinder(0.03, 0.10, M.WHITE, top=0.045).at(0.46, -0.30, z1 + 0.14),
        # Small colour chart for the cameras.
        box(0.11, 0.11, 0.012, M.WHITE).at(0.20, 0.0, z1 + 0.008),
    ]
    for k, m in enumerate((M.RED, M.BLUE_GREY, M.ORANGE, M.BLACK)):
        parts.append(box(0.042, 0.042, 0.006, m).at(0.175 + 0.05 * (k % 2), -0.025 + 0.05 * (k // 2), z1 + 0.017))
    # Front: hazard cameras, laser opening, flag plate.
    for y in (-0.09, 0.09):
        parts += [
            box(0.08, 0.07, 0.07, M.WHITE).at(0.58, y, 0.56),
            cylinder(0.024, 0.05, M.BLACK).turned("y", 90).at(0.62, y, 0.56),
            cylinder(0.020, 0.01, M.GLASS).turned("y", 90).at(0.648, y, 0.56),
        ]
    w, h, x = 0.27, 0.18, 0.563
    emblem = soup(
        np.array(
            [
                [[x, w / 2, 0.80], [x, -w / 2, 0.80 - h], [x, -w / 2, 0.80]],
                [[x, w / 2, 0.80], [x, w / 2, 0.80 - h], [x, -w / 2, 0.80 - h]],
            ]
        ),
        M.FLAG,
    )
    # Seen from the front, the rover's right side is on the left: the stars stand there.
    uv = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 0, 0], [1, 1, 0], [0, 1, 0]]], dtype=float)
    parts.append(Mesh(emblem.corners, emblem.normals, uv, emblem.material))
    # Radar antennas forward and aft, looking down.
    parts += [
        bar((0.58, 0.24, 0.50), (1.02, 0.30, 0.36), 0.012, M.METAL),
        bar((0.58, -0.24, 0.50), (1.02, -0.30, 0.36), 0.012, M.METAL),
    ]
    fx, fy = MAST_FOOT
    if mast:
        parts += [
            cylinder(0.07, 0.10, M.METAL).at(fx, fy, z1 + 0.05),
            cylinder(0.042, HEAD - z1 - 0.12, M.WHITE).at(fx, fy, (HEAD + z1) / 2),
            cylinder(0.055, 0.07, M.GOLD_FOIL).at(fx, fy, z1 + 0.36),
            cylinder(0.06, 0.09, M.METAL).at(fx, fy, HEAD - 0.10),
        ]
    else:
        parts.append(bar((fx, fy, z1 + 0.10), (fx - 0.85, fy, z1 + 0.10), 0.042, M.WHITE))
    return join(*parts)


@lru_cache(maxsize=1)
def _head() -> Mesh:
    """Camera head about its pan/tilt joint, looking along x: two navigation cameras, the multispectral one between."""
    b = BASELINE / 2
    parts = [
        box(0.10, BASELINE + 0.16, 0.10, M.WHITE).at(0, 0, 0.02),
        box(0.09, 0.12, 0.13, M.BLUE_GREY).at(0.01, 0, 0.03),
    ]
    for y in (-b, b):
        parts += [
            box(0.11, 0.085, 0.095, M.BLUE_GREY).at(0.025, y, 0.02),
            cylinder(0.036, 0.05, M.BLACK).turned("y", 90).at(CAMERA_FORWARD, y, 0.02),
            cylinder(0.030, 0.012, M.GLASS).turned("y", 90).at(CAMERA_FORWARD + 0.022, y, 0.02),
        ]
    parts += [
        cylinder(0.026, 0.06, M.BLACK).turned("y", 90).at(0.07, 0, 0.045),
        sphere(0.024, M.GLASS, 14).at(0.095, 0, 0.045),
        box(0.07, 0.16, 0.03, M.GOLD_FOIL).at(-0.03, 0, 0.085),
    ]
    return join(*parts)


def _suspension(side: float, rocker: float, rolls: tuple[float, ...]) -> Mesh:
    """One side's arms and three wheels; the rocker turns about the body's pivot by `rocker` degrees."""
    inner = TRACK / 2 - 0.20
    pivot = (-0.05, side * 0.50, 0.46)
    front, middle, rear = AXLES
    y = side * inner
    r = WHEEL_RADIUS
    bogie = (-0.41, y, 0.38)
    parts = [
        bar((pivot[0], side * 0.44, pivot[2]), (pivot[0], y, pivot[2]), 0.035, M.METAL),
        beam((pivot[0], y, pivot[2]), (front - 0.06, y, 0.44), 0.05, 0.06, M.METAL),
        beam((front - 0.06, y, 0.44), (front, y, r), 0.045, 0.05, M.METAL),
        beam((pivot[0], y, pivot[2]), bogie, 0.05, 0.06, M.METAL),
        beam(bogie, (middle, y, r + 0.12), 0.045, 0.05, M.METAL),
        beam((middle, y, r + 0.12), (middle, y, r), 0.045, 0.045, M.METAL),
        beam(bogie, (rear, y, r + 0.12), 0.045, 0.05, M.METAL),
        beam((rear, y, r + 0.12), (rear, y, r), 0.045, 0.045, M.METAL),
        cylinder(0.05, 0.09, M.GOLD_FOIL).turned("x", 90).at(bogie[0], bogie[1], bogie[2]),
        cylinder(0.06, 0.10, M.GOLD_FOIL).turned("x", 90).at(pivot[0], y, pivot[2]),
    ]
    for axle, roll in zip(AXLES, rolls, strict=True):
        parts.append(cylinder(0.055, 0.12, M.GOLD_FOIL).at(axle, y, r + 0.16))
        parts.append(bar((axle, y, r), (axle, side * TRACK / 2, r), 0.03, M.METAL))
        parts.append(_wheel().turned("y", roll).at(axle, side * TRACK / 2, r))
    whole = join(*parts)
    turn = translation(*pivot) @ rotation("y", -rocker) @ translation(-pivot[0], -pivot[1], -pivot[2])
    return whole.placed(turn)


def remote_mesh() -> Mesh:
    """The remote camera: a small box on four stub feet, lens and antenna; looks along x, stands on z = 0."""
    parts = [
        box(0.15, 0.17, 0.13, M.WHITE).at(0, 0, 0.11),
        box(0.13, 0.15, 0.02, M.GOLD_FOIL).at(0, 0, 0.185),
        cylinder(0.032, 0.05, M.BLACK).turned("y", 90).at(0.09, 0.0, 0.13),
        cylinder(0.026, 0.012, M.GLASS).turned("y", 90).at(0.112, 0.0, 0.13),
        bar((-0.05, 0.06, 0.19), (-0.05, 0.06, 0.33), 0.006, M.BLACK),
    ]
    for x in (-0.06, 0.06):
        for y in (-0.07, 0.07):
            parts.append(bar((x, y, 0.06), (x * 1.8, y * 1.8, 0.0), 0.010, M.METAL))
            parts.append(cylinder(0.025, 0.012, M.METAL).at(x * 1.8, y * 1.8, 0.006))
    return join(*parts)


def rover_mesh(joints: Joints = Joints()) -> Mesh:
    """The rover in its own frame."""
    head = _head()
    if joints.mast:
        at = translation(MAST_FOOT[0], MAST_FOOT[1], HEAD) @ rotation("z", -joints.pan) @ rotation("y", -joints.tilt)
    else:
        at = translation(-0.46, MAST_FOOT[1], DECK + 0.14)
    parts = [
        _body(joints.mast),
        _wings(joints.wings),
        head.placed(at),
        _suspension(1, joints.rocker_left, joints.roll[:3]),
        _suspension(-1, joints.rocker_right, joints.roll[3:]),
    ]
    if joints.remote:
        parts.append(remote_mesh().turned("z", 180.0).at(REMOTE_BAY[0], REMOTE_BAY[1], REMOTE_BAY[2] - 0.06))
    return join(*parts)


def camera_pose(joints: Joints, left: bool) -> np.ndarray:
    """4 × 4 of one mast camera in the rover's frame: x forward (line of sight), y left, z up."""
    y = BASELINE / 2 if left else -BASELINE / 2
    return (
        translation(MAST_FOOT[0], MAST_FOOT[1], HEAD)
        @ rotation("z", -joints.pan)
        @ rotation("y", -joints.tilt)
        @ translation(CAMERA_FORWARD + 0.035, y, 0.02)
    )


def hazard_pose(left: bool, tilt: float = -28.0) -> np.ndarray:
    """4 × 4 of one front hazard camera in the rover's frame."""
    return translation(HAZARD[0], 0.09 if left else -0.09, HAZARD[2]) @ rotation("y", -tilt)
