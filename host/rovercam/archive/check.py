"""Is the archive whole, how large is what, and what may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from rovercam.archive import columns
from rovercam.archive.blocks import unpack_times, unpack_values
from rovercam.archive.store import Archive


@dataclass(slots=True)
class CheckResult:
    """What `check` found; ``problems`` is empty when the archive is clean."""

    problems: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    bytes: int = 0

    @property
    def clean(self) -> bool:
        return not self.problems


def check(archive: Archive, *, deep: bool = True) -> CheckResult:
    """SQLite's own integrity, references, folding marks; deep also unpacks every block and compares it."""
    db = archive.db
    result = CheckResult(bytes=archive.path.stat().st_size)
    for (line,) in db.execute("PRAGMA integrity_check(20)" if deep else "PRAGMA quick_check(20)"):
        if line != "ok":
            result.problems.append(f"SQLite: {line}")
    if result.problems:
        return result
    for table in ("frame", "packet", "event", "command", "transfer", "piece", "product", "block", "samples"):
        (result.counts[table],) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    result.problems += _references(archive)
    if deep:
        result.problems += _blocks(archive)
    (number,) = db.execute("SELECT coalesce(sum(n), 0) FROM span").fetchone()
    result.counts["folded samples"] = number
    return result


def _references(archive: Archive) -> Iterator[str]:
    questions = {
        "packets name a frame that is not there": "SELECT count(*) FROM packet WHERE frame IS NOT NULL"
        " AND frame NOT IN (SELECT id FROM frame) AND frame > (SELECT coalesce(min(id), 1 << 62) FROM frame)",
        "events name a packet that is not there": "SELECT count(*) FROM event WHERE packet IS NOT NULL"
        " AND packet NOT IN (SELECT id FROM packet) AND packet > (SELECT coalesce(min(id), 1 << 62) FROM packet)",
        "spans have no block or no samples": "SELECT count(*) FROM span WHERE block NOT IN (SELECT id FROM block)"
        " OR data NOT IN (SELECT id FROM samples)",
        "pieces belong to no transfer": "SELECT count(*) FROM piece WHERE transfer NOT IN (SELECT id FROM transfer)",
        "finished transfers have no content": "SELECT count(*) FROM transfer WHERE status = 'finished' AND content IS NULL"
        " AND sender != 0",
        "layers have no product or transfer": "SELECT count(*) FROM layer WHERE product NOT IN (SELECT id FROM product)"
        " OR transfer NOT IN (SELECT id FROM transfer)",
        "stages belong to no command": "SELECT count(*) FROM stage WHERE command NOT IN (SELECT id FROM command)",
        "folding marks are beyond the newest packet": "SELECT count(*) FROM source"
        " WHERE folded > (SELECT coalesce(max(id), 0) FROM packet)",
    }
    for text, sql in questions.items():
        (number,) = archive.db.execute(sql).fetchone()
        if number:
            yield f"{number} {text}"


def _blocks(archive: Archive) -> Iterator[str]:
    for block, first, last, n, blob in archive.db.execute("SELECT id, first, last, n, times FROM block").fetchall():
        times = unpack_times(blob, n)
        if times[0] != first or times[-1] != last or np.any(np.diff(times) < 0):
            yield f"block {block}: its times do not match its row"
        for kind, data, lo, hi in archive.db.execute(
            "SELECT samples.kind, samples.data, lo, hi FROM span JOIN samples ON samples.id = span.data WHERE block = ?",
            (block,),
        ):
            values = unpack_values(kind, data, n)
            if values.dtype.kind != "f" and (values.min() != lo or values.max() != hi):
                yield f"block {block}: extremes {values.min()}, {values.max()}, its row says {lo}, {hi}"


def retain(
    archive: Archive,
    *,
    frames_before: float | None = None,
    packets_before: float | None = None,
    samples_before: float | None = None,
) -> dict[str, int]:
    """Delete what was received before these POSIX times; returns rows deleted. Products, commands and events stay.

    Packets that carry samples go in whole folded blocks; their samples stay until ``samples_before``.
    """
    gone = {}
    archive.begin()
    db = archive.db
    if frames_before is not None:
        gone["frame"] = db.execute("DELETE FROM frame WHERE received < ?", (frames_before,)).rowcount
    if packets_before is not None:
        gone["packet"] = 0
        for (source,) in db.execute("SELECT source FROM source").fetchall():
            last = 1 << 62
            if columns.carries_samples(source):
                archive.fold(source)
                # Whole blocks only, so that those that stay can be decoded again.
                (last,) = db.execute(
                    "SELECT coalesce(max(packet_last), 0) FROM block WHERE source = ? AND packet_last < coalesce("
                    "(SELECT min(id) FROM packet WHERE source = ? AND received >= ?), 1 << 62)",
                    (source, source, packets_before),
                ).fetchone()
            gone["packet"] += db.execute(
                "DELETE FROM packet WHERE source = ? AND received < ? AND id <= ?", (source, packets_before, last)
            ).rowcount
    if samples_before is not None:
        limit = int(samples_before * 1e6)
        old = "SELECT id FROM block WHERE last < ?"
        db.execute(f"DELETE FROM samples WHERE id IN (SELECT data FROM span WHERE block IN ({old}))", (limit,))
        db.execute(f"DELETE FROM span WHERE block IN ({old})", (limit,))
        gone["block"] = db.execute("DELETE FROM block WHERE last < ?", (limit,)).rowcount
    archive.commit()
    return gone
