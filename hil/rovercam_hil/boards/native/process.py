"""The process that runs a native unit's firmware: MicroPython's unix port, and the pipe to it (chip/chiplink.py has its format)."""

from __future__ import annotations

import os
import platform
import select
import struct
import subprocess
from pathlib import Path
from typing import IO

from rovercam_hil.boards.base import BoardError, BoardTimeout
from rovercam_hil.micropython.worker import MicroPythonMissing, find_micropython

ARCH = "x64"
"""Processor that the firmware is compiled for: the one with native code in the unix port's builds."""
HEAP = "512k"
"""Of MicroPython: objects are twice as large as on a Pico."""
START = Path(__file__).with_name("chip") / "start.py"
PATIENCE_S = 60.0
"""Of the wall clock: firmware that computes for longer without waiting for anything hangs."""
_REQUEST = "<IBQ"
_REQUEST_SIZE = struct.calcsize(_REQUEST)
_ANSWER = "<IQQHB"


def micropython() -> str:
    """Path of the unix port; raises BoardError where there is none, or none with native code."""
    try:
        found = find_micropython()
    except MicroPythonMissing as error:
        raise BoardError(str(error)) from None
    if platform.machine() not in ("x86_64", "AMD64"):
        raise BoardError(
            f"a native board needs an x86-64 processor, this is {platform.machine()}: MicroPython has native code there only"
        )
    return found


class FirmwareProcess:
    """Starts at once. ``scratch``: the watchdog's scratch registers; ``log``: where it prints."""

    def __init__(self, name: str, flash_file: Path, cause: int, scratch: list[int], log: IO[bytes]) -> None:
        self.name = name
        theirs_in, self._down = os.pipe()
        self._up, theirs_out = os.pipe()
        command = [micropython(), "-X", f"heapsize={HEAP}", str(START), str(theirs_in), str(theirs_out)]
        command += [str(flash_file), str(cause), *map(str, scratch)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs_in, theirs_out),
            cwd=START.parent,
            start_new_session=True,  # Ctrl-C is for us: we end it
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._heard = select.poll()
        self._heard.register(self._up, select.POLLIN)

    def answer(self, payload: bytes, now: int, horizon: int, received: int, interrupts: bytes) -> None:
        """Times in microseconds. Raises BrokenPipeError when the firmware has ended."""
        data = struct.pack(_ANSWER, len(payload), now, horizon, received, len(interrupts)) + interrupts + payload
        at = 0
        while at < len(data):
            at += os.write(self._down, data[at:])

    def request(self) -> tuple[int, int, bytes]:
        """The firmware's next: operation, its time in microseconds, payload. Raises EOFError when it has ended, BoardTimeout when it hangs."""
        data = self._read()
        while len(data) < _REQUEST_SIZE:
            data += self._read()
        length, operation, now = struct.unpack_from(_REQUEST, data)
        while len(data) < _REQUEST_SIZE + length:
            data += self._read()
        return operation, now, data[_REQUEST_SIZE:]

    def _read(self) -> bytes:
        if not self._heard.poll(PATIENCE_S * 1000):
            raise BoardTimeout(
                f"{self.name}: the firmware has computed for {PATIENCE_S:.0f} s without waiting for anything"
            )
        data = os.read(self._up, 65536)
        if not data:
            raise EOFError
        return data

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._down)
        os.close(self._up)
