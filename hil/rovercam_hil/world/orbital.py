"""The same world seen from orbit: push-broom style pictures of the site at 0.3 m per pixel.

One pass has a viewing direction (the orbiter rolls to see the site), its own pointing error (the frame is shifted, a
little rotated and scaled), the Sun of its time, haze in the air, the telescope's blur and noise. Red band, 8 bits,
north up, first row north.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from rovercam_hil.world import materials, rocks
from rovercam_hil.world.light import direction
from rovercam_hil.world.mesh import join
from rovercam_hil.world.shade import BODY, GROUND, STONE, shade
from rovercam_hil.world.world import World

SCALE = 0.3
"""Metres per pixel."""


@dataclass(frozen=True)
class Pass:
    """Geometry of one picture from orbit."""

    time: float
    """POSIX time."""
    off_nadir: float = 6.0
    """Degrees from straight down."""
    look_azimuth: float = 265.0
    """Degrees from north over east the orbiter stands in, seen from the site."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Pointing error in metres east and north."""
    rotation: float = 0.0
    """Degrees the frame is turned."""
    stretch: float = 1.0
    """Scale error."""


def usual_pass(time: float, seed: int) -> Pass:
    """A pass with the errors of map-projected pictures that have not been tied to each other yet."""
    rng = np.random.default_rng([seed, int(time) & 0x7FFFFFFF, 0x0B17])
    return Pass(
        time=time,
        off_nadir=float(rng.uniform(2.0, 12.0)),
        look_azimuth=float(rng.choice([85.0, 265.0]) + rng.normal(0, 4)),
        shift=(float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3))),
        rotation=float(rng.normal(0, 0.15)),
        stretch=float(1 + rng.normal(0, 0.0008)),
    )


def view(world: World, geometry: Pass, size: int = 400, *, centre: tuple[float, float] = (0.0, -10.0), scale: float = SCALE,
         seed: int = 0, oversample: int = 3, blur: float = 0.55, snr: float = 110.0) -> np.ndarray:  # fmt: skip
    """Picture (size, size) uint8 of the site around `centre`, with the bodies where the world has them.

    `blur` is the telescope's and scanning's spread in pixels (standard deviation), `snr` the signal-to-noise ratio.
    """
    from scipy.ndimage import gaussian_filter

    n = size * oversample
    step = scale * geometry.stretch / oversample
    grid = (np.arange(n) + 0.5 - n / 2) * step
    gx, gy = np.meshgrid(grid, -grid)
    a = math.radians(geometry.rotation)
    x = (centre[0] + geometry.shift[0] + gx * math.cos(a) - gy * math.sin(a)).ravel()
    y = (centre[1] + geometry.shift[1] + gx * math.sin(a) + gy * math.cos(a)).ravel()
    eye = direction(geometry.look_azimuth, 90.0 - geometry.off_nadir)
    # The ground under a line of sight: where it meets z = 0, moved by the relief.
    z = world.terrain.height(x, y)
    for _ in range(2):
        z = world.terrain.height(x + eye[0] / eye[2] * z, y + eye[1] / eye[2] * z)
    points = np.column_stack([x + eye[0] / eye[2] * z, y + eye[1] / eye[2] * z, z])

    light = world.light(geometry.time)
    objects = _Objects(world, centre, 0.75 * size * scale)
    kind, normal, uvw, material, tone, points = objects.look(points, eye)
    lit = objects.sunlit(points, normal, light.sun) if light.day else np.zeros(len(points))
    look = np.broadcast_to(-eye, points.shape)
    out = np.empty((len(points), 3))
    t = world.terrain
    tracks, tx, ty = world.tracks.coarse(centre[0], centre[1], 0.75 * size * scale, 0.1)
    glow = np.array([0.24, 0.138, 0.080]) * (light.direct * max(light.sun[2], 0.0) + light.diffuse)
    columns = [np.ascontiguousarray(c[:, i]) for c in (points, look, normal, uvw) for i in range(3)]
    empty = np.zeros((2, 2, 2), np.float32)
    shade(  # type: ignore[call-arg]  # numba gives a compiled function the wrong signature
        out, kind, *columns[:6], np.full(len(points), 1000.0), *columns[6:12], material, tone, lit, np.ones(len(points)),
        step / 1000.0, light.sun, light.direct, light.diffuse, light.sky_scale, 1e-3, glow, t.seed, t.craters, t.dunes,
        t._starts, t._members, t._cells, empty, 1e9, 1e9, tracks, tx, ty, 0.1, materials.table(), materials.flag_picture(),
    )  # fmt: skip
    red = np.minimum(out[:, 0], 3.0).reshape(size, oversample, size, oversample).mean(axis=(1, 3))
    # Light scattered by the dust between ground and orbit veils the contrast.
    clear = math.exp(-0.7 * world.tau)
    red = red * clear + (1 - clear) * 0.3 * float(np.median(red))
    red = gaussian_filter(red, blur)
    rng = np.random.default_rng([world.seed, seed, int(geometry.time) & 0x7FFFFFFF, 0x5EE])
    level = float(np.median(red))
    red = red + rng.normal(0, 1, red.shape) * np.sqrt(np.maximum(red, 0) * level) / snr
    return np.clip(red / level * 105.0, 0, 255).astype(np.uint8)


class _Objects:
    """Bodies and the larger stones as one ray-traced scene."""

    def __init__(self, world: World, centre: tuple[float, float], reach: float) -> None:
        world.renderer._bodies_ready()
        bodies = join(*world.renderer._bodies.values())
        stones, tones = _stones(world, centre, reach)
        self.bodies, self.tones = bodies, tones
        self.scene = rtcore_scene.EmbreeScene()
        TriangleMesh(self.scene, np.ascontiguousarray(bodies.corners, dtype=np.float32))
        if len(stones):
            TriangleMesh(self.scene, np.ascontiguousarray(stones, dtype=np.float32))

    def look(self, ground: np.ndarray, eye: np.ndarray):  # type: ignore[no-untyped-def]
        n = len(ground)
        start = np.ascontiguousarray(ground + eye * 20.0, dtype=np.float32)
        down = np.tile((-eye).astype(np.float32), (n, 1))
        hit = self.scene.run(start, down, output=True)
        found = (hit["primID"] >= 0) & (hit["tfar"] < 20.0)
        kind = np.where(found, np.where(hit["geomID"] == 0, BODY, STONE), GROUND).astype(np.uint8)
        normal = np.tile([0.0, 0.0, 1.0], (n, 1))
        uvw, material, tone = np.zeros((n, 3)), np.zeros(n, np.uint8), np.zeros(n)
        points = ground.copy()
        points[found] = start[found] - eye * hit["tfar"][found][:, None]
        g = hit["Ng"][found].astype(float)
        g /= np.linalg.norm(g, axis=1, keepdims=True) + 1e-12
        g[(g @ eye) < 0] *= -1
        normal[found] = g
        body, stone = kind == BODY, kind == STONE
        k = hit["primID"][body]
        u, v = hit["u"][body][:, None], hit["v"][body][:, None]
        c = self.bodies.uvw[k]
        uvw[body] = c[:, 0] * (1 - u - v) + c[:, 1] * u + c[:, 2] * v
        material[body] = self.bodies.material[k]
        tone[stone] = self.tones[hit["primID"][stone]]
        return kind, normal, uvw, material, tone, points

    def sunlit(self, points: np.ndarray, normal: np.ndarray, sun: np.ndarray) -> np.ndarray:
        p = np.ascontiguousarray(points + normal * 0.01, dtype=np.float32)
        d = np.tile(sun.astype(np.float32), (len(p), 1))
        return (self.scene.run(p, d, query="OCCLUDED") == -1).astype(float)


def _stones(world: World, centre: tuple[float, float], reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of stones over 0.2 m within `reach` of the centre."""
    return rocks.mesh_of(
        world.terrain,
        np.concatenate(
            [
                rocks.stones_near(world.terrain.seed, *centre, k, reach)
                for k, c in enumerate(rocks.CLASSES)
                if c[0] >= 0.2
            ]
        ),
        20,
    )
