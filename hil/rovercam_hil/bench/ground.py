"""Figures of the ground station: how fast the archive takes samples, how fast it answers, how large it gets."""

from __future__ import annotations

import random
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

from rovercam.archive import Archive, source_of
from rovercam.dictionary import load
from rovercam.dictionary.fields import BASE_TYPES, base_type
from rovercam.protocol import pus

YEAR = 365.25 * 86400.0
FRAME = 255
"""Bytes of frame stored with each packet: a live frame of one codeword."""


def packets(count: int, start: float, period: float, seed: int = 1) -> Any:
    """(time, packet) of the environment structure: slow walks, as sensors give."""
    dictionary = load()
    structure = dictionary.structures[2]
    codes = [BASE_TYPES[base_type(p.type, dictionary.enums) or ""] for p in structure.parameters]
    form = struct.Struct(">" + "".join(codes))
    limits = [{"B": 200, "H": 60000, "h": 30000, "I": 1 << 28, "i": 1 << 28}[c] for c in codes]
    noise = random.Random(seed)
    values = [0, 15, 0] + [m // 3 for m in limits[3:]]
    apid = dictionary.apid(1)
    for i in range(count):
        at = start + i * period
        for k in range(3, len(values)):
            values[k] = max(0, min(limits[k], values[k] + noise.randint(-3, 3)))
        yield at, pus.build_report(apid, i & 0x3FFF, 3, 25, b"\2" + form.pack(*values), time=at, counter=i & 0xFFFF)


def archive(
    samples: int = 10_000_000, folder: Path | None = None, span: float = YEAR, frame_bytes: int = FRAME
) -> dict[str, float]:
    """Ingest ``samples`` parameter samples spread over ``span`` seconds, then ask. Times in seconds, sizes in bytes."""
    dictionary = load()
    per_packet = len(dictionary.structures[2].parameters)
    count = samples // per_packet
    start = 1_700_000_000.0
    period = span / count
    figures: dict[str, float] = {"samples": count * per_packet, "frame_bytes": frame_bytes}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "archive.db"
        store = Archive(path, dictionary=dictionary)
        source = source_of(1, 3, 25, 2)
        frame = bytes(random.Random(2).randbytes(frame_bytes))
        busy = worst = 0.0
        batch: list[tuple[float, bytes]] = []
        for item in packets(count, start, period):
            batch.append(item)
            if len(batch) < 250:
                continue
            busy, worst = _ingest(store, source, batch, frame, busy, worst)
            batch = []
        busy, worst = _ingest(store, source, batch, frame, busy, worst)
        figures["ingest_per_second"] = figures["samples"] / busy
        figures["worst_batch"] = worst
        store.close()
        figures["bytes_per_sample"] = path.stat().st_size / figures["samples"]
        figures |= _questions(path, start, span)
    return figures


def _ingest(
    store: Archive, source: int, batch: list[tuple[float, bytes]], frame: bytes, busy: float, worst: float
) -> tuple[float, float]:
    """Parse, store frame and packet, commit: what the station does with 250 packets."""
    began = time.perf_counter()
    for at, packet in batch:
        report = pus.parse(packet)
        number = store.add_frame(at, "bench", 1, 0, 0, frame) if frame else None
        store.add_packet(
            frame=number,
            time=report.time,
            received=at,
            unit=1,
            apid=report.apid,
            sequence=report.sequence,
            source=source,
            body=pus.TM_BODY,
            data=packet,
        )
    store.commit()
    took = time.perf_counter() - began
    return busy + took, max(worst, took)


def _questions(path: Path, start: float, span: float) -> dict[str, float]:
    figures = {}
    noise = random.Random(3)
    with Archive(path, readonly=True) as store:
        names = ["air_pressure", "chip_temperature", "bus_power"]
        hours, years = [], []
        for i in range(30):
            at = start + noise.random() * (span - 3600)
            began = time.perf_counter()
            store.history(1, names[i % 3], at, at + 3600)
            hours.append(time.perf_counter() - began)
        for name in names:
            began = time.perf_counter()
            thinned = store.history(1, name, start, start + span, strategy="minmax", size=1000)
            years.append(time.perf_counter() - began)
            assert 500 <= len(thinned) <= 1000, len(thinned)
        figures["hour_worst"], figures["year_worst"] = max(hours), max(years)
        began = time.perf_counter()
        store.history(1, names[0], strategy="latest", size=100)
        figures["latest_100"] = time.perf_counter() - began
    return figures
