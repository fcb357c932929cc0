"""What goes onto the board, in which order, and how a half-done job is repaired.

The firmware is one file, written into both slots. The board's own hashes decide: what differs is written, what does not
belong there is removed, everything is hashed again. /main.py and the manifest go first and come last, so an interrupted run leaves a board at its prompt,
never a unit with half a firmware; the next run finds what is missing. A board whose manifest and file sizes are right is
taken to be right without hashing all of it (hashing takes the chip 3 s); --verify hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rovercam.keys import Key, KeyStore

from rovercam_hil.boards import filesystem
from rovercam_hil.flashing.prompt import FlashError, Found, Prompt

START = "/main.py"
MANIFEST = "/manifest"
FIRST, SECOND = "/a.slot", "/b.slot"  # the same firmware twice: the second is copied on the board
LAST = (MANIFEST, START)
OWN = ("/config.json", "/key.bin")  # the unit's own; not part of the manifest


@dataclass
class Plan:
    """write: in this order; remove: first of all; unchanged: files that are right already."""

    write: dict[str, bytes] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    unchanged: int = 0

    @property
    def empty(self) -> bool:
        return not self.write and not self.remove

    @property
    def size(self) -> int:
        """Bytes that go over the port."""
        return sum(len(data) for path, data in self.write.items() if path != SECOND)


def settings(found: Found, old: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """/config.json: what was asked for, else what the board had, else the defaults."""
    new: dict[str, Any] = {"unit": 1, "role": "rover", "board": found.board, "line": "usb", "baud": 115200}
    new.update(old)
    new.update({k: v for k, v in asked.items() if v is not None})
    new["board"] = found.board
    if not asked.get("insecure"):
        new.pop("insecure", None)  # the bench mode does not outlive a flashing that does not ask for it
    if not new.get("pins", True):
        del new["pins"]
    return new


def read_settings(prompt: Prompt) -> dict[str, Any]:
    """The board's /config.json; empty when there is none or it is damaged."""
    data = prompt.read("/config.json")
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def contents(found: Found, config: Mapping[str, Any], key: bytes, firmware: Path | None = None) -> dict[str, bytes]:
    """Board path → contents of everything that is installed."""
    files = filesystem.installed(filesystem.firmware_files(firmware, arch=found.arch))
    digest = hashlib.sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{path} {hashlib.sha256(data).hexdigest()}\n".encode())
    files[MANIFEST] = digest.hexdigest().encode()
    files["/config.json"] = json.dumps(config, separators=(",", ":"), sort_keys=True).encode()
    files["/key.bin"] = key
    return files


def plan(wanted: Mapping[str, bytes], there: Mapping[str, str]) -> Plan:
    """Compare by hash."""
    made = Plan()
    for path, data in sorted(
        wanted.items(), key=lambda item: (LAST.index(item[0]) + 1 if item[0] in LAST else 0, item[0])
    ):
        if there.get(path) == hashlib.sha256(data).hexdigest():
            made.unchanged += 1
        else:
            made.write[path] = data
    made.remove = sorted(p for p in there if p not in wanted)
    if not made.empty:
        for path in LAST:  # they are taken away while the others change
            if path not in made.write:
                made.unchanged -= 1
            else:
                del made.write[path]
            made.write[path] = wanted[path]
    return made


def compare(
    prompt: Prompt,
    wanted: Mapping[str, bytes],
    *,
    verify: bool = False,
    seen: tuple[bytes, dict[str, int], dict[str, str]] | None = None,
) -> Plan:
    """What there is to do: by manifest and sizes (``seen``: `Prompt.glance` of just before) where these are right, else by
    hashing every file."""
    if not verify:
        manifest, sizes, own = seen or prompt.glance()
        right = {p: len(d) for p, d in wanted.items() if p not in OWN}
        if manifest == wanted[MANIFEST] and {p: n for p, n in sizes.items() if p not in OWN} == right:
            there = {p: hashlib.sha256(d).hexdigest() for p, d in wanted.items() if p not in OWN}
            return plan(wanted, {**there, **own})
    return plan(wanted, prompt.hashes())


def unit_key(keys: KeyStore, unit: int, there: str | None) -> tuple[bytes, str]:
    """(key, what was decided). A board that has the store's key keeps it; else it gets it, or a new one."""
    known = keys.find(unit)
    if known is None:
        return keys.new(unit), "new key"
    if there == hashlib.sha256(known).hexdigest():
        return known, "key kept"
    keys.settle(unit, Key(known))  # written as a first key: its index starts anew
    return known, "key from the key store"


def install(prompt: Prompt, made: Plan, progress: Callable[[int], None] = lambda _: None) -> None:
    """Do the plan and verify. Raises FlashError."""
    if made.empty:
        return
    prompt.remove([*LAST, *made.remove])
    last = {p: made.write[p] for p in LAST}
    prompt.write({p: d for p, d in made.write.items() if p not in (SECOND, *LAST)}, progress)
    if SECOND in made.write:
        prompt.copy(FIRST, SECOND)
    there = prompt.hashes()
    for path, data in made.write.items():
        if path not in LAST and there.get(path) != hashlib.sha256(data).hexdigest():
            raise FlashError(f"{path} does not read back as it was written; run again, or with --erase if it stays so")
    prompt.write(last)
    for path, data in last.items():
        if prompt.read(path) != data:
            raise FlashError(f"{path} does not read back as it was written; run again")


def erase(prompt: Prompt) -> None:
    """Make the file system anew: products, settings, key and transfers are gone."""
    prompt.run(
        "import os\ntry:\n import rp2\n d=rp2.Flash()\nexcept ImportError:\n from flashbdev import bdev as d\n"
        "os.umount('/')\nos.VfsLfs2.mkfs(d,progsize=256)\nos.mount(os.VfsLfs2(d,progsize=256),'/')"
    )


def backup(prompt: Prompt, folder: Path) -> int:
    """Every file of the board to ``folder``; returns their number. The key too: keep it private."""
    names = prompt.value(
        "import os\nr=[]\ndef w(d):\n for e in os.ilistdir(d or '/'):\n  p=d+'/'+e[0]\n"
        "  if e[1]&0x4000:w(p)\n  else:r.append(p)\nw('')\nprint(r)"
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        target = folder / str(name).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(prompt.read(str(name)) or b"")
    return len(names)
