"""A real board behind a port: what can be done from outside. Power only with a user's command (``--power-command``).

Time is the wall clock, in the slices that the bench asks for: ``time`` is where ``run`` has got to.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from rovercam.line.errors import LineError
from rovercam.line.ports import open_port

from rovercam_hil.boards.base import Board, BoardError

POWER_TIMEOUT_S = 30
BEHIND_S = 0.5  # a bench further behind the wall clock than this lets the difference go


class NoPowerControl(BoardError):
    """Power cannot be switched: no --power-command was given."""


class RealBoard(Board):
    """``power_command``: run with {state} replaced by "on" or "off", e.g. ``uhubctl -l 1-1 -p 2 -a {state}``.
    ``switch``: sets the supply instead (a lab's); ``on_close``: what else there is to do at the end.
    """

    usb = False

    def __init__(
        self,
        url: str,
        *,
        baud: int = 115200,
        power_command: str = "",
        name: str = "board",
        switch: Callable[[bool], None] | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises LineError when the port cannot be opened."""
        self.name = name
        self.url = url
        self.baud = baud
        self.power_command = power_command
        self._supply = switch
        self._on_close = on_close
        self.repl_log = bytearray()  # its prompt is on another port, or on this one and then not heard
        self._port: Any = open_port(url, baud)
        self._port.timeout = 0
        self._origin = time.monotonic()
        self._reached = 0.0
        self._in = bytearray()
        self._on = True

    @property
    def time(self) -> float:
        return self._reached

    @property
    def powered(self) -> bool:
        return self._on

    def _switch(self, state: str) -> None:
        if self._supply is not None and not self.power_command:
            self._supply(state == "on")
            self._on = state == "on"
            return
        if not self.power_command:
            raise NoPowerControl(
                "a real board's power is switched by --power-command, e.g. 'uhubctl -l 1-1 -p 2 -a {state}'"
            )
        words = [w.replace("{state}", state) for w in shlex.split(self.power_command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=POWER_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BoardError(f"--power-command {words}: {error}") from None
        if done.returncode:
            raise BoardError(
                f"--power-command {words} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"
            )
        self._on = state == "on"

    def power_on(self) -> None:
        if not self._on:
            self._switch("on")

    def power_off(self) -> None:
        self._switch("off")

    def power_cut(self) -> None:
        self._switch("off")

    def reset(self) -> None:
        self._switch("off")
        self.run(1.0)
        self._switch("on")

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, LineError):
            self._reopen()

    def write_at(self, data: bytes, times: Sequence[float]) -> None:
        self.write(data)

    def read(self) -> bytes:
        data = bytes(self._in)
        self._in.clear()
        return data

    def read_timed(self) -> tuple[bytes, list[float]]:
        data = self.read()
        return data, [self._reached] * len(data)

    def run(self, seconds: float) -> None:
        self._reached += seconds
        while True:
            self._take()
            left = self._origin + self._reached - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, 0.01))
        if left < -BEHIND_S:
            self._origin -= left

    def _take(self) -> None:
        try:
            while data := self._port.read(self._port.in_waiting or 1):
                self._in += data
        except (OSError, TypeError):
            self._reopen()

    def _reopen(self) -> None:
        """A USB port goes away with the board's power."""
        try:
            self._port.close()
            self._port = open_port(self.url, self.baud)
            self._port.timeout = 0
        except (OSError, LineError):
            time.sleep(0.05)

    def close(self) -> None:
        self._port.close()
        self._on_close()
