"""The archive as files that any program reads."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

from rovercam.archive import Archive
from rovercam.line.recording import FROM_UNIT, Recorder
from rovercam.station.pictures import NoPicture, render


def export(
    archive: Archive, folder: Path, unit: int | None, start: float, end: float, *, files: bool = False
) -> dict[str, int]:
    """Writes telemetry per unit (CSV, one row per sample), events, commands, products (JSON) and raw frames.

    Returns rows by file name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, int] = {}
    for number in [unit] if unit is not None else archive.units():
        name = f"telemetry-unit{number}.csv"
        written[name] = _telemetry(archive, folder / name, number, start, end)
    lists = {
        "events.json": archive.events(start, end, unit=unit, limit=1 << 30),
        "commands.json": archive.commands(start, end, unit=unit, limit=1 << 30),
        "products.json": archive.products(unit=unit, limit=1 << 30),
        "transfers.json": archive.transfers(unit=unit, limit=1 << 30),
    }
    for name, rows in lists.items():
        text = json.dumps(rows, indent=1, ensure_ascii=False, default=lambda b: bytes(b).hex())
        (folder / name).write_text(text, encoding="utf-8")
        written[name] = len(rows)
    written["frames.bin"] = _frames(archive, folder / "frames.bin", unit, start, end)
    if files:
        written |= _files(archive, folder, unit)
    return written


def _telemetry(archive: Archive, path: Path, unit: int, start: float, end: float) -> int:
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("time", "utc", "parameter", "value", "unit"))
        for name in archive.parameter_names(unit):
            series = archive.history(unit, name, start, end)
            for t, v in zip(series.times.tolist(), series.values.tolist(), strict=True):
                writer.writerow(
                    (f"{t:.6f}", datetime.fromtimestamp(t, UTC).isoformat(), name, v, series.engineering_unit)
                )
            rows += len(series)
    return rows


def _frames(archive: Archive, path: Path, unit: int | None, start: float, end: float) -> int:
    """Transfer frames as a recording: each with its time of reception, corrected, without marker and code."""
    path.unlink(missing_ok=True)
    count = 0
    with Recorder(path, clock=lambda: 0.0) as recorder:
        for _, received, _, number, data in archive.frames(start, end):
            if unit in (None, number):
                recorder.add(FROM_UNIT, data, received)
                count += 1
    return count


def _files(archive: Archive, folder: Path, unit: int | None) -> dict[str, int]:
    written = {}
    for transfer in archive.transfers(unit=unit, status="finished", limit=1 << 30):
        data = archive.content(transfer["id"])
        if data is None:
            continue
        name = f"files/{transfer['id']:06d}-unit{transfer['unit']}-{Path(transfer['target'] or 'unnamed').name}"
        (folder / "files").mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        written[name] = len(data)
    for product in archive.products(unit=unit, kind="picture", limit=1 << 30):
        try:
            picture = render(archive, product["id"])
        except NoPicture:
            continue
        name = f"images/unit{product['unit']}-{product['number']:04d}-{product['id']}.png"
        (folder / "images").mkdir(exist_ok=True)
        (folder / name).write_bytes(picture.png())
        written[name] = 1
    return written
