"""Update bundles: the compiled firmware in one authenticated file, for the unit to install into its second slot.

Format: firmware/rover/services/update.py. A bundle for one unit is no use to another: each has its own key.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from pathlib import Path

from rovercam_hil.boards import filesystem

RP2040 = 0
FROM_RUNNING, CONTAINED = 0, 1


def firmware(folder: Path | None = None) -> dict[str, bytes]:
    """Path inside a slot -> contents, of the firmware in ``folder`` (default: this checkout's)."""
    files = filesystem.firmware_files(folder, slot="a")
    return {path[3:]: data for path, data in files.items() if path.startswith("/a/")}


def build(files: Mapping[str, bytes], key: bytes, running: Mapping[str, bytes] | None = None) -> bytes:
    """``files`` (path inside the slot -> contents) as a bundle for the unit that has ``key``.

    ``running``: what the unit runs now; files that are the same there are not contained.
    """
    if len(key) != 32:
        raise ValueError(f"a unit's key has 32 bytes, this has {len(key)}")
    out = bytearray(b"RB\x01" + bytes([RP2040]) + struct.pack(">H", len(files)))
    for path, data in sorted(files.items()):
        name = path.encode()
        kind = FROM_RUNNING if running is not None and running.get(path) == data else CONTAINED
        out += bytes([len(name)]) + name + struct.pack(">BII", kind, len(data), binascii.crc32(data))
        if kind == CONTAINED:
            out += data
    return bytes(out) + hmac.digest(key, bytes(out), hashlib.sha256)
