"""Ray tracing: bodies on the ground under the sky, as linear radiance.

Two Embree scenes: the land around an anchor (a polar mesh, finer in the direction of view, and stones), built when the
camera has moved; and the bodies, rebuilt when one of them moved. Rays carry no colour: `shade` finds it where they end.

One frame: primary rays, one ray towards the Sun's disc each, a few rays into the open sky near bodies, then four more
per pixel where neighbouring pixels differ (edges, stones, solar cells).
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from rovercam_hil.world import materials, rocks
from rovercam_hil.world.light import SUN_RADIUS, Light
from rovercam_hil.world.mesh import Mesh, join
from rovercam_hil.world.shade import BODY, GROUND, SKY, STONE, shade, smooth_like
from rovercam_hil.world.terrain import Terrain
from rovercam_hil.world.tracks import Tracks

FAR = 2500.0
_GROUND_ALBEDO = np.array([0.24, 0.138, 0.080])
_ANCHOR_STEP = 0.25  # m: a camera moving less keeps the land mesh


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 4), thread_name_prefix="rays")


@dataclass
class Hits:
    """What n rays met; columns as `shade` takes them."""

    kind: np.ndarray
    distance: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    uvw: np.ndarray
    material: np.ndarray
    tone: np.ndarray
    body: np.ndarray
    """Index of the body hit, -1 otherwise."""


@dataclass
class _Land:
    anchor: np.ndarray
    scene: object
    stone_tone: np.ndarray
    key: tuple


@dataclass
class Frame:
    """Result of `Renderer.frame`."""

    radiance: np.ndarray
    """(H, W, 3) linear."""
    kind: np.ndarray
    """(H, W): 0 sky, 1 ground, 2 stone, 3 body."""
    body: np.ndarray
    """(H, W): name index of the body seen, -1 none."""
    distance: np.ndarray
    """(H, W) metres."""
    names: list[str] = field(default_factory=list)


class Renderer:
    """Ray tracer for one terrain. Bodies are given by name; a body's mesh is in world metres."""

    def __init__(self, terrain: Terrain, tracks: Tracks) -> None:
        self.terrain = terrain
        self.tracks = tracks
        self._bodies: dict[str, Mesh] = {}
        self._body_scene: object | None = None
        self._body_mesh: Mesh | None = None
        self._body_of: np.ndarray = np.zeros(0, np.int32)
        self._lands: list[_Land] = []
        self._body_anchor = np.zeros(3)
        self._tracks_cache: tuple | None = None

    # -- scenes ------------------------------------------------------------------------------------------------------

    def set_body(self, name: str, mesh: Mesh | None) -> None:
        """Put, move or (None) take away a body."""
        if mesh is None:
            self._bodies.pop(name, None)
        else:
            self._bodies[name] = mesh
        self._body_scene = None

    @property
    def names(self) -> list[str]:
        return list(self._bodies)

    def _bodies_ready(self) -> None:
        if self._body_scene is not None:
            return
        if not self._bodies:
            self._body_mesh = None
            return
        mesh = join(*self._bodies.values())
        self._body_of = np.concatenate([np.full(len(m), i, np.int32) for i, m in enumerate(self._bodies.values())])
        flat = mesh.corners.reshape(-1, 3)
        self._body_anchor = np.round((flat.min(axis=0) + flat.max(axis=0)) / 2)
        scene = rtcore_scene.EmbreeScene()
        TriangleMesh(scene, np.ascontiguousarray(mesh.corners - self._body_anchor, dtype=np.float32))
        scene.run(
            np.zeros((1, 3), np.float32), np.array([[0, 0, 1]], np.float32)
        )  # builds now, not in two threads at once
        self._body_mesh, self._body_scene = mesh, scene

    def _land(self, eye: np.ndarray, heading: float, half_angle: float) -> _Land:
        """The land around the eye, fine within `half_angle` of `heading` (radians from east)."""
        for land in self._lands:
            seen = land.key[1]
            covered = half_angle + abs(math.remainder(heading - land.key[0], 2 * math.pi)) <= seen + 1e-6
            if covered and math.dist(land.anchor[:2], eye[:2]) < _ANCHOR_STEP:
                return land
        x, y = float(eye[0]), float(eye[1])
        anchor = np.array([x, y, self.terrain.at(x, y)])
        wide = min(half_angle + 0.12, math.pi)
        if any(math.dist(land.anchor[:2], eye[:2]) < _ANCHOR_STEP for land in self._lands):
            wide = math.pi  # the second look from one place: somebody is turning round, so the whole circle pays
        vertices, faces = _polar_mesh(self.terrain, x, y, heading, wide)
        scene = rtcore_scene.EmbreeScene()
        TriangleMesh(scene, np.ascontiguousarray(vertices - anchor, dtype=np.float32), faces)
        stones, tones = rocks.mesh_near(self.terrain, x, y, heading, wide)
        if len(stones):
            TriangleMesh(scene, np.ascontiguousarray(stones - anchor, dtype=np.float32))
        land = _Land(anchor, scene, tones, (heading, wide))
        self._lands = [*self._lands[-2:], land]
        return land

    # -- rays --------------------------------------------------------------------------------------------------------

    def _trace(self, land: _Land, origin: np.ndarray, directions: np.ndarray) -> Hits:
        n = len(directions)
        d32 = np.ascontiguousarray(directions, dtype=np.float32)
        o32 = np.broadcast_to((origin - land.anchor).astype(np.float32), (n, 3)).copy()
        hit = land.scene.run(o32, d32, output=True)  # type: ignore[attr-defined]
        found = hit["primID"] >= 0
        t = np.where(found, hit["tfar"], np.inf).astype(np.float64)
        kind = np.where(found, np.where(hit["geomID"] == 0, GROUND, STONE), SKY).astype(np.uint8)
        normal = hit["Ng"].astype(np.float64)
        tone = np.zeros(n)
        stone = kind == STONE
        tone[stone] = land.stone_tone[hit["primID"][stone]]
        uvw = np.zeros((n, 3))
        material = np.zeros(n, np.uint8)
        body = np.full(n, -1, np.int32)
        if self._body_mesh is not None:
            o32 = np.broadcast_to((origin - self._body_anchor).astype(np.float32), (n, 3)).copy()
            hit = self._body_scene.run(o32, d32, output=True)  # type: ignore[union-attr,attr-defined]
            near = (hit["primID"] >= 0) & (hit["tfar"] < t)
            k = hit["primID"][near]
            t[near] = hit["tfar"][near]
            kind[near] = BODY
            body[near] = self._body_of[k]
            material[near] = self._body_mesh.material[k]
            u, v = hit["u"][near][:, None], hit["v"][near][:, None]
            for source, target in ((self._body_mesh.normals, normal), (self._body_mesh.uvw, uvw)):
                c = source[k]
                target[near] = c[:, 0] * (1 - u - v) + c[:, 1] * u + c[:, 2] * v
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        normal /= np.where(length > 0, length, 1.0)
        away = (normal * directions).sum(axis=1) > 0
        normal[away] *= -1
        finite = np.where(np.isfinite(t), t, 0.0)
        return Hits(kind, finite, origin + directions * finite[:, None], normal, uvw, material, tone, body)

    def _free(self, land: _Land, points: np.ndarray, directions: np.ndarray, limit: float | None = None) -> np.ndarray:
        """1 where nothing stands between a point and the sky in its direction, else 0."""
        d32 = np.ascontiguousarray(directions, dtype=np.float32)
        dists = None if limit is None else np.full(len(points), limit, np.float32)
        p32 = np.ascontiguousarray(points - land.anchor, dtype=np.float32)
        free = land.scene.run(p32, d32, dists, query="OCCLUDED") == -1  # type: ignore[attr-defined]
        if self._body_mesh is not None:
            p32 = np.ascontiguousarray(points - self._body_anchor, dtype=np.float32)
            blocked = self._body_scene.run(p32, d32, dists, query="OCCLUDED") != -1  # type: ignore[union-attr,attr-defined]
            free &= ~blocked
        return free.astype(np.float64)

    def _sunlit(self, land: _Land, hits: Hits, light: Light, rng: np.random.Generator) -> np.ndarray:
        lit = np.zeros(len(hits.kind))
        facing = (hits.kind != SKY) & ((hits.kind == GROUND) | (hits.normal @ light.sun > -0.2))
        if not light.day or not facing.any():
            return lit
        p, n = hits.point[facing], hits.normal[facing]
        eps = 1e-3 + 4e-4 * hits.distance[facing]
        # A jittered point of the Sun's disc: penumbras are soft, and averaged by the finer samples at edges.
        towards = light.sun + rng.normal(0.0, SUN_RADIUS * 0.55, (len(p), 3))
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        lift = np.where((hits.kind[facing] == GROUND)[:, None], [[0.0, 0.0, 1.0]], n)
        lit[facing] = self._free(land, p + lift * eps[:, None], towards)
        return lit

    def _trace_lit(
        self, land: _Land, origin: np.ndarray, directions: np.ndarray, light: Light, seed: list[int]
    ) -> tuple[Hits, np.ndarray]:
        """`_trace` and `_sunlit` of many rays, in slices on all cores (Embree and NumPy let go of the interpreter lock)."""

        def one(k: int) -> tuple[Hits, np.ndarray]:
            hits = self._trace(land, origin, slices[k])
            return hits, self._sunlit(land, hits, light, np.random.default_rng([*seed, k]))

        # A fixed number of slices: the same picture from the same seed whatever the number of cores.
        slices = np.array_split(directions, 4)
        land.scene.run(np.zeros((1, 3), np.float32), np.array([[0, 0, 1]], np.float32))  # type: ignore[attr-defined]  # builds, once
        done = list(_pool().map(one, range(4)))
        hits = Hits(*(np.concatenate([getattr(h, f) for h, _ in done]) for f in Hits.__dataclass_fields__))
        return hits, np.concatenate([lit for _, lit in done])

    def _open_sky(
        self, land: _Land, hits: Hits, shape: tuple[int, int], rng: np.random.Generator, rays: int = 3
    ) -> np.ndarray:
        """Share of the sky seen, by `rays` cosine-spread rays, where bodies are near; stones and ground else 1."""
        ao = np.ones(len(hits.kind))
        if self._body_mesh is None:
            return ao
        lo, hi = self._body_mesh.bounds
        near = np.zeros(len(ao), bool)
        for mesh in self._bodies.values():
            lo, hi = mesh.bounds
            near |= ((hits.point > lo - 0.8) & (hits.point < hi + 0.8)).all(axis=1)
        near &= hits.kind != SKY
        h, w = shape
        # One pixel in four is sampled, the rest take their neighbours' mean.
        every = np.zeros(shape, bool)
        every[::2, ::2] = True
        wanted = near
        near = near & every.ravel()
        if not near.any():
            return ao
        p = hits.point[near]
        up = np.where((hits.kind[near] == GROUND)[:, None], [[0.0, 0.0, 1.0]], hits.normal[near])
        p = p + up * (2e-3 + 4e-4 * hits.distance[near])[:, None]
        total = np.zeros(len(p))
        for _ in range(rays):
            v = rng.normal(size=(len(p), 3))
            v /= np.linalg.norm(v, axis=1, keepdims=True)
            v = v * 0.98 + up  # a point on the sphere touching the surface: cosine spread
            v /= np.linalg.norm(v, axis=1, keepdims=True)
            v[:, 2] = np.where(v[:, 2] < 0.02, np.abs(v[:, 2]) + 0.02, v[:, 2])
            total += self._free(land, p, v, 6.0)
        ao[wanted] = -1.0
        ao[near] = total / rays
        n = hits.normal.reshape(h, w, 3)
        return smooth_like(
            ao.reshape(h, w), hits.kind.reshape(h, w), hits.distance.reshape(h, w) + 1e-6,
            np.ascontiguousarray(n[:, :, 0]), np.ascontiguousarray(n[:, :, 1]), np.ascontiguousarray(n[:, :, 2]), 4,
        ).ravel()  # fmt: skip

    def _track_windows(self, eye: np.ndarray) -> tuple:
        x, y = float(eye[0]), float(eye[1])
        key = self._tracks_cache
        if key is None or key[0] != self.tracks.version or math.hypot(x - key[1], y - key[2]) > 2.0:
            deep, turned, x0, y0 = self.tracks.window(x, y, 16.0)
            near = np.stack([deep.astype(np.float32), turned.astype(np.float32)])
            far, fx, fy = self.tracks.coarse(x, y, 120.0, 0.12)
            self._tracks_cache = (self.tracks.version, x, y, near, x0, y0, far, fx, fy)
        return self._tracks_cache[3:]  # type: ignore[index]

    def _shade(self, hits: Hits, directions: np.ndarray, lit: np.ndarray, ao: np.ndarray, light: Light, pixel: float,
               eye: np.ndarray) -> np.ndarray:  # fmt: skip
        out = np.empty((len(hits.kind), 3))
        t = self.terrain
        near, nx0, ny0, far, fx, fy = self._track_windows(eye)
        glow = _GROUND_ALBEDO * (light.direct * max(light.sun[2], 0.0) + light.diffuse)
        c = [np.ascontiguousarray(a[:, i]) for a in (hits.point, directions, hits.normal, hits.uvw) for i in range(3)]
        shade(  # type: ignore[call-arg]  # numba gives a compiled function the wrong signature
            out, hits.kind, *c[:6], hits.distance, *c[6:12], hits.material, hits.tone, lit, ao, pixel, light.sun,
            light.direct, light.diffuse, light.sky_scale, light.tau, glow, t.seed, t.craters, t.dunes, t._starts,
            t._members, t._cells, near, nx0, ny0, far, fx, fy, 0.12, materials.table(), materials.flag_picture(),
        )  # fmt: skip
        return out

    def frame(self, eye: np.ndarray, rays: np.ndarray, light: Light, pixel: float, *, finer: np.ndarray | None = None,
              seed: int = 0) -> Frame:  # fmt: skip
        """Trace one picture.

        `rays`: unit directions (H, W, 3) in the world; `finer`: (4, H, W, 3), the same for four points within each pixel;
        `pixel`: angle of a pixel in radians; `seed` for the jitter of soft shadows.
        """
        h, w = rays.shape[:2]
        rng = np.random.default_rng([seed, 0x5AD])
        self._bodies_ready()
        flat = rays.reshape(-1, 3)
        middle = rays[h // 2, w // 2]
        heading = math.atan2(middle[1], middle[0])
        down = flat[flat[:, 2] < 0.1]
        spread = math.pi
        if len(down) and middle[2] > -0.8:
            bearings = np.arctan2(down[:, 1], down[:, 0]) - heading
            spread = float(np.abs(np.arctan2(np.sin(bearings), np.cos(bearings))).max())
        land = self._land(eye, heading, spread)
        hits, lit = self._trace_lit(land, eye, flat, light, [seed, 1])
        ao = self._open_sky(land, hits, (h, w), rng)
        radiance = self._shade(hits, flat, lit, ao, light, pixel, eye).reshape(h, w, 3)
        kind, body = hits.kind.reshape(h, w), hits.body.reshape(h, w)
        if finer is not None:
            rough = _edges(radiance, kind, body)
            index = np.flatnonzero(rough)
            if len(index):
                d = np.concatenate([finer[k].reshape(-1, 3)[index] for k in range(4)])
                part, part_lit = self._trace_lit(land, eye, d, light, [seed, 2])
                fine = self._shade(part, d, part_lit, np.tile(ao[index], 4), light, pixel * 0.5, eye)
                radiance.reshape(-1, 3)[index] = np.minimum(fine, 8.0).reshape(4, -1, 3).mean(axis=0)
        return Frame(radiance, kind, body, hits.distance.reshape(h, w), self.names)


def _edges(radiance: np.ndarray, kind: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Pixels that differ from a neighbour in kind, body or brightness (relative; plain ground may differ more)."""
    luma = np.log(radiance[:, :, 1] + 1e-9)
    limit = np.where(kind == GROUND, 0.36, 0.12)
    surface = kind.astype(np.int32) * 64 + body
    out = np.zeros(kind.shape, bool)
    for axis in (0, 1):
        a = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        b = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        step = (np.abs(luma[a] - luma[b]) > limit[a]) | (surface[a] != surface[b])
        out[a] |= step
        out[b] |= step
    return out


def _polar_mesh(terrain: Terrain, x: float, y: float, heading: float, half: float) -> tuple[np.ndarray, np.ndarray]:
    """Rings around (x, y), 3 % apart; 0.36 degrees in azimuth (0.5 for the whole circle) within the view, 4 degrees elsewhere."""
    fine = np.arange(-half, half + 1e-9, math.radians(0.36 if half < 2.0 else 0.5))
    rest = 2 * math.pi - 2 * half
    coarse = np.linspace(half, half + rest, max(int(rest / math.radians(4.0)), 2))[1:-1] if rest > 0.02 else np.zeros(0)
    a = heading + np.concatenate([fine, coarse])
    r = np.geomspace(0.15, FAR, 320)
    gx, gy = x + r[:, None] * np.cos(a), y + r[:, None] * np.sin(a)
    z = terrain.height(gx, gy)
    # The planet curves away: 0.9 m at 2.5 km.
    z = z - (r**2 / (2 * 3.39e6))[:, None]
    vertices = np.stack([gx, gy, z], axis=-1).reshape(-1, 3)
    centre = np.array([[x, y, terrain.at(x, y)]])
    m, n = len(r), len(a)
    i = np.arange(m * n).reshape(m, n)
    nxt = np.roll(i, -1, axis=1)
    faces = np.concatenate(
        [
            np.stack([i[:-1], i[1:], nxt[1:]], axis=-1).reshape(-1, 3),
            np.stack([i[:-1], nxt[1:], nxt[:-1]], axis=-1).reshape(-1, 3),
            np.stack([np.full(n, m * n), i[0], nxt[0]], axis=-1),
        ]
    )
    return np.concatenate([vertices, centre]), faces.astype(np.int32)
