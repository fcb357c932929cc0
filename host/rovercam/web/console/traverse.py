"""The way a unit drove by its odometry as SVG text, on the view from orbit where the station has one."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from rovercam.web.sitemap import SiteMap

WIDTH, HEIGHT = 560.0, 200.0
"""Of the drawing, in its own units: about those of the panel in pixels. What lies around it is drawn too, where the panel is larger."""
MARGIN = 1.35
LEAST = 4.0
"""Metres from top to bottom, so that a rover that stands still is not magnified without end."""
MOST_POINTS = 2000
STEPS = (1, 2, 5)
LINES = 24
ADDRESS = "/api/map/picture"


def traverse(
    xs: Sequence[float], ys: Sequence[float], heading: float | None, ground: SiteMap | None = None, whole: bool = False
) -> str:
    """Track, metres east and north, newest point with its heading (degrees counter-clockwise from east). whole: all of the
    map in sight, not only the way."""
    if not xs and ground is None:
        return "<div class=dim>the unit has not said where it is</div>"
    step = max(1, len(xs) // MOST_POINTS)
    points = [*zip(xs[::step], ys[::step], strict=True), (xs[-1], ys[-1])] if xs else []
    view = _View(_corners(points, ground if whole or not points else None))
    parts = [
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="traverse" id="traverse"'
        f' data-points="{len(points)}" data-metres="{WIDTH / view.scale:.1f}">'
    ]
    if ground is not None:
        west, _, _, north = ground.edges
        x, y = view.place(west, north)
        size = ground.scale * view.scale
        parts.append(
            f'<image id="ground" href="{ADDRESS}" x="{x:g}" y="{y:g}" width="{ground.width * size:g}"'
            f' height="{ground.height * size:g}" preserveAspectRatio="none"/>'
        )
    grid = _round(HEIGHT / view.scale / 3)
    parts.append(_grid(view, grid, "#fff" if ground else "#3a4757", 0.16 if ground else 0.55))
    parts += _site(view)
    if points:
        parts += _way([view.place(*p) for p in points], heading)
    parts += _legend(view, grid)
    said = (
        f"{xs[-1]:.1f} m east, {ys[-1]:.1f} m north of where the pose was set, by odometry" if xs else "no position yet"
    )
    return "".join(parts) + f"</svg><div class=rc-said>{html.escape(said)}</div>"


class _View:
    """Metres to units of the drawing. scale: units per metre."""

    def __init__(self, corners: tuple[float, float, float, float]):
        west, south, east, north = corners
        self.middle = (west + east) / 2, (south + north) / 2
        self.scale = 1 / max((east - west) / WIDTH, (north - south) / HEIGHT)

    def place(self, x: float, y: float) -> tuple[float, float]:
        return (
            round(WIDTH / 2 + (x - self.middle[0]) * self.scale, 1),
            round(HEIGHT / 2 - (y - self.middle[1]) * self.scale, 1),
        )


def _corners(points: Sequence[tuple[float, float]], ground: SiteMap | None) -> tuple[float, float, float, float]:
    """West, south, east, north of what is to be seen."""
    if ground is not None:
        west, south, east, north = ground.edges
        points = [*points, (west, south), (east, north)]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    margin = 1.0 if ground is not None else MARGIN
    wide, high = (max(xs) - min(xs)) * margin / 2, max((max(ys) - min(ys)) * margin, LEAST) / 2
    return x - wide, y - high, x + wide, y + high


def _grid(view: _View, grid: float, color: str, opacity: float) -> str:
    lines = []
    for k in range(-LINES, LINES + 1):
        x, y = view.place(*(round(m / grid) * grid + k * grid for m in view.middle))
        lines.append(f"M{x} {-2 * HEIGHT:g}V{3 * HEIGHT:g}M{-WIDTH:g} {y}H{2 * WIDTH:g}")
    return f'<path d="{"".join(lines)}" stroke="{color}" stroke-opacity="{opacity}"/>'


def _site(view: _View) -> list[str]:
    """Where the pose was set: a cross."""
    x, y = view.place(0.0, 0.0)
    cross = f'd="M{x - 5} {y}h10M{x} {y - 5}v10"'
    return [
        f'<path {cross} stroke="#000" stroke-opacity=".6" stroke-width="4"/>',
        f'<path {cross} stroke="#e6c04a" stroke-width="1.6"><title>where the pose was set</title></path>',
    ]


def _way(places: Sequence[tuple[float, float]], heading: float | None) -> list[str]:
    line = " ".join(f"{a},{b}" for a, b in places)
    x, y = places[-1]
    parts = [
        f'<polyline points="{line}" fill="none" stroke="#000" stroke-opacity=".55" stroke-width="4" stroke-linejoin="round"/>',
        f'<polyline points="{line}" fill="none" stroke="#5eb1ef" stroke-width="1.8" stroke-linejoin="round"/>',
    ]
    if heading is None:
        return [*parts, f'<circle cx="{x}" cy="{y}" r="5" fill="#e07a4b" stroke="#000"/>']
    return [
        *parts,
        f'<path d="M11 0L-7 -6.5L-3.5 0L-7 6.5Z" transform="translate({x} {y}) rotate({-heading:.1f})" fill="#e07a4b"'
        f' stroke="#000"><title>heading {math.fmod(90 - heading + 720, 360):.0f}° from north</title></path>',
    ]


def _legend(view: _View, grid: float) -> list[str]:
    bar = grid * view.scale
    return [
        f'<path d="M14 {HEIGHT - 12:g}v-5m0 5h{bar:.1f}m0 0v-5" fill="none" stroke="#000" stroke-width="4" stroke-opacity=".6"/>',
        f'<path d="M14 {HEIGHT - 12:g}v-5m0 5h{bar:.1f}m0 0v-5" fill="none" stroke="#dbe2ea" stroke-width="1.6"/>',
        f'<text x="{14 + bar / 2:.1f}" y="{HEIGHT - 18:g}" class="rc-map-text">{grid:g} m</text>',
        f'<text x="{WIDTH - 14:g}" y="18" class="rc-map-text">N</text>',
        f'<path d="M{WIDTH - 14:g} 36v-13m-4 5l4 -5l4 5" fill="none" stroke="#dbe2ea" stroke-width="1.6"/>',
    ]


def _round(metres: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, not above."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max((s * power for s in STEPS if s * power <= metres), default=power)
