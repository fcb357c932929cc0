"""What a scenario leaves behind: pictures, plots and figures for the report; recording and logs when it fails."""

from __future__ import annotations

import html
import io
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rovercam.line.recording import Recorder

WIDTH, HEIGHT, MARGIN = 560, 200, 40
COLOURS = ("#b5502b", "#2b6cb5", "#3c8c4f", "#8a4fb0")


@dataclass
class Evidence:
    """Of one scenario; ``folder`` is its own. Everything named shows in the report."""

    name: str
    folder: Path
    seed: int
    blocks: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def value(self, name: str, value: float | str, unit: str = "") -> None:
        """A figure for the report's table."""
        self.figures[name] = f"{value:.4g} {unit}".strip() if isinstance(value, float) else f"{value} {unit}".strip()

    def picture(self, title: str, pixels: NDArray[Any]) -> None:
        """A picture, as PNG inside the report."""
        from PIL import Image

        out = io.BytesIO()
        shown = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
        Image.fromarray(shown).save(out, "PNG")
        data = b64encode(out.getvalue()).decode()
        self.blocks.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(title)}" '
            f'width="{max(shown.shape[1], 192)}"><figcaption>{html.escape(title)}</figcaption></figure>'
        )

    def plot(
        self, title: str, series: dict[str, tuple[Sequence[float], Sequence[float]]], x: str = "s", y: str = ""
    ) -> None:
        """Lines: name → (x values, y values)."""
        self.blocks.append(plot(title, series, x, y))

    def file(self, name: str, data: bytes) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_bytes(data)
        self.files.append(path)
        return path

    def recording(self, recording: Sequence[tuple[int, float, bytes]], start: float) -> Path:
        """Both directions of the line, for `rovercam replay`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "line.rec"
        path.unlink(missing_ok=True)
        with Recorder(path, clock=lambda: 0.0) as out:
            for direction, at, data in recording:
                out.add(direction, data, start + at)
        self.files.append(path)
        return path


def folder_name(nodeid: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", nodeid.rsplit("/", maxsplit=1)[-1]).strip("_")[:100]


def plot(title: str, series: dict[str, tuple[Sequence[float], Sequence[float]]], x: str = "", y: str = "") -> str:
    """An SVG; nothing to install, nothing to load."""
    xs = [v for s in series.values() for v in s[0]]
    ys = [v for s in series.values() for v in s[1]]
    if not xs:
        return f"<p>{html.escape(title)}: no values</p>"
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    x1, y1 = (x1 if x1 > x0 else x0 + 1), (y1 if y1 > y0 else y0 + 1)
    w, h = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN

    def at(a: float, b: float) -> str:
        return f"{MARGIN + (a - x0) / (x1 - x0) * w:.1f},{MARGIN + h - (b - y0) / (y1 - y0) * h:.1f}"

    out = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{html.escape(title)}">']
    out.append(
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{w}" height="{h}" fill="none" stroke="currentColor" opacity=".3"/>'
    )
    for k, (name, (a, b)) in enumerate(series.items()):
        points = " ".join(at(p, q) for p, q in zip(a, b, strict=True))
        colour = COLOURS[k % len(COLOURS)]
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        out.append(f'<text x="{MARGIN + 6 + 130 * k}" y="{MARGIN + 14}" fill="{colour}">{html.escape(name)}</text>')
    out.append(f'<text x="{MARGIN}" y="22" font-weight="bold" fill="currentColor">{html.escape(title)}</text>')
    out += [
        f'<text x="{MARGIN}" y="{HEIGHT - 20}" fill="currentColor">{x0:.4g}</text>',
        f'<text x="{MARGIN + w}" y="{HEIGHT - 20}" text-anchor="end" fill="currentColor">{x1:.4g} {html.escape(x)}</text>',
        f'<text x="{MARGIN - 4}" y="{MARGIN + 10}" text-anchor="end" fill="currentColor">{y1:.4g}</text>',
        f'<text x="{MARGIN - 4}" y="{MARGIN + h}" text-anchor="end" fill="currentColor">{y0:.4g} {html.escape(y)}</text></svg>',
    ]
    return "<figure>" + "".join(out) + "</figure>"
