"""Power cuts at every flash write: one run is recorded, then the unit must come up from every prefix of its writes.

The run: pictures taken, a parameter set, a schedule entry made, a product protected and one deleted, an update installed; with
``trial`` also the restart into the new firmware, its trial and its confirmation, so that the slot switches are in it. A cut point is
(k, torn): the first k operations done, and operation k not begun or torn in the middle. Two checks:

``check``  the file system image is mounted on the host (littlefs) and judged by rules written here, independent of the firmware: it mounts,
           the chosen slot holds a whole firmware, tables have a whole copy with the old or the new contents, every catalogue entry has all
           its layers with the right bytes, and what the ground was told is done is there. About 60 ms.
``boot``   the emulated Pico boots from it and reports in without a bad event; its own count of products is the host's; what it has made of the
           file system by then passes ``check`` again. About 2 s. With ``answer`` it is also commanded: about 7 s.

    python -m rovercam_hil.bench.powercuts [--checks N] [--boots N] [--whole] [--firmware DIR] [--journal FILE] [--minutes M]

A journal makes a campaign that can be stopped at any time and goes on where it was: every boot is a line in it, and what is in it
is not booted again. It holds for the very recording that it was begun with, and refuses another.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crcmod.predefined
from rovercam.dictionary import encode_command, load
from rovercam.protocol import pus

from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import bundle, filesystem, slots
from rovercam_hil.boards import flash as nor
from rovercam_hil.boards.base import BoardTimeout
from rovercam_hil.boards.pico import EmulatedPico
from rovercam_hil.boards.unit import Unit, make_unit, unit_key
from rovercam_hil.devices.rig import standard_rig

_crc16 = crcmod.predefined.mkPredefinedCrcFun("crc-ccitt-false")
_PROTECTED_AT, _LAYERS_AT = 5, 7  # positions in a catalogue entry
PARAMETER, VALUE = "keep_alive_period", 7
SCHEDULED = 4_000_000_000


@dataclass
class Recording:
    """``start``: the flash before the run; ``acknowledged``: what was told to be done -> number of operations done by then."""

    start: bytes
    operations: list[nor.FlashOp]
    acknowledged: dict[str, int]
    contents: dict[str, set[bytes]]
    """Every content that each file had at an end of a command."""
    firmware: dict[str, bytes]
    seed: int = 1


@dataclass
class Result:
    checked: int = 0
    booted: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def record(
    folder: Path,
    *,
    image: Path | str | None = None,
    seed: int = 1,
    whole_update: bool = False,
    trial: bool = False,
    firmware: Path | None = None,
) -> Recording:
    """The run. ``whole_update``: every file of the firmware is in the bundle, else only what changed: one.
    ``firmware``: its folder, default the one of this rovercam."""
    key = unit_key(seed, 1)
    files = bundle.firmware(firmware)
    new = dict(files)
    new["rover/services/test.mpy"] = filesystem.compile_mpy(_new_test(folder), "test")
    update = bundle.build(new, key, running=None if whole_update else files)
    unit = make_unit(seed=seed, image=image, flash_log=True, extra={"/u": update}, firmware=firmware)
    start = unit.board.flash_bytes()
    acknowledged: dict[str, int] = {}
    contents: dict[str, set[bytes]] = {}
    dictionary = load()
    ping = dictionary.commands["ping"]
    packet = pus.build_command(dictionary.apid(1), 1, ping.service, ping.subtype, encode_command(ping, {}, dictionary))
    with Flight(folder, unit=unit) as flight:
        log = unit.pico.flash_log
        assert log is not None

        def do(what: str, name: str, **arguments: Any) -> None:
            done = flight.command(name, timeout=200, **arguments)
            if done.state != "done":
                raise RuntimeError(f"{name}: {done.state}, {done.reason}")
            acknowledged[what] = len(log)
            for path, data in filesystem.read_all(unit.board.flash_bytes()).items():
                contents.setdefault(path, set()).add(data)

        picture = {"camera": "pattern", "size": "qqvga", "downlink": False}
        do("product 1", "capture", codec="raw", **picture)
        do("product 2", "capture", codec="rate", rate=2.0, **picture)
        do("parameter", "set_parameter", parameter=PARAMETER, value=VALUE)
        do("protected 1", "protect_product", product=1)
        do("schedule", "insert_schedule", seconds=SCHEDULED, packet=packet)
        do("deleted 2", "delete_product", product=2)
        do("update", "install_update", path="/u")
        if trial:
            seen = len(flight.events)
            flight.command("restart")
            flight.event("update_confirmed", 150, since=seen)
            acknowledged["confirmed"] = len(log)
        unit.board.run(0.2)
        operations = list(log)
    return Recording(start, operations, acknowledged, contents, new, seed)


def _new_test(folder: Path) -> Path:
    path = folder / "test.py"
    path.write_text("def execute(app, key, args):\n    app.pus.report(17, 2, 0)\n    app.pus.report(17, 2, 0)\n")
    return path


def points(recording: Recording, sample: int | None = None) -> list[tuple[int, bool]]:
    """All cut points, or a seeded sample of them."""
    found = [(k, torn) for k in range(len(recording.operations) + 1) for torn in (False, True)][:-1]
    if sample is None or sample >= len(found):
        return found
    return sorted(random.Random(recording.seed).sample(found, sample))


def images(recording: Recording, wanted: list[tuple[int, bool]]) -> Iterator[tuple[int, bool, bytes]]:
    """The flash at each cut point, in order."""
    flash = bytearray(recording.start)
    at = 0
    for k, torn in sorted(wanted):
        for op in recording.operations[at:k]:
            nor.apply(flash, op)
        at = k
        yield k, torn, _torn(flash, recording.operations[k], recording.seed + k) if torn else bytes(flash)


def _torn(flash: bytearray, op: nor.FlashOp, seed: int) -> bytes:
    """Half erased: every bit with probability one half; half programmed: the first part, and the byte it was at."""
    out = bytearray(flash)
    rng = random.Random(seed)
    if op.kind == "erase":
        old = int.from_bytes(out[op.offset : op.offset + op.size], "little")
        out[op.offset : op.offset + op.size] = (old | rng.getrandbits(op.size * 8)).to_bytes(op.size, "little")
        return bytes(out)
    done = rng.randrange(len(op.data))
    part = op.data[:done] + bytes([op.data[done] | rng.getrandbits(8)])
    nor.apply(out, nor.FlashOp(time=0.0, offset=op.offset, kind="program", size=len(part), data=part))
    return bytes(out)


def check(recording: Recording, k: int, flash: bytes) -> list[str]:
    """Faults of the file system image, empty when all is well; ``k`` operations were complete."""
    try:
        files = filesystem.read_all(flash)
    except Exception as error:  # littlefs names several classes
        return [f"does not mount: {error}"]
    told = {what for what, count in recording.acknowledged.items() if count <= k}
    return [*_slots(recording, files, told), *_tables(files, told), *_products(recording, files, told)]


def _slots(recording: Recording, files: dict[str, bytes], told: set[str]) -> list[str]:
    faults = []
    text = files.get("/slot", b"a").decode() or "a"
    # a! is what a cut in the trial leads to: the old firmware again, and the ground is told
    allowed: tuple[str, ...] = ("a", "ab0", "ab1", "a!", "b")
    if "confirmed" in told:
        allowed = ("b",)
    elif "update" in told and "confirmed" not in recording.acknowledged:
        allowed = ("ab0", "ab1")
    if text not in allowed:
        faults.append(f"/slot holds {text!r}, expected one of {', '.join(allowed)}")
    original = filesystem.read_all(recording.start)
    for slot in text[:2].rstrip("!"):
        wanted = original | ({"/b.slot": slots.build(recording.firmware)} if slot == "b" else {})
        for path, data in wanted.items():
            if (
                path in (f"/{slot}.slot", "/boot.py", "/main.py", "/slots.mpy", "/key.bin", "/config.json")
                and files.get(path) != data
            ):
                faults.append(f"{path} is not whole")
    return faults


NO_ENTRIES = b"\x01"
"""A schedule that is enabled and empty: what the unit writes when the first table of its life was damaged."""


def _newest(files: dict[str, bytes], table: str) -> bytes | None:
    whole = [
        files[n] for n in (table + ".0", table + ".1") if n in files and len(files[n]) >= 4 and not _crc16(files[n])
    ]
    return max(whole, key=lambda b: b[:2])[2:-2] if whole else None


def _tables(files: dict[str, bytes], told: set[str]) -> list[str]:
    faults = []
    number = load().parameters[PARAMETER].id
    wanted = struct.pack(">HB", number, 2) + struct.pack(">H", VALUE)
    for what, table, content, old in (
        ("parameter", "/t/parameters", wanted, None),
        ("schedule", "/t/schedule", struct.pack(">I", SCHEDULED), NO_ENTRIES),
    ):
        found = _newest(files, table)
        if found is None and (what in told or files.get(f"{table}.1")):
            faults.append(f"{table} has no whole copy")
        if found is not None and content not in found and (what in told or found != old):
            faults.append(f"{table} is neither old nor new")
    return faults


def _products(recording: Recording, files: dict[str, bytes], told: set[str]) -> list[str]:
    faults = []
    for number in (1, 2):
        entry = files.get(f"/p/000{number}.m")
        gone = number == 2 and "deleted 2" in told
        if entry is None:
            if f"product {number}" in told and not (number == 2 and not gone and "schedule" in told) and not gone:
                faults.append(f"product {number} acknowledged, not there")
            continue
        if gone:
            faults.append("product 2 deleted, still there")
        if not entry:
            continue  # created, not yet written: the unit does not offer it
        layers = [files.get(f"/p/000{number}.{k}") for k in range(entry[_LAYERS_AT])]
        if any(data is None or data not in recording.contents[f"/p/000{number}.{k}"] for k, data in enumerate(layers)):
            faults.append(f"product {number} is offered with damaged layers")
        if number == 1 and "protected 1" in told and not entry[_PROTECTED_AT]:
            faults.append("protection of product 1 lost")
    return faults


def boot(recording: Recording, k: int, flash: bytes, folder: Path, *, answer: bool = False) -> list[str]:
    """Boot the emulated Pico from ``flash``; faults of what it reports and of what it leaves."""
    rig = standard_rig(None, seed=recording.seed)
    board = EmulatedPico(flash=flash, devices=rig.devices, seed=recording.seed, name="unit 1")
    flight = Flight(folder, unit=Unit(number=1, key=unit_key(recording.seed, 1), board=board, rig=rig))
    try:
        board.power_on()
        flight.until(lambda: "health" in flight.telemetry, 20.0, "the first report")
        bad = ["task_failed", "exception_stored"]
        if (
            filesystem.read_all(flash).get("/slot", b"a") != b"ab1"
        ):  # the power went in a trial: that is told as it should
            bad.append("update_rejected")
        faults = [e.name for e in flight.events if e.name in bad]
        if "started" not in [e.name for e in flight.events]:
            faults.append("does not say that it has started")
        files = filesystem.read_all(board.flash_bytes())
        entries = sum(1 for path in files if path.startswith("/p/") and path.endswith(".m"))
        stored = flight.telemetry["health"]["products_stored"]
        if stored != entries:
            faults.append(f"reports {stored} products, has {entries}")
        faults += [f"after the start: {fault}" for fault in check(recording, k, board.flash_bytes())]
        if answer and flight.command("list_products").state != "done":
            faults.append("does not answer")
        return faults
    except BoardTimeout as error:
        return [f"does not come up: {error}"]
    finally:
        flight.close()


class Journal:
    """Boots that were made of one recording, in a file: a line of JSON with the recording's digest, then one for each boot.

    ``path`` None: kept in memory only. ValueError when the file belongs to another recording."""

    def __init__(self, recording: Recording, path: Path | None = None) -> None:
        self.path = path
        self.made: dict[tuple[int, bool], list[str]] = {}
        """Cut point -> faults of its boot."""
        own = _digest(recording)
        if path is None:
            return
        if not path.exists():
            path.write_text(json.dumps({"recording": own}) + "\n")
            return
        first, *lines = path.read_text().splitlines(keepends=True)
        if json.loads(first)["recording"] != own:
            raise ValueError(f"{path} is of another recording (other firmware, seed or options): begin a new one")
        for line in lines:
            if line.endswith("\n"):  # else it was cut while being written: that boot is made again
                entry = json.loads(line)
                self.made[entry["operation"], entry["torn"]] = entry["faults"]
        path.write_text("".join([first, *(line for line in lines if line.endswith("\n"))]))

    def add(self, k: int, torn: bool, faults: list[str]) -> None:
        self.made[k, torn] = faults
        if self.path is not None:
            with self.path.open("a") as f:
                f.write(json.dumps({"operation": k, "torn": torn, "faults": faults}) + "\n")


def _digest(recording: Recording) -> str:
    digest = hashlib.sha256(recording.start)
    for op in recording.operations:
        digest.update(f"{op.kind} {op.offset} {op.size}".encode() + op.data)
    return digest.hexdigest()


def campaign(
    recording: Recording,
    folder: Path,
    *,
    checks: int | None = None,
    boots: int = 20,
    journal: Path | None = None,
    minutes: float = math.inf,
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """``checks`` cut points by ``check`` (None: all), ``boots`` of them booted, every tenth of these commanded too.

    With ``journal`` the boots of earlier runs count, and are not made again. After ``minutes`` of the wall clock no boot is begun."""
    started = time.perf_counter()
    result = Result()
    wanted = points(recording, checks)
    order = wanted.copy()
    random.Random(recording.seed).shuffle(order)  # so that fewer boots are a part of more, all over the run
    chosen = {point: number % 10 == 0 for number, point in enumerate(order[:boots])}
    made = Journal(recording, journal)
    for k, torn, flash in images(recording, wanted):
        where = f"operation {k}{' torn' if torn else ''}"
        found = [f"{where}: {fault}" for fault in check(recording, k, flash)]
        result.checked += 1
        if (k, torn) in chosen:
            if (k, torn) not in made.made and time.perf_counter() - started < minutes * 60:
                into = folder / "boot"
                shutil.rmtree(into, ignore_errors=True)
                into.mkdir(parents=True)
                made.add(k, torn, boot(recording, k, flash, into, answer=chosen[k, torn]))
            if (k, torn) in made.made:
                found += [f"{where}, booted: {f}" for f in made.made[k, torn]]
                result.booted += 1
        for fault in found:
            say(fault)
        result.faults += found
        if result.checked % 100 == 0:
            say(f"{result.checked} of {len(wanted)} checked, {result.booted} booted, {len(result.faults)} faults")
    result.seconds = time.perf_counter() - started
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--checks", type=int, help="only so many cut points; default: all")
    parser.add_argument("--boots", type=int, default=1000, help="so many of them booted")
    parser.add_argument("--whole", action="store_true", help="an update of every file, not only of one")
    parser.add_argument("--journal", type=Path, help="boots made are kept in this file, and not made again")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no boot after so many minutes")
    parser.add_argument("--firmware", type=Path, help="firmware folder; default: the one of this rovercam")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        recording = record(Path(name), whole_update=arguments.whole, trial=True, firmware=arguments.firmware)
        print(
            f"{len(recording.operations)} flash operations, {len(points(recording))} cut points; told: {recording.acknowledged}",
            flush=True,
        )
        result = campaign(
            recording,
            Path(name),
            checks=arguments.checks,
            boots=arguments.boots,
            journal=arguments.journal,
            minutes=arguments.minutes,
            say=lambda t: print(t, flush=True),
        )
    print(
        f"{result.checked} images checked on the host, {result.booted} booted on the emulated Pico, {result.seconds:.0f} s"
    )
    print(f"{len(result.faults)} faults")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
