"""Paced to the wall clock: an emulated unit whose line comes out of the program, and an impaired line between two ports."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rovercam_hil.boards.base import VirtualBoard
from rovercam_hil.boards.endpoint import Endpoint
from rovercam_hil.line import LineSpec, Link

SLICE_S = 0.02  # longest piece of board time run at once
PAUSE_S = 0.004  # between two looks at the endpoints
CREDIT_S = 0.25  # a board that is further behind the wall clock than this lets the difference go


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end a service cleanly: gives a function that says whether to stop."""
    stop = threading.Event()

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)) if n is not None]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield stop.is_set
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class Service:
    """A powered board served on ``line`` (and its REPL on ``repl``); ``spec`` impairs the line.

    ``lag`` is how much board time has been lost to a machine too slow for it.
    """

    def __init__(
        self, board: VirtualBoard, line: Endpoint, repl: Endpoint | None = None, spec: LineSpec | None = None
    ) -> None:
        self.board = board
        self.line = line
        self.repl = repl
        self.link = Link(spec) if spec is not None else None
        self.lag = 0.0
        self._repl_at = 0

    def step(self, board_time: float) -> None:
        """Bring the board up to ``board_time`` and move what lies at the endpoints."""
        board = self.board
        data = self.line.read()
        if data:
            if self.link is None:
                board.write(data)
            else:
                self.link.up.push(data, board.time)
        if self.repl is not None:
            typed = self.repl.read()
            if typed:
                board.repl_write(typed)
        if self.link is not None:
            arrived, times = self.link.up.pull(board_time + SLICE_S)
            if arrived:
                board.write_at(arrived, times)
        left = board_time - board.time
        if left > 0:
            board.run(min(left, SLICE_S))
        sent, times = board.read_timed()
        if self.link is not None:
            if sent:
                self.link.down.push(sent, times)
            sent, _ = self.link.down.pull(board.time)
        if sent:
            self.line.write(sent)
        else:
            self.line.flush()
        if self.repl is not None:
            self._serve_repl(self.repl)

    def _serve_repl(self, repl: Endpoint) -> None:
        log = self.board.repl_log
        if len(log) > self._repl_at:
            repl.write(bytes(log[self._repl_at :]))
            self._repl_at = len(log)
        else:
            repl.flush()

    def run(self, stop: Callable[[], bool]) -> None:
        """Serve until ``stop()``, at the pace of the wall clock as far as the machine can."""
        origin = time.monotonic() - self.board.time
        while not stop():
            due = time.monotonic() - origin
            self.step(min(due, self.board.time + SLICE_S))
            behind = time.monotonic() - origin - self.board.time
            if behind > CREDIT_S:
                origin += behind
                self.lag += behind
            elif behind < SLICE_S:
                time.sleep(PAUSE_S)


def bridge(a: Endpoint, b: Endpoint, spec: LineSpec, stop: Callable[[], bool]) -> Link:
    """An impaired line between two ports: what ``a`` sends is "down", what ``b`` sends is "up"."""
    link = Link(spec)
    origin = time.monotonic()
    while not stop():
        now = time.monotonic() - origin
        for endpoint, channel in ((a, link.down), (b, link.up)):
            data = endpoint.read()
            if data:
                channel.push(data, now)
        for endpoint, channel in ((b, link.down), (a, link.up)):
            data, _ = channel.pull(now)
            if data:
                endpoint.write(data)
            else:
                endpoint.flush()
        time.sleep(PAUSE_S / 2)
    return link
