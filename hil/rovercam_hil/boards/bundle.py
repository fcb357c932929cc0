"""Update bundles: the compiled firmware in one authenticated file, for the unit to install into its second slot.

Format: firmware/rover/services/update.py. A bundle for one unit is no use to another: each has its own key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from rovercam_hil.boards import filesystem, slots

FROM_RUNNING, CONTAINED, DEFLATED = 0, 1, 2
_WINDOW_BITS = 11
"""The unit needs 2 KB of heap for the window of the longest match."""


def firmware(folder: Path | None = None, arch: str = filesystem.ARCH) -> dict[str, bytes]:
    """Path inside a slot -> contents, of the firmware in ``folder`` (default: this checkout's), compiled for ``arch``."""
    return filesystem.slot_contents(filesystem.firmware_files(folder, slot="a", arch=arch))


def build(files: Mapping[str, bytes], key: bytes, running: Mapping[str, bytes] | None = None) -> bytes:
    """``files`` (path inside the slot -> contents) as a bundle for the unit that has ``key``.

    ``running``: what the unit runs now; files that are the same there are not contained.
    """
    if len(key) != 32:
        raise ValueError(f"a unit's key has 32 bytes, this has {len(key)}")
    out = bytearray(b"RB\x02" + bytes([slots.RP2040]) + slots.head(files))
    for path in sorted(files):
        data = files[path]
        packed = _deflated(data)
        if running is not None and running.get(path) == data:
            out += struct.pack("<BI", FROM_RUNNING, 0)
        elif len(packed) < len(data):
            out += struct.pack("<BI", DEFLATED, len(packed)) + packed
        else:
            out += struct.pack("<BI", CONTAINED, len(data)) + data
    return bytes(out) + hmac.digest(key, bytes(out), hashlib.sha256)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS)
    return packer.compress(data) + packer.flush()
