"""Boards, their lines and one ground station on one virtual clock, in one process and one thread.

Nothing here reads the wall clock: the same seed gives the same bytes, as fast as the machine goes. Time advances in
slices; within a slice the boards run first, then the lines deliver, then the station answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rovercam.station.core import Station

from rovercam_hil.boards.apart import Apart
from rovercam_hil.boards.base import BoardTimeout, VirtualBoard
from rovercam_hil.devices.radio import RadioBridge


class Direction(Protocol):
    """One direction of a line: bytes with the time their stop bit was over in, bytes with their arrival out."""

    def push(self, data: bytes, times: list[float]) -> None: ...

    def pull(self, until: float) -> tuple[bytes, list[float]]: ...


class Clear:
    """A line that changes nothing."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._times: list[float] = []

    def push(self, data: bytes, times: list[float]) -> None:
        self._data += data
        self._times += times

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        data, times = bytes(self._data), self._times
        self._data, self._times = bytearray(), []
        return data, times


class Gate(Clear):
    """A line that can be shut: what comes to it then is gone."""

    open = True

    def push(self, data: bytes, times: list[float]) -> None:
        if self.open:
            super().push(data, times)


@dataclass
class Link:
    """A board, the name of its port at the station, and the line between them."""

    board: VirtualBoard
    port: str
    down: Direction
    up: Direction
    baud: int
    recording: list[tuple[float, bytes]] = field(default_factory=list)
    up_free: float = 0.0  # when the last byte sent up has left the ground's UART
    outbox: bytearray = field(default_factory=bytearray)


@dataclass
class Air:
    """The short-range radio between a rover's bridge and the line of a board that is near."""

    bridge: RadioBridge
    board: VirtualBoard | Apart
    towards: Direction
    """To the rover."""
    away: Direction

    def begin(self, elapsed: float) -> None:
        """A board in a process of its own starts now, and runs up to ``elapsed`` beside the others."""
        if isinstance(self.board, Apart):
            self.board.begin(max(0.0, elapsed - self.board.time))

    def step(self, elapsed: float) -> None:
        """Run the board up to ``elapsed`` and carry what both have sent."""
        if isinstance(self.board, Apart):
            self.board.finish()
        else:
            self.board.run(max(0.0, elapsed - self.board.time))
        data, times = self.board.read_timed()
        if data:
            self.towards.push(data, times)
        data, times = self.towards.pull(elapsed)
        if data:
            self.bridge.give(data, times)
        data, times = self.bridge.take()
        if data:
            self.away.push(data, times)
        data, times = self.away.pull(elapsed)
        if data:
            self.board.write_at(data, times)


class Session:
    """start: POSIX seconds at the session's beginning; slice_s: seconds between two looks of the station at its ports."""

    def __init__(
        self, station: Station, *, start: float = 1_623_369_600.0, slice_s: float = 0.02, record: bool = False
    ):
        self.station = station
        self.start = start
        self.slice_s = slice_s
        self.record = record
        self.links: list[Link] = []
        self.airs: list[Air] = []
        self.elapsed = 0.0
        self.on_slice: list[Callable[[float], None]] = []

    @property
    def now(self) -> float:
        """POSIX seconds of the virtual clock."""
        return self.start + self.elapsed

    def add(
        self, board: VirtualBoard, port: str = "unit", down: Direction | None = None, up: Direction | None = None
    ) -> Link:
        """Connect a board to the station. The board's clock and the session's start together."""
        link = Link(board, port, down or Clear(), up or Clear(), board.baud)
        self.links.append(link)
        self.station.attach(port, self.now, None if board.usb else board.baud)
        return link

    def join(
        self,
        bridge: RadioBridge,
        board: VirtualBoard | Apart,
        towards: Direction | None = None,
        away: Direction | None = None,
    ) -> Air:
        """Put a board at the other end of a rover's radio, instead of at the station's."""
        air = Air(bridge, board, towards or Clear(), away or Clear())
        self.airs.append(air)
        return air

    def step(self, seconds: float) -> None:
        """One slice."""
        self.elapsed += seconds
        for air in self.airs:
            air.begin(self.elapsed)
        for link in self.links:
            self._down(link, seconds)
        for air in self.airs:
            air.step(self.elapsed)
        for link in self.links:
            self._up(link)
        for callback in self.on_slice:
            callback(self.now)

    def _down(self, link: Link, seconds: float) -> None:
        link.board.run(max(0.0, self.elapsed - link.board.time))
        data, times = link.board.read_timed()
        if data:
            link.down.push(data, times)
        data, times = link.down.pull(self.elapsed)
        if data:
            if self.record:
                link.recording.append((times[-1], data))
            self.station.receive(link.port, data, self.start + times[-1])

    def _up(self, link: Link) -> None:
        self.station.poll(self.now)
        data = self.station.transmit(link.port, self.now)
        if data:
            byte = 10 / link.baud
            first = max(self.elapsed, link.up_free)
            times = [first + byte * (k + 1) for k in range(len(data))]
            link.up_free = times[-1]
            link.up.push(data, times)
        data, times = link.up.pull(self.elapsed)
        if data:
            link.board.write_at(data, times)

    def run(self, seconds: float) -> None:
        end = self.elapsed + seconds
        while self.elapsed < end - 1e-9:
            self.step(min(self.slice_s, end - self.elapsed))

    def run_until(self, condition: Callable[[], bool], timeout: float, what: str = "the condition") -> None:
        """Run until ``condition()``; raises BoardTimeout, with the boards' last words, after ``timeout`` seconds."""
        end = self.elapsed + timeout
        while not condition():
            if self.elapsed >= end:
                words = "\n".join(
                    f"{board.name}: {bytes(board.repl_log[-600:]).decode(errors='replace')}"
                    for board in (*(k.board for k in self.links), *(a.board for a in self.airs))
                )
                raise BoardTimeout(
                    f"{what} did not come within {timeout} s of virtual time; the boards' prompts say:\n{words}"
                )
            self.step(self.slice_s)
