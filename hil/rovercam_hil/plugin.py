"""The pytest plugin of the bench: fixtures `unit`, `ground`, `line`, `scene`, `power` for scenarios, yours and ours.

    def test_a_picture(ground, scene):
        scene.show(numpy_array)
        assert (ground.shoot(size="size_96x96").pixels == expected).all()

The same scenario runs on the emulated Pico (default), natively (--board native) and on a real board (--board URL). What a real board does not let
the bench do is skipped with the reason. Nothing heavy is imported until a fixture is used.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rovercam_hil.boards.base import VIRTUAL_BOARDS

if TYPE_CHECKING:
    import random

    from rovercam_hil.suite.bench import BenchUnit, Options, Power, View
    from rovercam_hil.suite.evidence import Evidence
    from rovercam_hil.suite.forked import Files
    from rovercam_hil.suite.ground import Ground
    from rovercam_hil.suite.report import Report, Row
    from rovercam_hil.suite.units import Bench
    from rovercam_hil.suite.wire import Wire

WIRES = ("uart", "usb")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rovercam", "rovercam: hardware in the loop")
    group.addoption(
        "--board",
        default="pico",
        metavar="pico|native|URL",
        help="emulated Pico (default), the firmware natively, or a real board's port",
    )
    group.addoption(
        "--image", default=None, metavar="UF2", help="MicroPython of the emulated board; the pinned one is fetched"
    )
    group.addoption("--firmware", default=None, metavar="DIR", help="firmware folder; default: this package's")
    group.addoption("--seed", type=int, default=1, help="of everything random (default 1)")
    group.addoption("--report", default=None, metavar="DIR", help="write report.html and each failure's evidence there")
    group.addoption(
        "--power-command", default="", metavar="CMD", help="switches a real board's power; {state} becomes on or off"
    )
    group.addoption("--wire", default="both", choices=(*WIRES, "both"), help="line of the emulated board")
    group.addoption("--bench-baud", type=int, default=921600, metavar="N", help="rate of the UART")
    group.addoption("--bench-unit", type=int, default=1, metavar="N", help="unit id")
    group.addoption("--no-fork", action="store_true", help="boot for each file, instead of a copy of one booted unit")
    group.addoption("--longest-first", action="store_true", help="begin with the files marked to cost most")
    group.addoption("--fault-scenarios", type=int, default=4, metavar="N", help="random fault scenarios to run")


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "slow: too long for every run; started by command (pytest -m slow)",
        "fresh(extra=…, config=…, bare=…, start=…, baud=…): a unit of its own, with these files and settings",
        "wires(*kinds): lines the scenario runs on: uart (default), usb",
        "cost(seconds): what the file's scenarios take of a processor, about; see --longest-first",
        "timeout(seconds): pytest-timeout's, heeded where that is installed",
    ):
        config.addinivalue_line("markers", line)
    if config.getoption("--longest-first") and hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # pytest-xdist would begin with the files of the most scenarios
    state = config.stash[STATE] = _State(config)
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist sees only its share
        config.pluginmanager.register(_Rows(state), "rovercam_rows")


class _State:
    """Of one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.began = time.monotonic()
        self._report: Report | None = None
        self.folder: Path | None = (
            Path(config.getoption("--report")).absolute() if config.getoption("--report") else None
        )
        self.paths: set[Path] = set()  # files with a scenario in them
        self.files: Files | None = None

    def forked_files(self, session: pytest.Session) -> Files:
        """The children that files of scenarios run in."""
        if self.files is None:
            from rovercam_hil.suite.forked import Files

            factory: pytest.TempPathFactory = self.config._tmp_path_factory  # type: ignore[attr-defined]
            if self.folder is None:  # before there are children, each of which would make one
                self.folder = factory.mktemp("hil-report", numbered=False)
            self.files = Files(session, self.options, factory.mktemp("hil-booted"))
        return self.files

    @property
    def options(self) -> Options:
        return self.report.options

    @property
    def report(self) -> Report:
        if self._report is None:
            from rovercam_hil.suite.bench import Options
            from rovercam_hil.suite.report import Report

            get = self.config.getoption
            firmware = get("--firmware")
            self._report = Report(
                Options(
                    board=get("--board"),
                    image=get("--image"),
                    seed=get("--seed"),
                    baud=get("--bench-baud"),
                    power_command=get("--power-command"),
                    unit=get("--bench-unit"),
                    firmware=Path(firmware).absolute() if firmware else None,
                )
            )
        return self._report

    @property
    def used(self) -> bool:
        return self._report is not None


class _Rows:
    """Gathers the rows of the report, which the workers of pytest-xdist send with their test reports."""

    def __init__(self, state: _State) -> None:
        self._state = state

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        fields = getattr(report, ROW, None)
        if fields is not None:
            from rovercam_hil.suite.report import Row

            self._state.report.rows.append(Row.of(fields))


STATE = pytest.StashKey[_State]()
UNIT = pytest.StashKey[Any]()
EVIDENCE = pytest.StashKey[Any]()
ROW = "rovercam_row"
"""Attribute of a test report: one scenario's row, as plain data."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "wire_kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("wires")
        asked = metafunc.config.getoption("--wire")
        kinds = list(marker.args if marker else WIRES[:1])
        board = metafunc.config.getoption("--board")
        if board not in VIRTUAL_BOARDS:
            kinds = ["port"]
        elif board == "native":  # it has no USB port
            kinds = [k for k in kinds if k == "uart"]
        elif asked != "both":
            kinds = [k for k in kinds if k == asked]
        metafunc.parametrize("wire_kind", kinds, scope="session")


# ---------------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Makes units: ``bench.fresh("uart", extra={…})``; the caller closes them."""
    from rovercam_hil.suite.units import Bench

    state = request.config.stash[STATE]
    if state.folder is None:
        state.folder = tmp_path_factory.mktemp("hil-report", numbered=False)
    made = Bench(state.options, tmp_path_factory.mktemp("hil"), state.files)
    yield made
    made.close()


@pytest.fixture
def unit(request: pytest.FixtureRequest, bench: Bench, wire_kind: str) -> Iterator[BenchUnit]:
    """The unit under test, started and taking commands; shared between scenarios unless marked ``fresh``."""
    marker = request.node.get_closest_marker("fresh")
    made = bench.fresh(wire_kind, **marker.kwargs) if marker else bench.shared(wire_kind, str(request.node.path))
    request.node.stash[UNIT] = made
    made.marks = {
        "recording": len(made.wire.recording),
        "repl": len(made.board.repl_log),
        "history": made.ground.mark(),
    }
    began = made.session.elapsed
    yield made
    made.marks["seconds"] = int(1000 * (made.session.elapsed - began))
    if marker:
        made.close()
        return
    failed = getattr(request.node, "rovercam_failed", False)
    if failed:
        bench.drop(wire_kind)
    else:
        made.mend()


@pytest.fixture
def ground(unit: BenchUnit) -> Ground:
    """The unit's ground station: send, wait for facts, pictures, files."""
    return unit.ground


@pytest.fixture
def line(unit: BenchUnit) -> Wire:
    """The line: ``line.set("ber=1e-4")`` impairs it from now on; it is clear again after the scenario."""
    return unit.wire


@pytest.fixture
def scene(unit: BenchUnit) -> View:
    """What the cameras look at: ``scene.show(array)``, ``scene.brightness = 0.5``. Skipped on a real board."""
    if unit.view is None:
        pytest.skip("a real camera sees what is in front of it: the bench cannot choose the scene")
    return unit.view


@pytest.fixture
def power(unit: BenchUnit) -> Power:
    """Supply and reset: cut, on, cycle, reset, cut_in_flash_write."""
    from rovercam_hil.suite.bench import Power

    return Power(unit)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The scenario's own random numbers, from --seed and its name."""
    from rovercam_hil.suite.bench import randomness

    return randomness(request.config.getoption("--seed"), request.node.name)


@pytest.fixture
def evidence(request: pytest.FixtureRequest, bench: Bench) -> Evidence:
    """Pictures, plots and figures for the report."""
    return _evidence(request.node)


def _evidence(item: pytest.Item) -> Evidence:
    from rovercam_hil.suite.evidence import Evidence, folder_name

    if EVIDENCE not in item.stash:
        state = item.config.stash[STATE]
        assert state.folder is not None
        item.stash[EVIDENCE] = Evidence(item.name, state.folder / folder_name(item.nodeid), state.options.seed)
    found: Evidence = item.stash[EVIDENCE]
    return found


# ---------------------------------------------------------------------------------------------------------- outcomes


def _skipping(item: pytest.Item) -> Generator[None, Any, Any]:
    """What a board does not let the bench do is skipped, with the reason."""
    try:
        return (yield)
    except Exception as error:
        if type(error).__name__ == "CannotControl":
            pytest.skip(str(error))
        raise


def _forks(config: pytest.Config) -> bool:
    """Whether files of scenarios run in forked children: an emulated board, on Linux, without a debugger at the terminal."""
    get = config.getoption
    return (
        sys.platform.startswith("linux")
        and get("--board") == "pico"
        and not (get("--no-fork") or get("usepdb") or get("trace"))
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    state = item.config.stash[STATE]
    if item.path not in state.paths or not _forks(item.config):
        return None
    state.forked_files(item.session).run(item, nextitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _skipping(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _skipping(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if "bench" not in getattr(item, "fixturenames", ()):
        return report
    state = item.config.stash[STATE]
    if report.failed:
        item.rovercam_failed = True  # type: ignore[attr-defined]
        report.sections.append(("rovercam: evidence", _hand_over(item, state)))
    if (
        report.when == "call"
        or (report.when == "setup" and not report.passed)
        or (report.when == "teardown" and report.failed)
    ):
        setattr(report, ROW, _row(item, report).fields())
    return report


def _hand_over(item: pytest.Item, state: _State) -> str:
    """Recording, REPL log and seed of a failed scenario, written beside the report; returns what is where."""
    from rovercam_hil.suite.report import command_line

    text = [f"seed {state.options.seed}; again with: {command_line(state.options, item.nodeid)}"]
    unit: BenchUnit | None = item.stash.get(UNIT, None)
    if unit is not None and state.folder is not None:
        evidence = _evidence(item)
        evidence.files.clear()
        evidence.recording(unit.wire.recording[unit.marks.get("recording", 0) :], unit.session.start)
        evidence.file("repl.log", bytes(unit.board.repl_log[unit.marks.get("repl", 0) :]))
        evidence.file("ground.log", "\n".join(map(str, unit.ground.history[unit.marks.get("history", 0) :])).encode())
        evidence.file("seed.txt", text[0].encode())
        text += [f"{file}" for file in evidence.files]
    return "\n".join(text)


def _row(item: pytest.Item, report: pytest.TestReport) -> Row:
    from rovercam_hil.suite.bench import digest
    from rovercam_hil.suite.report import Row

    unit: BenchUnit | None = item.stash.get(UNIT, None)
    text = ""
    if report.skipped and isinstance(report.longrepr, tuple):
        text = report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed:
        text = report.longreprtext
    row = Row(
        item.nodeid.split("/")[-1], report.outcome, report.duration, text=text, evidence=item.stash.get(EVIDENCE, None)
    )
    if unit is not None:
        pieces = unit.wire.recording[unit.marks.get("recording", 0) :]
        row.digest = digest(pieces)
        row.board_seconds = pieces[-1][1] - pieces[0][1] if pieces else 0.0
        row.heap = unit.ground.least_heap(unit.marks.get("history", 0))
    return row


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--longest-first"):
        return
    costs: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("cost")
        costs[item.path] = max(costs.get(item.path, 0.0), marker.args[0] if marker else 0.0)
    items.sort(key=lambda item: -costs[item.path])


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[STATE].paths = {
        item.path for item in session.items if "bench" in getattr(item, "fixturenames", ())
    }


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    state = session.config.stash[STATE]
    if state.files is not None:
        state.files.close()
    if hasattr(session.config, "workerinput"):
        return
    if state.used and state.config.getoption("--report") and state.report.rows and state.folder is not None:
        state.report.rows.sort(key=lambda row: row.name)  # with several processes they come as they end
        state.report.wall = time.monotonic() - state.began
        state.report.write(state.folder / "report.html")
        digests = "".join(f"{r.digest} {r.outcome} {r.name}\n" for r in state.report.rows)
        (state.folder / "recordings.sha256").write_text(digests, encoding="utf-8")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    state = config.stash[STATE]
    if not state.used or not state.report.rows:
        return
    options = state.options
    boards = {"pico": "emulated Pico", "native": "native board"}
    where = boards.get(options.board, f"real board at {options.board}")
    report = state.report
    terminalreporter.write_line(
        f"rovercam HIL on the {where}, seed {options.seed}: {report.count('passed')} passed, {report.count('failed')} failed, "
        f"{report.count('skipped')} skipped"
    )
    if report.heap():
        terminalreporter.write_line(report.heap())
    if config.getoption("--report"):
        terminalreporter.write_line(f"report: {state.folder}/report.html")


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"rovercam: board {config.getoption('--board')}, seed {config.getoption('--seed')}"]
