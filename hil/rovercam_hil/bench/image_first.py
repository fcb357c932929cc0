"""When the whole field of a picture is first seen at 9600 baud: our thumbnail layer, beside a JPEG over zmodem.

Bytes on a clean line are counted, not timed: of ours, what the firmware's own file transfer and frames make of the layer (unix
port); of zmodem, what a real `sz` sends to a real `rz` through pipes. A baseline JPEG shows
the whole field with its last byte, a progressive one with the end of its first scan, which has the means of its blocks.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image
from rovercam.places import firmware_dir

from rovercam_hil.micropython.station_unit import Unit
from rovercam_hil.micropython.worker import Worker

BAUD = 9600
QUALITY = 75
PROFILES = {"robust profile": 0, "profile of a clean line": 11}
"""What the unit begins with (it corrects 16 bytes in 255), and what the station turns to when it measures no errors."""
_MOST = 100_000  # bytes: no thumbnail is longer
_SOS = b"\xff\xda"


def seconds(count: int) -> float:
    """Of ``count`` bytes on the line, 8N1."""
    return count * 10 / BAUD


class OwnLine:
    """The firmware's downlink in the unix port. Use with `with`; MicroPythonMissing where there is none."""

    def __enter__(self) -> OwnLine:
        self._folder = tempfile.TemporaryDirectory()
        self._worker = Worker([firmware_dir()])
        (Path(self._folder.name) / "t").mkdir()
        return self

    def __exit__(self, *exc: object) -> None:
        self._worker.close()
        self._folder.cleanup()

    def count(self, layer: bytes, profile: int) -> int:
        """Bytes on the line from the first frame to the one with the layer's end."""
        path = Path(self._folder.name) / "layer"
        path.write_bytes(layer)
        unit = Unit(self._worker, Path(self._folder.name) / "t")
        self._worker.call("down.set_profile", profile)
        self._worker.call("put", str(path), 0)
        sent = 0
        while sent < _MOST:
            found = len(unit.frames(most=1))
            if not found:
                return sent
            sent += found
        raise RuntimeError(f"a layer of {len(layer)} bytes takes more than {_MOST} bytes of the line")


def jpegs(picture: np.ndarray) -> tuple[bytes, bytes]:
    """(a baseline JPEG, the beginning of a progressive one up to the end of its first scan)."""
    made = []
    for progressive in (False, True):
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "JPEG", quality=QUALITY, progressive=progressive)
        made.append(out.getvalue())
    baseline, progressive_ = made
    first = progressive_.index(_SOS)
    return baseline, progressive_[: progressive_.index(_SOS, first + 2)]


def zmodem(data: bytes) -> int | None:
    """Bytes `sz` sends for a file with these; None where lrzsz is not installed. Raises RuntimeError when they do not arrive."""
    if not (shutil.which("sz") and shutil.which("rz")):
        return None
    from rovercam_hil.bench import link_peers  # needs pseudo-terminals, as lrzsz does

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "file.jpg", Path(folder) / "in"
        source.write_bytes(data)
        target.mkdir()
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        send, receive = link_peers.zmodem(source)
        with subprocess.Popen(send, **pipes) as sender, subprocess.Popen(receive, **pipes, cwd=target) as receiver:
            assert sender.stdin
            assert sender.stdout
            assert receiver.stdin
            assert receiver.stdout
            back = threading.Thread(target=_carry, args=(receiver.stdout, sender.stdin), daemon=True)
            back.start()
            sent = _carry(sender.stdout, receiver.stdin)
            back.join(10)
        arrived = target / source.name
        if not arrived.exists() or arrived.read_bytes() != data:
            raise RuntimeError("sz and rz did not carry the file")
        return sent


def _carry(source: IO[bytes], target: IO[bytes]) -> int:
    """Everything from one pipe to another; how much it was."""
    count = 0
    while piece := source.read1(4096):  # type: ignore[attr-defined]
        count += len(piece)
        try:
            target.write(piece)
            target.flush()
        except OSError:  # the other end has finished
            break
    with contextlib.suppress(OSError):
        target.close()
    return count
