"""Everything that was made from packets, made again: with a newer dictionary, or after damage."""

from __future__ import annotations

from typing import Any

from rovercam.archive import Archive
from rovercam.protocol import pus


def redecode(archive: Archive) -> dict[str, int]:
    """Events and samples from the packets as received. One transaction: a kill leaves the archive as it was."""
    acknowledged = archive.db.execute(
        "SELECT acknowledged, packet FROM event WHERE packet IS NOT NULL AND acknowledged IS NOT NULL"
    ).fetchall()
    archive.forget_decoded()
    counts = {"events": 0, "samples": 0, "not understood": 0}
    events = archive.db.execute(
        "SELECT id, data, time, received, unit FROM packet WHERE (source >> 16 & 255) = ? ORDER BY id", (pus.EVENTS,)
    ).fetchall()
    for row, data, time, received, unit in events:
        try:
            event: Any = pus.decode(pus.parse(data), archive.dictionary)
        except pus.PacketError:
            counts["not understood"] += 1
            continue
        if not isinstance(event, pus.EventReport):
            continue
        archive.add_event(
            packet=row,
            time=time,
            received=received,
            unit=unit,
            number=event.id,
            name=event.name,
            severity=event.severity,
            text=event.text,
            fields=dict(event.values),
        )
        counts["events"] += 1
    archive.db.executemany("UPDATE event SET acknowledged = ? WHERE packet = ?", acknowledged)
    counts["samples"] = archive.fold_all()
    archive.set_meta("dictionary", f"{archive.dictionary.hash:08x}")
    archive.commit()
    return counts
