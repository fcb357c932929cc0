"""Triangle soups of bodies: primitives, placing, joining. Metres; right-handed; z up in every part's own frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rovercam_hil.world.materials import Material


@dataclass(frozen=True)
class Mesh:
    """`corners` (n, 3, 3) with `normals` and part coordinates `uvw` of the same shape, and `material` (n,)."""

    corners: np.ndarray
    normals: np.ndarray
    uvw: np.ndarray
    material: np.ndarray

    def __len__(self) -> int:
        return len(self.material)

    def placed(self, matrix: np.ndarray) -> Mesh:
        """Moved by a 4 × 4 rigid matrix; part coordinates stay, so that textures move along."""
        r = matrix[:3, :3]
        return Mesh(self.corners @ r.T + matrix[:3, 3], self.normals @ r.T, self.uvw, self.material)

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        return self.placed(translation(x, y, z))

    def turned(self, axis: str, degrees: float) -> Mesh:
        return self.placed(rotation(axis, degrees))

    def scaled(self, x: float, y: float, z: float) -> Mesh:
        s = np.array([x, y, z])
        n = self.normals / s
        n /= np.linalg.norm(n, axis=2, keepdims=True)
        corners = self.corners * s
        if x * y * z < 0:  # a mirror image turns triangles inside out
            return Mesh(corners[:, ::-1], n[:, ::-1], (self.uvw * s)[:, ::-1], self.material)
        return Mesh(corners, n, self.uvw * s, self.material)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        flat = self.corners.reshape(-1, 3)
        return flat.min(axis=0), flat.max(axis=0)


def translation(x: float, y: float, z: float) -> np.ndarray:
    m = np.eye(4)
    m[:3, 3] = (x, y, z)
    return m


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Right-handed turn about an axis of the frame."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    m = np.eye(4)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    m[i, i], m[i, j], m[j, i], m[j, j] = c, -s, s, c
    return m


def join(*meshes: Mesh) -> Mesh:
    return Mesh(
        np.concatenate([m.corners for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.uvw for m in meshes]),
        np.concatenate([m.material for m in meshes]),
    )


def soup(corners: np.ndarray, material: Material, normals: np.ndarray | None = None) -> Mesh:
    """From triangles; flat normals unless given."""
    corners = np.asarray(corners, dtype=float).reshape(-1, 3, 3)
    if normals is None:
        n = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        n /= np.linalg.norm(n, axis=1, keepdims=True) + 1e-12
        normals = np.repeat(n[:, None, :], 3, axis=1)
    return Mesh(corners, normals, corners.copy(), np.full(len(corners), int(material), np.uint8))


def quad(a, b, c, d, material: Material) -> Mesh:  # type: ignore[no-untyped-def]
    return soup(np.array([[a, b, c], [a, c, d]]), material)


def box(sx: float, sy: float, sz: float, material: Material, taper: float = 1.0) -> Mesh:
    """Centred box; `taper` scales the top face."""
    x, y, z = sx / 2, sy / 2, sz / 2
    lo = np.array([[-x, -y, -z], [x, -y, -z], [x, y, -z], [-x, y, -z]])
    hi = lo * [taper, taper, -1]
    faces = [quad(lo[3], lo[2], lo[1], lo[0], material), quad(hi[0], hi[1], hi[2], hi[3], material)]
    for i in range(4):
        j = (i + 1) % 4
        faces.append(quad(lo[i], lo[j], hi[j], hi[i], material))
    return join(*faces)


def lathe(profile: list[tuple[float, float]], material: Material, segments: int = 24, smooth: bool = True) -> Mesh:
    """Turned about z: `profile` is (radius, z) from bottom to top, outside to the right of its direction."""
    a = np.linspace(0, 2 * math.pi, segments + 1)
    ring = np.column_stack([np.cos(a), np.sin(a), np.zeros_like(a)])
    corners, normals = [], []
    for (r0, z0), (r1, z1) in pairwise(profile):
        n2 = np.array([z1 - z0, r0 - r1], dtype=float)
        n2 /= np.linalg.norm(n2) + 1e-12
        for i in range(segments):
            p, q = ring[i], ring[i + 1]
            mid = (p + q) / np.linalg.norm(p + q)
            np_, nq = (p, q) if smooth else (mid, mid)
            n_p = np.array([np_[0] * n2[0], np_[1] * n2[0], n2[1]])
            n_q = np.array([nq[0] * n2[0], nq[1] * n2[0], n2[1]])
            a0, b0 = p * r0 + [0, 0, z0], q * r0 + [0, 0, z0]
            a1, b1 = p * r1 + [0, 0, z1], q * r1 + [0, 0, z1]
            if r0 > 1e-9:
                corners.append([a0, b0, b1])
                normals.append([n_p, n_q, n_q])
            if r1 > 1e-9:
                corners.append([a0, b1, a1])
                normals.append([n_p, n_q, n_p])
    return soup(np.array(corners), material, np.array(normals))


def cylinder(radius: float, length: float, material: Material, segments: int = 20, top: float | None = None) -> Mesh:
    """Centred, along z, with caps; `top` is the upper radius."""
    t = radius if top is None else top
    h = length / 2
    return lathe([(0, -h), (radius, -h), (t, h), (0, h)], material, segments)


def bar(
    a: tuple[float, float, float], b: tuple[float, float, float], radius: float, material: Material, segments: int = 10
) -> Mesh:
    """Round bar from point to point."""
    p, q = np.array(a, dtype=float), np.array(b, dtype=float)
    return cylinder(radius, float(np.linalg.norm(q - p)), material, segments).placed(_along(p, q))


def beam(
    a: tuple[float, float, float], b: tuple[float, float, float], width: float, height: float, material: Material
) -> Mesh:
    """Square bar from point to point."""
    p, q = np.array(a, dtype=float), np.array(b, dtype=float)
    return box(width, height, float(np.linalg.norm(q - p)), material).placed(_along(p, q))


def _along(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    w = (q - p) / np.linalg.norm(q - p)
    up = np.array([0.0, 0.0, 1.0]) if abs(w[2]) < 0.95 else np.array([0.0, 1.0, 0.0])
    u = np.cross(up, w)
    u /= np.linalg.norm(u)
    m = np.eye(4)
    m[:3, 0], m[:3, 1], m[:3, 2], m[:3, 3] = u, np.cross(w, u), w, (p + q) / 2
    return m


def sphere(radius: float, material: Material, segments: int = 18, bottom: float = -90, top: float = 90) -> Mesh:
    angles = np.radians(np.linspace(bottom, top, max(segments // 2, 3)))
    return lathe([(radius * math.cos(a), radius * math.sin(a)) for a in angles], material, segments)


def plate(outline: np.ndarray, thickness: float, upper: Material, lower: Material, rim: Material) -> Mesh:
    """Flat plate from a closed outline (n, 2), counter-clockwise, star-shaped about its mean; top at z = 0."""
    outline = np.asarray(outline, dtype=float)
    n = len(outline)
    centre = outline.mean(axis=0)
    top, bottom, side = [], [], []
    for i in range(n):
        p, q = outline[i], outline[(i + 1) % n]
        top.append([[*centre, 0], [*p, 0], [*q, 0]])
        bottom.append([[*centre, -thickness], [*q, -thickness], [*p, -thickness]])
        side += [
            [[*p, 0], [*p, -thickness], [*q, -thickness]],
            [[*p, 0], [*q, -thickness], [*q, 0]],
        ]
    return join(soup(np.array(top), upper), soup(np.array(bottom), lower), soup(np.array(side), rim))
