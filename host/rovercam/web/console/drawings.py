"""Small drawings of the console as SVG text: contacts with a unit over a day, and its traverse."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from rovercam.archive import Archive
from rovercam.web.console.text import utc

DAY = 86400.0
GAP = 180.0
"""Seconds without a frame that end a contact."""
WIDTH, BAR = 560, 26
SIDE = 320
MOST_POINTS = 2000
STEPS = (1, 2, 5)


def contacts(archive: Archive, unit: int, start: float, end: float) -> list[tuple[float, float, int]]:
    """(from, to, frames) of each stretch in which the unit was heard, from the raw frames."""
    rows = archive.db.execute(
        "SELECT min(received), max(received), count(*) FROM frame WHERE received >= ? AND received < ? AND unit = ?"
        " GROUP BY cast(received / 30 AS INTEGER) ORDER BY 1",
        (start, end, unit),
    )
    found: list[tuple[float, float, int]] = []
    for first, last, count in rows:
        if found and first - found[-1][1] < GAP:
            found[-1] = (found[-1][0], last, found[-1][2] + count)
        else:
            found.append((first, last, count))
    return found


def timeline(found: Sequence[tuple[float, float, int]], scheduled: Sequence[float], now: float, light: float) -> str:
    """The last day and the next six hours; scheduled commands as marks; light: one-way light time in seconds."""
    start, end = now - DAY, now + DAY / 4
    scale = WIDTH / (end - start)

    def x(time: float) -> float:
        return round((min(max(time, start), end) - start) * scale, 1)

    parts = [f'<svg viewBox="0 0 {WIDTH} 62" style="width:100%" role="img" aria-label="contacts of the last day">']
    parts.append(f'<rect x="0" y="12" width="{WIDTH}" height="{BAR}" fill="#141a22"/>')
    for hour in range(math.ceil(start / 10800), math.floor(end / 10800) + 1):
        at = x(hour * 10800)
        parts.append(f'<path d="M{at} 12v{BAR + 4}" stroke="#2b3643"/>')
        parts.append(f'<text x="{at}" y="54" class="rc-tick">{utc(hour * 10800)[:5]}</text>')
    for first, last, count in found:
        title = f"{utc(first)} to {utc(last)} UTC, {count} frames"
        wide = max(1.5, x(last) - x(first))
        parts.append(
            f'<rect x="{x(first)}" y="14" width="{wide}" height="{BAR - 4}" fill="#57c98a"><title>{title}</title></rect>'
        )
    for time in scheduled:
        parts.append(f'<path d="M{x(time)} 8l4 -6h-8z" fill="#e6c04a"><title>command at {utc(time)} UTC</title></path>')
    parts.append(f'<path d="M{x(now)} 6v{BAR + 10}" stroke="#e07a4b" stroke-width="1.5"/></svg>')
    minutes = f"{light / 60:.1f} min"
    total = sum(last - first for first, last, _ in found) / 3600
    heard = f"{len(found)} contact{'s' if len(found) != 1 else ''} in the last day, {total:.1f} h"
    said = f"{heard}; one-way light time {minutes}: an answer is {2 * light / 60:.1f} min away"
    return "".join(parts) + f"<div class=dim>{html.escape(said)}</div>"


def traverse(xs: Sequence[float], ys: Sequence[float], heading: float | None) -> str:
    """Track by odometry, metres east and north, newest point with its heading (degrees counter-clockwise from east)."""
    if not xs:
        return "<div class=dim>the unit has not said where it is</div>"
    step = max(1, len(xs) // MOST_POINTS)
    points = [*zip(xs[::step], ys[::step], strict=True), (xs[-1], ys[-1])]
    low_x, high_x = min(p[0] for p in points), max(p[0] for p in points)
    low_y, high_y = min(p[1] for p in points), max(p[1] for p in points)
    span = max(high_x - low_x, high_y - low_y, 2.0) * 1.25
    middle = (low_x + high_x) / 2, (low_y + high_y) / 2

    def place(px: float, py: float) -> tuple[float, float]:
        return (
            round(SIDE / 2 + (px - middle[0]) / span * SIDE, 1),
            round(SIDE / 2 - (py - middle[1]) / span * SIDE, 1),
        )

    grid = _round(span / 4)
    parts = [
        f'<svg viewBox="0 0 {SIDE} {SIDE}" style="width:100%;max-height:165px" role="img" aria-label="traverse"'
        f' id="traverse" data-points="{len(points)}">'
    ]
    for k in range(-4, 5):
        gx, gy = place(*(round(m / grid) * grid + k * grid for m in middle))
        parts.append(f'<path d="M{gx} 0V{SIDE}M0 {gy}H{SIDE}" stroke="#1e2630"/>')
    line = " ".join(f"{a},{b}" for a, b in (place(*p) for p in points))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#5eb1ef" stroke-width="1.6"/>')
    sx, sy = place(*points[0])
    ex, ey = place(*points[-1])
    parts.append(f'<circle cx="{sx}" cy="{sy}" r="3.5" fill="#8494a7"><title>first</title></circle>')
    if heading is not None:
        angle = math.radians(heading)
        parts.append(
            f'<path d="M{ex} {ey}l{22 * math.cos(angle):.1f} {-22 * math.sin(angle):.1f}" stroke="#e07a4b" stroke-width="2"/>'
        )
    parts.append(f'<circle cx="{ex}" cy="{ey}" r="5" fill="#e07a4b"/>')
    bar = grid / span * SIDE
    parts.append(f'<path d="M12 {SIDE - 12}h{bar:.1f}" stroke="#dbe2ea" stroke-width="2"/>')
    parts.append(f'<text x="12" y="{SIDE - 18}" class="rc-tick">{grid:g} m</text>')
    parts.append(f'<text x="{SIDE - 14}" y="16" class="rc-tick">N↑</text></svg>')
    where = f"{xs[-1]:.1f} m east, {ys[-1]:.1f} m north of where the pose was set, by odometry"
    return "".join(parts) + f"<div class=dim>{html.escape(where)}</div>"


def _round(metres: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, not above."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max((s * power for s in STEPS if s * power <= metres), default=power)
