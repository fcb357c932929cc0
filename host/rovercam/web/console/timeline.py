"""Contacts with a unit over a day, from the archive and as SVG text."""

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
