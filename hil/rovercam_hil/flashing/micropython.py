"""Putting MicroPython itself onto a board: a UF2 onto the boot drive (Pico), esptool for an ESP32-S3 (unproven)."""

from __future__ import annotations

import os
import shutil
import string
import subprocess
import sys
import time
from pathlib import Path

from rovercam_hil.flashing.prompt import FlashError

WAIT_S = 20.0
MARK = "INFO_UF2.TXT"


def drives() -> list[Path]:
    """Boot drives (RPI-RP2, RP2350) that are mounted."""
    if os.name == "nt":
        places = [Path(f"{letter}:/") for letter in string.ascii_uppercase]
    else:
        places = [
            p
            for root in ("/media", "/run/media", "/Volumes", "/mnt")
            for p in (*Path(root).glob("*"), *Path(root).glob("*/*"))
        ]
    found = []
    for place in places:
        try:
            if (place / MARK).is_file():
                found.append(place)
        except OSError:
            continue
    return found


def put(uf2: Path, wait: float = WAIT_S) -> Path:
    """Copy a UF2 onto the only boot drive there is; returns the drive. Raises FlashError."""
    if not uf2.is_file():
        raise FlashError(f"--micropython {uf2}: no such file; images are at https://micropython.org/download")
    if uf2.read_bytes()[:4] != b"UF2\n":
        if uf2.suffix == ".bin":
            return _esptool(uf2)
        raise FlashError(f"--micropython {uf2} is no UF2 file")
    end = time.monotonic() + wait
    while not (found := drives()):
        if time.monotonic() > end:
            raise FlashError(
                f"no boot drive appeared within {wait:g} s: hold BOOTSEL while plugging the board in (the drive RPI-RP2 must show; "
                "on a computer without a desktop, mount it first)"
            )
        time.sleep(0.3)
    if len(found) > 1:
        raise FlashError(f"several boot drives: {', '.join(map(str, found))}; unplug all but one board")
    shutil.copyfile(uf2, found[0] / uf2.name)
    return found[0]


def _esptool(image: Path) -> Path:
    """ESP32-S3; unproven on hardware."""
    command = [sys.executable, "-m", "esptool", "--chip", "esp32s3", "write_flash", "-z", "0", str(image)]
    try:
        done = subprocess.run(command, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlashError(f"esptool: {error}") from None
    if done.returncode:
        raise FlashError(
            "esptool did not succeed; is it installed (pip install esptool), and the board in download mode (hold BOOT)?"
        )
    return image
