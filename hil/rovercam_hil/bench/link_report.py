"""The link bench's table, JSON and plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from xml.sax.saxutils import escape

from rovercam_hil.bench.link import COLUMNS, Result, median

Row = Mapping[str, float | None]
"""Column -> percent of the raw line; None: not delivered intact in time."""


def rows(results: Sequence[Result], peers: Mapping[str, Row] | None = None) -> dict[str, Row]:
    """Aim, this project (median of the seeds), and the peers of the same run."""
    names = list(dict.fromkeys(r.column for r in results))
    found: dict[str, Row] = {
        "rovercam": {n: median([r for r in results if r.column == n]) for n in names},
    }
    if all(r.baud == 115200 for r in results):  # what the aim was set for
        found["aim"] = {n: COLUMNS[n].aim for n in names}
    return found | dict(peers or {})


def percent(value: float | None) -> str:
    return "F" if value is None else f"{value:.1f}"


def table(found: Mapping[str, Row]) -> list[list[str]]:
    """One row per column of the bench: name, then one cell per system."""
    names = list(found["rovercam"])
    return [[n, *(percent(row[n]) if n in row else "" for row in found.values())] for n in names]


def write_json(path: Path, results: Sequence[Result], found: Mapping[str, Row], command: str) -> None:
    content = {
        "command": command,
        "board": "emulated Pico (RP2040)",
        "table": found,
        "runs": [asdict(r) for r in results],
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


_COLOURS = ("#b4431f", "#9a948c", "#4a6a8a", "#7a8a4a", "#8a5a7a", "#3a7a70")


def svg(found: Mapping[str, Row], title: str) -> str:
    """Bars: one group per column, one bar per system; the aim is a line across its group."""
    names = list(found["rovercam"])
    systems = [s for s in found if s != "aim"]
    bar, gap, high, left, top = 14, 16, 240, 44, 40
    group = bar * len(systems) + gap
    width, height = left + group * len(names) + 20, top + high + 70
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/><text x="{left}" y="18" font-size="13">{escape(title)}</text>',
    ]
    for value in range(0, 101, 20):
        y = top + high - high * value / 100
        out.append(f'<line x1="{left}" x2="{width - 10}" y1="{y}" y2="{y}" stroke="#e4e0da"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{value}</text>')
    for i, name in enumerate(names):
        x = left + gap / 2 + i * group
        for k, system in enumerate(systems):
            share = found[system].get(name) or 0.0
            h = high * share / 100
            colour = _COLOURS[k % len(_COLOURS)]
            out.append(f'<rect x="{x + k * bar}" y="{top + high - h}" width="{bar - 2}" height="{h}" fill="{colour}"/>')
        aim = found.get("aim", {}).get(name)
        if aim is not None:
            y = top + high - high * aim / 100
            out.append(
                f'<line x1="{x - 3}" x2="{x + group - gap + 1}" y1="{y}" y2="{y}" stroke="#222" stroke-width="1.5"/>'
            )
        out.append(
            f'<text x="{x + (group - gap) / 2}" y="{top + high + 16}" text-anchor="middle">{escape(name)}</text>'
        )
    for k, system in enumerate(systems):
        x = left + k * 130
        out.append(f'<rect x="{x}" y="{height - 30}" width="10" height="10" fill="{_COLOURS[k % len(_COLOURS)]}"/>')
        out.append(f'<text x="{x + 14}" y="{height - 21}">{escape(system)}</text>')
    out.append(
        f'<text x="{left}" y="{height - 4}" fill="#555">percent of the raw line; black lines: the aim</text></svg>'
    )
    return "\n".join(out)
