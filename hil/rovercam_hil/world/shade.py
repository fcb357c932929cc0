"""What a ray sees where it ends: one compiled kernel for sky, ground, stones and bodies.

Relief finer than the meshes (grains, pebbles with their shadows, small ripples, cleat marks) is made here, as normals and
albedo, and fades out where it would be smaller than a pixel.
"""

# ruff: noqa: RUF046  (compiled code: the casts to int set the integer type)
from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from rovercam_hil.world.light import sky_colour
from rovercam_hil.world.noise import gradient_noise, hash2
from rovercam_hil.world.terrain import ground

SKY, GROUND, STONE, BODY = 0, 1, 2, 3


@njit(inline="always")
def _fade(wavelength, footprint):
    """1 where `wavelength` is well resolved, 0 below two pixels."""
    return min(max(wavelength / footprint * 0.5 - 1.0, 0.0), 1.0)


@njit(cache=True)
def _pebbles(x, y, cell, chance, sun_x, sun_y, sun_slope, seed):
    """A sparse layer of pebbles on a jittered grid: (kind 0 none / 1 stone / 2 shadow, normal x, normal y, tone)."""
    shadow = 0
    i0, j0 = int(math.floor(x / cell)), int(math.floor(y / cell))
    for j in range(j0 - 1, j0 + 2):
        for i in range(i0 - 1, i0 + 2):
            h = hash2(i, j, seed)
            if (h & 0xFF) > chance:
                continue
            px = (i + 0.25 + 0.5 * ((h >> 8) & 0xFF) / 255.0) * cell
            py = (j + 0.25 + 0.5 * ((h >> 16) & 0xFF) / 255.0) * cell
            radius = cell * (0.12 + 0.30 * ((h >> 24) & 0xFF) / 255.0)
            dx, dy = (x - px) / radius, (y - py) / radius
            # Not round: squeezed along a hashed direction.
            a = (h & 0x3F) * 0.1
            c, s = math.cos(a), math.sin(a)
            u, v = dx * c + dy * s, (-dx * s + dy * c) * 1.45
            r2 = u * u + v * v
            if r2 < 1.0:
                k = 0.9 / (0.45 + math.sqrt(1.0 - r2))
                return 1, dx * k, dy * k, ((h >> 10) & 0xFF) / 255.0
            # The pebble is 0.5 radius high; its shadow reaches away from the Sun by height / slope.
            reach = 0.5 * radius * sun_slope
            t = -((x - px) * sun_x + (y - py) * sun_y)
            if 0.0 < t < reach + radius:
                ox, oy = x - px + sun_x * t, y - py + sun_y * t
                if ox * ox + oy * oy < (0.7 * radius) ** 2 * (1.0 - t / (reach + radius)):
                    shadow = 2
    return shadow, 0.0, 0.0, 0.0


@njit(cache=True)
def _ground(x, y, footprint, sun, seed, craters, dunes, starts, members, cells, near, near_x, near_y, far, far_x, far_y,
            far_cell, steep):  # fmt: skip
    """(normal x, y, z, albedo r, g, b, extra shadow 0 … 1) of the ground at (x, y)."""
    e = max(0.02, 0.5 * footprint)
    z0, dune = ground(x, y, seed, craters, dunes, starts, members, cells)
    zx, _ = ground(x + e, y, seed, craters, dunes, starts, members, cells)
    zy, _ = ground(x, y + e, seed, craters, dunes, starts, members, cells)
    gx, gy = (zx - z0) / e, (zy - z0) / e

    # Small wind ripples in patches, 14 cm apart, stronger on dunes.
    patch, _, _ = gradient_noise(x * 0.35, y * 0.35, seed + 40)
    cover = min(max(patch * 1.8 + 0.1 + dune, 0.0), 1.0)
    f = _fade(0.14, footprint) * cover
    if f > 0.0:
        bend, _, _ = gradient_noise(x * 0.9, y * 0.9, seed + 41)
        slope = 0.075 * f * math.cos((0.78 * x + 0.62 * y) * 44.0 + 4.5 * bend)
        gx += slope * 0.78
        gy += slope * 0.62
    # Grains and clods: octaves of constant slope.
    tone = 0.0
    wavelength = 0.36
    for k in range(7):
        f = _fade(wavelength, footprint)
        if f <= 0.0:
            break
        n, nx, ny = gradient_noise(x / wavelength + 3.1 * k, y / wavelength, seed + 50 + k)
        weight = f * (0.055 + 0.012 * k)
        gx += weight * nx
        gy += weight * ny
        tone += 0.05 * f * n
        wavelength *= 0.5

    # Dust of varying thickness: brightness and redness wander over metres to hundreds of metres.
    n1, _, _ = gradient_noise(x * 0.004, y * 0.004, seed + 60)
    n2, _, _ = gradient_noise(x * 0.03, y * 0.03, seed + 61)
    n3, _, _ = gradient_noise(x * 0.25, y * 0.25, seed + 62)
    n4, _, _ = gradient_noise(x * 1.3, y * 1.3, seed + 63)
    dust = 0.52 + 0.55 * n1 + 0.35 * n2 + 0.22 * n3 + 0.10 * n4
    dust = min(max(dust, 0.0), 1.0)
    dust = dust + (1.15 - dust) * 0.8 * dune
    # The engine's jet: bare and dark near the platform, streaks fanning out, a bright halo where the dust fell.
    r = math.sqrt(x * x + y * y)
    if r < 60.0:
        streak, _, _ = gradient_noise(math.atan2(y, x) * 5.0 + 20.0, r * 0.04, seed + 64)
        dust -= 0.55 * math.exp(-((r / (7.0 * (1.0 + 0.7 * streak))) ** 2))
        dust += 0.18 * math.exp(-(((r - 20.0 - 9.0 * streak) / 9.0) ** 2))
    red = 0.155 + 0.165 * dust
    green = 0.094 + 0.086 * dust
    blue = 0.062 + 0.036 * dust
    red *= 1 + tone
    green *= 1 + tone
    blue *= 1 + tone

    # Wheel tracks: depth and disturbance from the fine raster near by, mean disturbance far away.
    turned = 0.0
    u, v = (x - near_x) / 0.02 - 0.5, (y - near_y) / 0.02 - 0.5
    i, j = int(math.floor(u)), int(math.floor(v))
    if 0 <= i < near.shape[2] - 1 and 0 <= j < near.shape[1] - 1 and footprint < 0.06:
        a, b = u - i, v - j
        d00, d10, d01, d11 = near[0, j, i], near[0, j, i + 1], near[0, j + 1, i], near[0, j + 1, i + 1]
        if d00 or d10 or d01 or d11 or near[1, j, i]:
            gx -= ((d10 - d00) * (1 - b) + (d11 - d01) * b) / 20.0 * 0.55
            gy -= ((d01 - d00) * (1 - a) + (d11 - d10) * a) / 20.0 * 0.55
            t0 = near[1, j, i] * (1 - a) + near[1, j, i + 1] * a
            t1 = near[1, j + 1, i] * (1 - a) + near[1, j + 1, i + 1] * a
            turned = (t0 * (1 - b) + t1 * b) / 255.0
    else:
        i, j = int(math.floor((x - far_x) / far_cell)), int(math.floor((y - far_y) / far_cell))
        if 0 <= i < far.shape[1] and 0 <= j < far.shape[0]:
            turned = far[j, i]
    red *= 1 - 0.30 * turned
    green *= 1 - 0.26 * turned
    blue *= 1 - 0.20 * turned

    shadow = 0.0
    horizontal = math.sqrt(sun[0] * sun[0] + sun[1] * sun[1]) + 1e-6
    for layer in range(3):
        cell = 0.11 if layer == 0 else (0.045 if layer == 1 else 0.02)
        # Seen at a low angle flat pebbles would look like puddles: there real stones do the work.
        f = _fade(cell * 0.5, footprint) * min(max(steep * 4.0 - 0.6, 0.0), 1.0)
        if f <= 0.0 or turned > 0.6:
            break
        chance = int((70.0 if layer == 0 else 60.0) * (1.0 + 1.2 * n3 + 0.8 * n4) * (1.0 - min(dune * 1.5, 1.0)))
        kind, px, py, pebble_tone = _pebbles(
            x,
            y,
            cell,
            chance,
            sun[0] / horizontal,
            sun[1] / horizontal,
            min(horizontal / max(sun[2], 0.05), 4.0),
            seed + 70 + layer,
        )
        if kind == 1:
            gx += (-px - gx) * f
            gy += (-py - gy) * f
            t = 0.75 + 0.6 * pebble_tone
            red += (0.150 * t - red) * f * 0.85
            green += (0.100 * t - green) * f * 0.85
            blue += (0.072 * t - blue) * f * 0.85
            shadow = 0.0
            break
        if kind == 2:
            shadow = max(shadow, f)
    unit = 1.0 / math.sqrt(gx * gx + gy * gy + 1.0)
    return -gx * unit, -gy * unit, unit, red, green, blue, shadow


@njit(parallel=True, cache=True)
def shade(out, kind, px, py, pz, dx, dy, dz, distance, nx, ny, nz, ux, uy, uz, material, tone, sunlit, open_sky, pixel_angle,
          sun, direct, diffuse, sky_scale, tau, ground_glow, seed, craters, dunes, starts, members, cells, near, near_x,
          near_y, far, far_x, far_y, far_cell, materials, flag):  # fmt: skip
    """Fill `out` (n, 3) with radiance. One row per ray; see `render` for where the columns come from."""
    haze = 1.6 * tau / 11000.0  # dust is a little thicker near the ground than the column's mean
    for i in prange(kind.size):
        k = kind[i]
        if k == 0:
            r, g, b = sky_colour(dx[i], dy[i], dz[i], sun[0], sun[1], sun[2], tau)
            r *= sky_scale
            g *= sky_scale
            b *= sky_scale
            c = dx[i] * sun[0] + dy[i] * sun[1] + dz[i] * sun[2]
            if c > 0.9999953:
                r += direct[0] * 5000.0
                g += direct[1] * 5000.0
                b += direct[2] * 5000.0
            out[i, 0], out[i, 1], out[i, 2] = r, g, b
            continue
        footprint = distance[i] * pixel_angle
        lit = sunlit[i]
        ao = open_sky[i]
        mirror = 0.0
        gloss = 1.0
        metal = 0.0
        x, y, z = nx[i], ny[i], nz[i]
        if k == 1:
            x, y, z, ar, ag, ab, dark = _ground(
                px[i], py[i], footprint * (0.6 + 0.4 / max(-dz[i], 0.05)) if dz[i] < 0 else footprint, sun, seed, craters, dunes, starts,
                members, cells, near, near_x, near_y, far, far_x, far_y, far_cell, -dz[i],
            )  # fmt: skip
            lit *= 1.0 - dark
            ao *= 1.0 - 0.35 * dark
        elif k == 2:
            w = 0.05
            for o in range(4):
                f = _fade(w, footprint)
                if f <= 0.0:
                    break
                _, gx, gy = gradient_noise((px[i] + 0.7 * pz[i]) / w, (py[i] + 0.4 * pz[i]) / w, seed + 90 + o)
                m, gz, _ = gradient_noise((pz[i] + 0.3 * px[i]) / w, (px[i] - py[i]) / w, seed + 95 + o)
                x += 0.14 * f * gx
                y += 0.14 * f * gy
                z += 0.14 * f * gz
                w *= 0.5
            s = 1.0 / math.sqrt(x * x + y * y + z * z)
            x, y, z = x * s, y * s, z * s
            t = 0.65 + 0.75 * tone[i]
            dusty = min(max((z - 0.35) * 1.6, 0.0), 1.0) * (0.35 + 0.5 * tone[i])
            ar = 0.135 * t * (1 - dusty) + 0.26 * dusty
            ag = 0.096 * t * (1 - dusty) + 0.152 * dusty
            ab = 0.074 * t * (1 - dusty) + 0.086 * dusty
        else:
            m = material[i]
            ar, ag, ab = materials[m, 0], materials[m, 1], materials[m, 2]
            mirror, gloss, metal = materials[m, 3], materials[m, 4], materials[m, 5]
            bump, w = materials[m, 6], materials[m, 7]
            texture = int(materials[m, 9])
            if bump > 0.0:
                for o in range(2):
                    f = _fade(w, footprint) * bump
                    a, gx, gy = gradient_noise((ux[i] + 0.6 * uz[i]) / w, (uy[i] + 0.8 * uz[i]) / w, seed + 110 + o)
                    _, gz, _ = gradient_noise((uz[i] + 0.5 * uy[i]) / w, (ux[i] - 0.5 * uy[i]) / w, seed + 115 + o)
                    x += f * gx * 0.5
                    y += f * gy * 0.5
                    z += f * gz * 0.5
                    w *= 0.45
                s = 1.0 / math.sqrt(x * x + y * y + z * z)
                x, y, z = x * s, y * s, z * s
            if texture == 1:  # cells of 40 × 30 mm with thin silver lines, strings slightly different in colour
                cu, cv = ux[i] / 0.040, uy[i] / 0.062
                fu, fv = cu - math.floor(cu), cv - math.floor(cv)
                line = 0.045 + 0.5 * footprint / 0.040
                h = hash2(int(math.floor(cu)), int(math.floor(cv)), 77) & 0xFF
                shade_cell = 0.8 + 0.4 * h / 255.0
                ar *= shade_cell
                ag *= shade_cell
                ab *= shade_cell
                if fu < line or fv < line * 0.65:
                    q = min(0.045 / line, 1.0)
                    ar += (0.42 - ar) * q
                    ag += (0.42 - ag) * q
                    ab += (0.44 - ab) * q
            elif texture == 2:  # flag: u along x in units of its width, v down
                fh, fw = flag.shape[0], flag.shape[1]
                a, b2 = int(ux[i] * fw), int(uy[i] * fh)
                a, b2 = min(max(a, 0), fw - 1), min(max(b2, 0), fh - 1)
                ar, ag, ab = flag[b2, a, 0], flag[b2, a, 1], flag[b2, a, 2]
            elif texture == 3:
                q = ux[i] / 0.06
                if q - math.floor(q) < 0.2:
                    ar, ag, ab = ar * 0.6, ag * 0.6, ab * 0.6
            dusty = materials[m, 8] * (0.25 + 0.75 * max(z, 0.0))
            ar += (0.27 - ar) * dusty
            ag += (0.16 - ag) * dusty
            ab += (0.092 - ab) * dusty
            mirror *= 1.0 - dusty
        if dx[i] * x + dy[i] * y + dz[i] * z > 0.0 and k != 1:
            # Bumps must not turn a face away from the eye.
            x, y, z = nx[i], ny[i], nz[i]
        cos_sun = max(x * sun[0] + y * sun[1] + z * sun[2], 0.0)
        phase = -(dx[i] * sun[0] + dy[i] * sun[1] + dz[i] * sun[2])
        # Mars throws light back: brighter where the phase angle is small.
        rough = 1.0
        if k != 3:
            cos_eye = max(-(dx[i] * x + dy[i] * y + dz[i] * z), 0.02)
            rough = 0.86 + 0.30 * math.exp((phase - 1.0) * 5.0)
            # Between Lambert and Lommel-Seeliger: flat, dusty surfaces keep their brightness towards the limb.
            rough *= 0.45 + 0.55 * min(
                2.0 / (1.0 + max(cos_sun, 0.02) / max(cos_eye, 0.1)) if cos_eye < cos_sun else 1.0, 1.35
            )
        up = 0.5 + 0.5 * z
        lr = direct[0] * cos_sun * lit * rough + diffuse[0] * up * ao + ground_glow[0] * (1 - up) * (0.35 + 0.65 * ao)
        lg = direct[1] * cos_sun * lit * rough + diffuse[1] * up * ao + ground_glow[1] * (1 - up) * (0.35 + 0.65 * ao)
        lb = direct[2] * cos_sun * lit * rough + diffuse[2] * up * ao + ground_glow[2] * (1 - up) * (0.35 + 0.65 * ao)
        keep = 1.0 - mirror
        r, g, b = ar * lr * keep, ag * lg * keep, ab * lb * keep
        if mirror > 0.0:
            d = 2.0 * (dx[i] * x + dy[i] * y + dz[i] * z)
            rx, ry, rz = dx[i] - d * x, dy[i] - d * y, dz[i] - d * z
            s = math.sqrt(rx * rx + ry * ry + rz * rz) + 1e-9
            rx, ry, rz = rx / s, ry / s, rz / s
            er, eg, eb = sky_colour(rx, ry, rz, sun[0], sun[1], sun[2], tau)
            share = min(max(rz * 6.0 + 0.5, 0.0), 1.0)
            er = (er * sky_scale * share + ground_glow[0] * (1 - share)) * (0.3 + 0.7 * ao)
            eg = (eg * sky_scale * share + ground_glow[1] * (1 - share)) * (0.3 + 0.7 * ao)
            eb = (eb * sky_scale * share + ground_glow[2] * (1 - share)) * (0.3 + 0.7 * ao)
            c = max(rx * sun[0] + ry * sun[1] + rz * sun[2], 0.0)
            spot = lit * (gloss + 2.0) * 0.12 * math.exp(gloss * (c - 1.0) * 1.2)
            er += direct[0] * spot
            eg += direct[1] * spot
            eb += direct[2] * spot
            r += mirror * er * (ar if metal > 0 else 1.0)
            g += mirror * eg * (ag if metal > 0 else 1.0)
            b += mirror * eb * (ab if metal > 0 else 1.0)
        through = math.exp(-haze * distance[i])
        sr, sg, sb = sky_colour(dx[i], dy[i], 0.01, sun[0], sun[1], sun[2], tau)
        out[i, 0] = r * through + sr * sky_scale * (1 - through)
        out[i, 1] = g * through + sg * sky_scale * (1 - through)
        out[i, 2] = b * through + sb * sky_scale * (1 - through)


@njit(parallel=True, cache=True)
def smooth_like(values, kind, depth, nx, ny, nz, radius):
    """Average `values` (H, W; negative: not sampled) over neighbours on the same surface: few rays, little noise."""
    h, w = values.shape
    out = np.empty_like(values)
    for j in prange(h):
        for i in range(w):
            total = 0.0
            count = 0.0
            for b in range(max(j - radius, 0), min(j + radius + 1, h)):
                for a in range(max(i - radius, 0), min(i + radius + 1, w)):
                    if (
                        values[b, a] < 0.0
                        or kind[b, a] != kind[j, i]
                        or abs(depth[b, a] - depth[j, i]) > 0.03 * depth[j, i]
                    ):
                        continue
                    if nx[b, a] * nx[j, i] + ny[b, a] * ny[j, i] + nz[b, a] * nz[j, i] < 0.9:
                        continue
                    total += values[b, a]
                    count += 1.0
            out[j, i] = total / count if count > 0.0 else 1.0  # the sky has no normal
    return out
