"""What the bench needs from a board, emulated or real: power, reset, its line, its REPL log, and time.

Scenarios and the demo speak to this interface only. Times are seconds of the board's own clock (virtual on an
emulated board, the wall clock on a real one), counted from the creation of the object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class BoardError(RuntimeError):
    """Base of what a board can report; the message says what was expected, what came and what to do."""


class BoardTimeout(BoardError):
    """Something awaited from the board did not come in time."""


class Board(ABC):
    """One camera unit as the bench sees it."""

    name: str = "board"
    repl_log: bytearray  # everything the REPL has printed since creation, across resets

    @property
    @abstractmethod
    def time(self) -> float:
        """Seconds since creation, on the board's clock."""

    @property
    @abstractmethod
    def powered(self) -> bool:
        """Whether supply voltage is on."""

    @abstractmethod
    def power_on(self) -> None:
        """Switch the supply on; the firmware boots as time advances. No effect when on already."""

    @abstractmethod
    def power_off(self) -> None:
        """Switch the supply off in an orderly way: waits for a flash operation under way."""

    @abstractmethod
    def power_cut(self) -> None:
        """Take the supply away this instant, also in the middle of a flash write (leaving it torn)."""

    @abstractmethod
    def reset(self) -> None:
        """Pulse the reset pin."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Bytes towards the unit on its line, starting now (or behind what is still on the way)."""

    @abstractmethod
    def read(self) -> bytes:
        """Bytes the unit has sent on its line since the last call."""

    @abstractmethod
    def run(self, seconds: float) -> None:
        """Let the board run for so long."""

    def close(self) -> None:  # noqa: B027 - most boards hold nothing
        """Let go of files and ports. The board is not usable afterwards."""
