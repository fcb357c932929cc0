"""Files of scenarios in forked processes: each goes on from a unit that has really booted, and has that unit to itself.

A boot costs an emulated unit some three seconds of processor time, and every file of scenarios begins with a unit of its
own. On Linux a process of the suite boots one unit for each line, and forks for each file: the child has the emulated
chip with its flash and clock, the models, the line and the station as they were after the boot, and records the very
bytes that a boot of its own would have given. What happens in a child stays there; its reports come back over a pipe.

A scenario with a unit of its own (``fresh``) still boots it. A child that dies fails the scenario it was at, and the next
scenario of the file has a new child. Not carried over from a child: warnings, and coverage.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from rovercam_hil.suite.bench import BenchUnit, Options, build


class ChildDied(Exception):
    """The child ended without a report; the message says how."""


class Files:
    """The children of one pytest process; one lives at a time."""

    def __init__(self, session: pytest.Session, options: Options, folder: Path) -> None:
        self._session = session
        self._options = options
        self._folder = folder
        self._places = {item: k for k, item in enumerate(session.items)}
        self._units: dict[str, BenchUnit | None] = {}
        self._child: Child | None = None
        self._inside = False

    # --------------------------------------------------------------------------------------------- in the parent
    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """One scenario in its file's child, and its reports to all who listen."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _reports(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        last = nextitem is None or nextitem.path != item.path
        try:
            if self._child is None:
                # Fixtures that this process holds are not for another one: a copy of a socket or a database does harm.
                self._session._setupstate.teardown_exact(None)
                self._boot(item)
                self._child = Child(self._serve)
            sent = self._child.run(self._places[item], None if nextitem is None or last else self._places[nextitem])
        except (ChildDied, pytest.fail.Exception) as error:  # the latter is what pytest-timeout raises here
            self.close(kill=True)
            return [_failed(item, str(error))]
        except BaseException:
            self.close(kill=True)
            raise
        if last:
            self.close()
        load = item.config.hook.pytest_report_from_serializable
        return [load(config=item.config, data=data) for data in sent]

    def _boot(self, item: pytest.Item) -> None:
        """Have a unit at rest for each line that the item's file shares one on."""
        kinds = {
            other.callspec.params["wire_kind"]  # type: ignore[attr-defined]
            for other in self._session.items
            if other.path == item.path
            and "unit" in getattr(other, "fixturenames", ())
            and not other.get_closest_marker("fresh")
        }
        for kind in sorted(kinds - self._units.keys()):
            try:
                unit = build(self._options, self._folder / kind, wire=kind)
                unit.rest()
                self._units[kind] = unit
            except Exception:  # then each scenario boots for itself, and fails or is skipped for its own reason
                self._units[kind] = None

    def close(self, kill: bool = False) -> None:
        if self._child is not None:
            self._child.end(kill)
            self._child = None

    # ---------------------------------------------------------------------------------------------- in the child
    def take(self, kind: str, folder: Path) -> BenchUnit | None:
        """The booted unit of a line, once, with its files in a new ``folder``; None: there is none."""
        unit = self._units.pop(kind, None) if self._inside else None
        if unit is not None:
            unit.go_on(folder)
        return unit

    def _serve(self, pipe: Connection) -> None:
        self._inside = True
        session = self._session
        save = session.config.hook.pytest_report_to_serializable
        while True:
            try:
                at, following = pipe.recv()
            except EOFError:  # the run ends before the file does
                session._setupstate.teardown_exact(None)
                return
            nextitem = None if following is None else session.items[following]
            try:
                reports = runtestprotocol(session.items[at], log=False, nextitem=nextitem)
            except pytest.exit.Exception as error:
                pipe.send(("exit", error.msg))
                return
            pipe.send(("reports", [save(config=session.config, report=report) for report in reports]))


class Child:
    """A copy of this process that does ``serve`` with its end of a pipe and ends; the constructor returns in the parent only."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._pipe, there = multiprocessing.Pipe()
        gc.collect()
        gc.freeze()  # a collection in the child does not touch, and so copy, every page
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of pytest-xdist: they hold no lock of ours
            self._pid = os.fork()
        if self._pid == 0:
            self._pipe.close()
            _live(serve, there)
        gc.unfreeze()
        there.close()

    def run(self, item: int, following: int | None) -> list[dict[str, Any]]:
        """Reports of one item, as plain data. Raises ChildDied, and pytest's Exit when the scenario ends the run."""
        try:
            self._pipe.send((item, following))
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            raise ChildDied(f"the process of this scenario {self._how()}") from None
        if kind == "exit":
            raise pytest.exit.Exception(value)
        if kind == "broken":
            raise ChildDied(f"the process of this scenario broke:\n{value}")
        return list(value)

    def end(self, kill: bool) -> None:
        if kill and self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._pipe.close()  # it reads the end of the pipe, and ends
        if self._pid:
            self._how()

    def _how(self) -> str:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        code = os.waitstatus_to_exitcode(status)
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _live(serve: Callable[[Connection], None], pipe: Connection) -> None:
    code = 0
    try:
        serve(pipe)
    except BaseException:
        code = 1
        with suppress(OSError):
            pipe.send(("broken", traceback.format_exc()))
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # nothing of the parent's is to be tidied up here


def _failed(item: pytest.Item, text: str) -> pytest.TestReport:
    call: pytest.CallInfo[None] = pytest.CallInfo.from_call(lambda: pytest.fail(text, pytrace=False), "call")
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return report
