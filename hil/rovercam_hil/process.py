"""A second process that keeps one object and does what it is told: an emulated chip keeps the interpreter to itself while it
runs, so that only a process of its own runs beside it.

Messages are pickles on the pipes of the child, one answer to each, in order. While the first process waits for an answer the
child may ask it something (`ask`), which ``serve`` answers.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any

_ASK, _VALUE, _ERROR = "ask", "value", "error"
_END_S = 5.0  # the child has so long to end by itself

Ask = Callable[..., Any]
"""ask(name, *arguments): the first process's answer."""


class ProcessFailed(RuntimeError):
    """What went wrong in the child, or that it has ended."""


class Process:
    """``maker``, of an importable module, is called in the child with ``ask`` and the ``arguments`` (plain data); what it returns
    is kept there. ``serve(name, *arguments)`` answers the child's questions."""

    def __init__(
        self, maker: Callable[..., Any], arguments: dict[str, Any], serve: Callable[..., Any] | None = None
    ) -> None:
        self._serve = serve
        self._child = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send(maker, arguments)

    def send(self, *message: Any) -> None:
        """A message (path, arguments), see `ask`; its answer is to be fetched by `answer`."""
        assert self._child.stdin is not None
        try:
            _put(self._child.stdin, message)
        except OSError:
            raise self._gone() from None

    def answer(self) -> Any:
        """The answer to the oldest message that has none yet. Raises ProcessFailed."""
        assert self._child.stdout is not None
        while True:
            try:
                kind, *rest = pickle.load(self._child.stdout)
            except (EOFError, OSError):
                raise self._gone() from None
            if kind == _VALUE:
                return rest[0]
            if kind == _ERROR:
                raise ProcessFailed(rest[0])
            assert self._serve is not None, "the child asks, and nobody answers"
            self.send(self._serve(*rest))

    def ask(self, path: str, *arguments: Any) -> Any:
        """Value of ``path`` (names joined by dots, from what the maker returned), called when it can be."""
        self.send(path, arguments)
        return self.answer()

    def _gone(self) -> ProcessFailed:
        return ProcessFailed(f"its process ended (exit code {self._child.wait()}); its last words are above")

    def close(self) -> None:
        """End the child."""
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was still to be flushed: nobody reads it
                pipe.close()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def _put(pipe: IO[bytes], message: Any) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


class _Child:
    def __init__(self, into: IO[bytes], out: IO[bytes]) -> None:
        self._into, self._out = into, out
        maker, arguments = pickle.load(into)
        self._made = maker(self._ask, **arguments)

    def _ask(self, name: str, *arguments: Any) -> Any:
        _put(self._out, (_ASK, name, *arguments))
        return pickle.load(self._into)[0]

    def serve(self) -> None:
        """Until the first process closes the pipe."""
        while True:
            path, arguments = pickle.load(self._into)
            _put(self._out, (_VALUE, self._value(path, arguments)))

    def _value(self, path: str, arguments: Sequence[Any]) -> Any:
        found = self._made
        for name in path.split("."):
            found = getattr(found, name)
        return found(*arguments) if callable(found) else found


def main() -> int:
    into = sys.stdin.buffer
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints does not go between the messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which then closes the pipe
    try:
        _Child(into, out).serve()
    except (EOFError, BrokenPipeError):
        return 0
    except Exception as error:
        with contextlib.suppress(OSError):
            _put(out, (_ERROR, f"{type(error).__name__}: {error}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
