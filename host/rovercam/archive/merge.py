"""Two archives to one: what another station heard and sent is added, what both heard stays once.

A transmission is the same when its bytes are the same and it was received within SAME seconds: two stations differ in
light time and clocks, and a unit's counters come round again only after longer. A packet that neither station had whole
stays missing, though its frames are then all there.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, insort
from collections import defaultdict
from typing import Any

from rovercam.archive.store import Archive

SAME = 120.0
"""Seconds."""
Key = tuple[Any, ...]


class _Known:
    """Times at which each thing was there."""

    def __init__(self) -> None:
        self._times: defaultdict[Key, list[tuple[float, int]]] = defaultdict(list)

    def add(self, key: Key, time: float, row: int) -> None:
        insort(self._times[key], (time, row))

    def find(self, key: Key, time: float) -> int | None:
        """Row of the same thing, if it is there."""
        times = self._times.get(key, [])
        at = bisect_left(times, (time - SAME, -1))
        return times[at][1] if at < len(times) and times[at][0] <= time + SAME else None


def merge(archive: Archive, other: Archive) -> dict[str, int]:
    """Adds what is new in ``other``; returns rows added by table. One transaction: all of it or nothing."""
    archive.begin()
    try:
        frames, added = _frames(archive, other)
        packets, new = _packets(archive, other, frames)
        added |= {"packet": new, "event": _events(archive, other, packets), "command": _commands(archive, other)}
        transfers, added["transfer"] = _transfers(archive, other)
        added["product"] = _products(archive, other, transfers)
    except BaseException:
        archive.rollback()
        raise
    archive.commit()
    return added


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _frames(archive: Archive, other: Archive) -> tuple[dict[int, int], dict[str, int]]:
    """(row there → row here, count)."""
    query = "SELECT id, received, port, unit, channel, corrected, data FROM frame ORDER BY id"
    known, rows, count = _Known(), {}, 0
    for row, received, _, unit, channel, _, data in archive.db.execute(query):
        known.add((unit, channel, _digest(data)), received, row)
    for row, received, port, unit, channel, corrected, data in other.db.execute(query):
        found = known.find((unit, channel, _digest(data)), received)
        if found is None:
            found = archive.add_frame(received, port, unit, channel, corrected, data)
            count += 1
        rows[row] = found
    return rows, {"frame": count}


def _packets(archive: Archive, other: Archive, frames: dict[int, int]) -> tuple[dict[int, int], int]:
    """Reports of units; what a station said of its own link stays with it (apid -1)."""
    query = "SELECT id, frame, time, received, unit, apid, sequence, source, body, data FROM packet WHERE apid >= 0 ORDER BY id"
    known = _Known()
    for row, _, _, received, unit, _, _, _, _, data in archive.db.execute(query):
        known.add((unit, _digest(data)), received, row)
    added: dict[int, int] = {}
    for row, frame, time, received, unit, apid, sequence, source, body, data in other.db.execute(query).fetchall():
        if known.find((unit, _digest(data)), received) is None:
            added[row] = archive.add_packet(
                frame=frames.get(frame), time=time, received=received, unit=unit, apid=apid, sequence=sequence,
                source=source, body=body, data=data,
            )  # fmt: skip
    return added, len(added)


def _events(archive: Archive, other: Archive, packets: dict[int, int]) -> int:
    count = 0
    for event in other.events(limit=1 << 30):
        if event["packet"] in packets:
            names = ("time", "received", "unit", "number", "name", "severity", "text", "fields")
            archive.add_event(packet=packets[event["packet"]], **{n: event[n] for n in names})
            count += 1
    return count


def _commands(archive: Archive, other: Archive) -> int:
    known, count = _Known(), 0
    for command in archive.commands(limit=1 << 30):
        known.add((command["apid"], command["sequence"], command["data"]), command["time"], command["id"])
    for command in other.commands(limit=1 << 30):
        if known.find((command["apid"], command["sequence"], command["data"]), command["time"]) is not None:
            continue
        names = ("time", "unit", "name", "arguments", "sender", "apid", "sequence", "data")
        row = archive.add_command(**{n: command[n] for n in names})
        for stage in command["stages"]:
            archive.add_stage(row, **stage)
        archive.set_command_state(row, command["state"], command["finished"])
        count += 1
    return count


def _transfers(archive: Archive, other: Archive) -> tuple[dict[int, int], int]:
    """Whole files; (row there → row here, count). A file on its way belongs to the station that receives it."""
    known: dict[Key, int] = {}
    for t in archive.transfers(status="finished", limit=1 << 30):
        known[t["sender"], t["number"], t["name"], _digest(archive.content(t["id"]) or b"")] = t["id"]
    rows, count = {}, 0
    for t in other.transfers(status="finished", limit=1 << 30):
        content = other.content(t["id"])
        if content is None:
            continue
        key = (t["sender"], t["number"], t["name"], _digest(content))
        if key not in known:
            known[key] = archive._insert(
                "INSERT INTO transfer (unit, sender, number, began, name, target, size, received, status, finished,"
                " checksum, live, content) VALUES (?,?,?,?,?,?,?,?,'finished',?,?,0,?)",
                (t["unit"], t["sender"], t["number"], t["began"], t["name"], t["target"], t["size"], t["received"],
                 t["finished"], t["checksum"], content),
            )  # fmt: skip
            count += 1
        rows[t["id"]] = known[key]
    return rows, count


def _products(archive: Archive, other: Archive, transfers: dict[int, int]) -> int:
    """Products of which a layer is whole; those that both have get each other's layers."""

    def identity(product: dict[str, Any]) -> Key:
        return product["unit"], product["number"], json.dumps(product["fields"], sort_keys=True)

    known = {identity(p): p for p in archive.products(limit=1 << 30)}
    count = 0
    for product in other.products(limit=1 << 30):
        layers = [(la["layer"], transfers[la["transfer"]]) for la in product["layers"] if la["transfer"] in transfers]
        if not layers or not product["fields"]:
            continue
        mine = known.get(identity(product))
        if mine is None:
            row = archive.product(product["unit"], product["number"], product["began"], kind=product["kind"], new=True)
            shape = {n: product[n] for n in ("width", "height", "depth", "channels")}
            archive.update_product(row, product["updated"], fields=product["fields"], state=product["state"], **shape)
            count += 1
        else:
            row = mine["id"]
        for layer, transfer in layers:
            archive.add_layer(row, layer, transfer)
        whole = [la for la in archive.layers(row) if la["layer"] >= 0 and la["status"] == "finished"]
        if len(whole) >= product["fields"].get("layers", 1 << 30):
            archive.update_product(row, product["updated"], state="down")
    return count
