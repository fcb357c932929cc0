"""A curve in a terminal, in Braille dots: 2 × 4 of them in each character."""

from __future__ import annotations

from collections.abc import Sequence

from rovercam.cli.common import utc

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def plot(
    times: Sequence[float],
    values: Sequence[float],
    *,
    title: str,
    unit: str = "",
    width: int = 72,
    height: int = 12,
) -> str:
    """times ascending, POSIX seconds. width and height in characters, without the labels."""
    if not len(times):
        return f"{title}: no samples"
    low, high = float(min(values)), float(max(values))
    if high == low:
        pad = abs(high) * 0.01 or 1.0
        low, high = low - pad, high + pad
    t0, span = times[0], (times[-1] - times[0]) or 1.0
    columns, rows = 2 * width, 4 * height
    cells = [[0] * width for _ in range(height)]
    previous: tuple[int, int] | None = None
    for t, v in zip(times, values, strict=True):
        x = min(columns - 1, int((t - t0) / span * (columns - 1) + 0.5))
        y = rows - 1 - min(rows - 1, int((v - low) / (high - low) * (rows - 1) + 0.5))
        # A line between neighbours, so that steps are seen as such.
        start = y if previous is None else previous[1]
        for yy in range(min(start, y), max(start, y) + 1) if previous and x - previous[0] <= 1 else (y,):
            cells[yy // 4][x // 2] |= _DOTS[yy % 4][x % 2]
        previous = (x, y)
    labels = [f"{high:.6g}", *[""] * (height - 2), f"{low:.6g}"]
    margin = max(len(text) for text in labels)
    lines = [f"{title}{f' ({unit})' if unit else ''}"]
    lines += [
        f"{label:>{margin}} ┤" + "".join(chr(0x2800 + c) for c in row) for label, row in zip(labels, cells, strict=True)
    ]
    first, last = utc(times[0]), utc(times[-1], date=False)
    lines.append(" " * (margin + 2) + first + " " * max(1, width - len(first) - len(last)) + last)
    return "\n".join(lines)
