"""Curves as inline SVG: no plotting library."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

W, H, LEFT, BOTTOM, TOP, RIGHT = 520, 170, 58, 24, 22, 10


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round values between low and high; one value when they are equal."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    step = 10.0 ** math.floor(math.log10(raw))
    step *= next(k for k in (1, 2, 5, 10) if k * step >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def breaks(times: Sequence[float], gap: float) -> list[tuple[int, int]]:
    """Index ranges [a, b) of stretches without a gap longer than ``gap``."""
    out, a = [], 0
    for k in range(1, len(times)):
        if times[k] - times[k - 1] > gap:
            out.append((a, k))
            a = k
    return [*out, (a, len(times))] if len(times) else []


def curve(
    title: str,
    times: Sequence[float],
    values: Sequence[float],
    unit: str,
    labels: Sequence[str] | None = None,
    gap: float = 900.0,
) -> str:
    """One parameter over time. Gaps (nights, days off) are cut out of the axis and marked; ``labels`` name the stretches."""
    parts = [f'<svg viewBox="0 0 {W} {H}" role="img" aria-label="{html.escape(title)}">',
             f'<text x="{LEFT}" y="14" class="t">{html.escape(title)}</text>']  # fmt: skip
    if not len(times):
        return "".join([*parts, f'<text x="{W / 2}" y="{H / 2}">no samples</text></svg>'])
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 0.5 * (abs(high) * 0.01 or 1.0)
    low, high = low - pad, high + pad
    runs = breaks(times, gap)
    long = [max(times[b - 1] - times[a], 1.0) for a, b in runs]
    room = W - LEFT - RIGHT - 14 * (len(runs) - 1)

    def y(v: float) -> float:
        return TOP + (high - v) / (high - low) * (H - TOP - BOTTOM)

    for v in ticks(low, high):
        parts.append(f'<line x1="{LEFT}" x2="{W - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}" class="g"/>'
                     f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" class="r">{v:g}</text>')  # fmt: skip
    at = float(LEFT)
    for k, (a, b) in enumerate(runs):
        width = room * long[k] / sum(long)
        points = " ".join(f"{at + width * (times[i] - times[a]) / long[k]:.1f},{y(values[i]):.1f}" for i in range(a, b))
        parts.append(f'<polyline points="{points}" class="c"/>')
        if labels and k < len(labels) and width > 45:
            parts.append(f'<text x="{at + width / 2:.0f}" y="{H - 8}" class="m">{html.escape(labels[k])}</text>')
        at += width + 14
        if k + 1 < len(runs):
            parts.append(f'<line x1="{at - 7:.1f}" x2="{at - 7:.1f}" y1="{TOP}" y2="{H - BOTTOM}" class="b"/>')
    parts.append(f'<text x="{LEFT - 6}" y="14" class="r">{html.escape(unit)}</text></svg>')
    return "".join(parts)
