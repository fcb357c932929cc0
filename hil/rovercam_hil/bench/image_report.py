"""Tables, JSON and plots of `rovercam bench image`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rovercam_hil.bench.image import LOSS_RATE, LOSSES, RATES, Result, Table

COLOURS = ("#c1440e", "#e08f62", "#456990", "#6b8f3c", "#8a5a9e")


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


Shown = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def tables(result: Result) -> list[Shown]:
    """(title, heads, rows) for a terminal, means over the pictures."""

    def by(table: Table, keys: Sequence[float]) -> list[tuple[str, ...]]:
        return [(codec, *(f"{mean(row.get(k, [])):.2f}" for k in keys)) for codec, row in table.items()]

    out: list[Shown] = [
        ("PSNR in dB by bits per pixel, gross", ("codec", *(f"{r:g}" for r in RATES)), by(result.psnr, RATES)),
        ("bits per pixel used", ("codec", *(f"{r:g}" for r in RATES)), by(result.gross, RATES)),
        (
            f"PSNR in dB by packets lost, {LOSS_RATE:g} bpp in packets of 200 bytes",
            ("codec", *(f"{x:.0%}" for x in LOSSES)),
            by(result.loss, LOSSES),
        ),
        (
            "lossless",
            ("codec", "bits per pixel", "seconds to decode"),
            [(n, f"{mean(v):.3f}", f"{mean(result.decode.get(n, [])):.3f}") for n, v in result.lossless.items()],
        ),
        (
            "encoding",
            ("codec", "Mpixel per processor second"),
            [(n, f"{mean(v):.3g}") for n, v in result.encode.items()],
        ),
        (
            "first picture: the thumbnail layer",
            ("picture", "bytes", "SSIM"),
            [(n, str(size), f"{s:.3f}") for n, (size, s) in zip(result.pictures, result.first, strict=True)],
        ),
        (
            "the whole field first seen, 9600 baud, clean line",
            ("by", "seconds"),
            [(n, f"{mean(v):.1f}") for n, v in result.first_seconds.items()],
        ),
    ]
    return out


def as_json(result: Result) -> dict[str, Any]:
    """Every value, per picture."""
    return {
        "pictures": result.pictures,
        "psnr_by_bpp": {c: {str(k): v for k, v in row.items()} for c, row in result.psnr.items()},
        "gross_bpp": {c: {str(k): v for k, v in row.items()} for c, row in result.gross.items()},
        "psnr_by_loss": {c: {str(k): v for k, v in row.items()} for c, row in result.loss.items()},
        "loss_bpp": LOSS_RATE,
        "lossless_bpp": result.lossless,
        "encode_mpixel_per_s": result.encode,
        "decode_s": result.decode,
        "first_whole_field_s_at_9600": result.first_seconds,
        "first_picture": [{"bytes": size, "ssim": s} for size, s in result.first],
    }


def _panel(table: Table, keys: Sequence[float], labels: Sequence[str], title: str, left: int) -> list[str]:
    # one diagram 460 wide: keys evenly spaced along x, dB upwards
    rows = {codec: [mean(row.get(k, [])) for k in keys] for codec, row in table.items()}
    values = [v for row in rows.values() for v in row if not math.isnan(v)]
    if not values:
        return []
    low, high = math.floor(min(values)) - 1, math.ceil(max(values)) + 1

    def x(i: int) -> float:
        return left + 50 + 380 * i / (len(keys) - 1)

    def y(v: float) -> float:
        return 380 - 330 * (v - low) / (high - low)

    out = [f'<text x="{left + 50}" y="28" font-weight="bold">{title}</text>']
    for i, label in enumerate(labels):
        out.append(f'<text x="{x(i):.1f}" y="400" text-anchor="middle">{label}</text>')
    step = max(1, (high - low) // 8)
    for v in range(low + 1, high, step):
        out.append(f'<line x1="{left + 50}" x2="{left + 430}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left + 6}" y="{y(v) + 4:.1f}">{v} dB</text>')
    for row, colour in zip(rows.values(), COLOURS * 2, strict=False):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(row) if not math.isnan(v))
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
    return out


def svg(result: Result) -> str:
    """PSNR by rate, and by share of packets lost, side by side."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="960" height="450" font-family="sans-serif" font-size="12">',
        '<rect width="960" height="450" fill="white"/>',
        *_panel(result.psnr, RATES, [f"{r:g} bpp" for r in RATES], "PSNR by rate", 0),
        *_panel(result.loss, LOSSES, [f"{x:.0%}" for x in LOSSES], f"PSNR by packets lost, {LOSS_RATE:g} bpp", 480),
    ]
    shown = list(dict.fromkeys([*result.psnr, *result.loss]))
    for i, (codec, colour) in enumerate(zip(shown, COLOURS * 2, strict=False)):
        parts.append(f'<text x="{50 + 170 * i}" y="432" fill="{colour}">{codec}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def write_svg(result: Result, file: Path) -> None:
    file.write_text(svg(result), encoding="utf-8")
