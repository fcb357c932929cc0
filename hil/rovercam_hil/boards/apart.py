"""A board in a process of its own: two emulated chips run side by side on two processors, in the one virtual time.

The session tells the board to `begin` a slice, runs the other boards meanwhile, and takes what came of it with `finish`: as
before, a slice sees nothing that others send in the same slice, so the bytes and their times are those of a board in the
same process. What the board's models want to know of the world (a picture, the light) they ask the first process for,
which answers in `finish`, when its own boards have run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rovercam_hil.boards.base import Board, BoardError
from rovercam_hil.process import Ask, Process, ProcessFailed


class Apart(Board):
    """``maker``, of an importable module, is called in the child with ``ask`` and the ``arguments`` (plain data); what it
    returns has the board as ``.board``. ``serve(name, *arguments)`` answers what its models ask. Raises BoardError for whatever went
    wrong in the child."""

    def __init__(
        self, name: str, maker: Callable[..., Any], arguments: dict[str, Any], serve: Callable[..., Any]
    ) -> None:
        self.name = name
        self._time = 0.0
        self._powered = False
        self._under_way = False
        self._data = bytearray()
        self._times: list[float] = []
        self._written: list[tuple[bytes, list[float]]] = []
        self._process = Process(_Served, {"maker": maker, "arguments": arguments}, serve)

    def _said(self, what: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return what(*arguments)
        except ProcessFailed as error:
            raise BoardError(f"{self.name}: {error}") from None

    def ask(self, path: str, *arguments: Any) -> Any:
        """Value of ``path`` (names joined by dots, from what the maker returned), called when it can be."""
        self.finish()
        return self._said(self._process.ask, f"made.{path}", *arguments)

    # -- time --------------------------------------------------------------------------------------------------------

    def begin(self, seconds: float) -> None:
        """Start a slice of ``seconds``; `finish` waits for its end. A board without power only lets the time pass."""
        self.finish()
        if not self._powered:
            self._time += seconds
            return
        self._said(self._process.send, "slice", (self._time + seconds, self._written))
        self._written = []
        self._under_way = True

    def finish(self) -> None:
        """Wait until the slice that was begun is over. No effect when none was."""
        if not self._under_way:
            return
        self._under_way = False
        self._time, self._powered, data, times = self._said(self._process.answer)
        self._data += data
        self._times += times

    def run(self, seconds: float) -> None:
        self.begin(seconds)
        self.finish()

    @property
    def time(self) -> float:
        """At the end of the last slice that was finished."""
        return self._time

    # -- the board ---------------------------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        return self._powered

    @property
    def repl_log(self) -> bytearray:  # type: ignore[override]
        found: bytearray = self.ask("board.repl_log")
        return found

    def power_on(self) -> None:
        self._said(self._process.ask, "slice", self._time, [])
        self.ask("board.power_on")
        self._powered = True

    def power_off(self) -> None:
        self.ask("board.power_off")
        self._powered = False

    def power_cut(self) -> None:
        self.ask("board.power_cut")
        self._powered = False

    def reset(self) -> None:
        self.ask("board.reset")

    def write(self, data: bytes) -> None:
        self.ask("board.write", data)

    def write_at(self, data: bytes, times: Sequence[float]) -> None:
        """As EmulatedPico.write_at; handed over with the next slice."""
        if self._powered:
            self._written.append((data, list(times)))

    def read(self) -> bytes:
        return self.read_timed()[0]

    def read_timed(self) -> tuple[bytes, list[float]]:
        data, times = bytes(self._data), self._times
        self._data, self._times = bytearray(), []
        return data, times

    def close(self) -> None:
        """End the process; its board is without power then."""
        self._process.close()


class _Served:
    """In the child."""

    def __init__(self, ask: Ask, maker: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self.made = maker(ask, **arguments)

    def slice(
        self, until: float, written: Sequence[tuple[bytes, list[float]]]
    ) -> tuple[float, bool, bytes, list[float]]:
        """Run to ``until`` with what was written before; (board time, powered, bytes sent, their times)."""
        board = self.made.board
        for data, times in written:
            board.write_at(data, times)
        board.run(max(0.0, until - board.time))
        return board.time, board.powered, *board.read_timed()
