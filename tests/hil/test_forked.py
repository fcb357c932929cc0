"""Files of scenarios in forked copies of a booted unit: nothing leaks, records stay the same, what goes wrong is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files are forked on Linux only")

LEAVES = """
    import os, pytest

    @pytest.fixture(scope="module")
    def kept():
        yield "for the file"
        with open("ended", "a") as out:
            out.write("once ")

    def test_leaves_something(bench, kept):
        os.environ["LEFT_BEHIND"] = kept

    def test_the_same_file_finds_it(bench, kept):
        assert os.environ["LEFT_BEHIND"] == kept
"""
FINDS_NOTHING = """
    import os

    def test_another_file_does_not(bench):
        assert "LEFT_BEHIND" not in os.environ
"""
DIES = """
    import os, time, pytest

    def test_ends(bench):
        os._exit(7)

    def test_is_killed(bench):
        os.kill(os.getpid(), 9)

    def test_goes_on(bench):
        print("on it goes")

    @pytest.mark.timeout(2)
    def test_hangs(bench):
        time.sleep(600)

    def test_goes_on_again(bench):
        pass
"""
PINGS = """
    def test_ping(unit, ground):
        ground.do("ping")
"""
FAILS = """
    def test_fails(unit, ground, evidence):
        evidence.value("figure", 42.5, "m")
        ground.do("ping")
        assert ground.unit == 77, "on purpose"
"""


class Run:
    """The outcomes of a run of pytest with these files, by the name of the scenario."""

    def __init__(self, folder: Path, files: dict[str, str], *words: str) -> None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(dedent(text))
        self.report = folder / "report"
        command = [
            sys.executable,
            "-m",
            "pytest",
            ".",
            "-p",
            "rovercam_hil.plugin",
            "-p",
            "no:cacheprovider",
            "-o",
            "addopts=",
        ]
        command += ["--rootdir", ".", "--report", "report", "--junitxml", "junit.xml", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        self.said = done.stdout + done.stderr
        self.junit = ElementTree.parse(folder / "junit.xml").getroot()
        # Digest (empty without a unit), outcome, name.
        rows = [line.split(" ") for line in (self.report / "recordings.sha256").read_text().splitlines()]
        self.outcomes = {name.split("::")[1]: outcome for _, outcome, name in rows}
        self.digests = {name: digest for digest, _, name in rows if digest}


def test_a_file_begins_with_nothing_of_another_one(tmp_path: Path) -> None:
    files = {"test_1.py": LEAVES, "test_2.py": FINDS_NOTHING}
    assert set(Run(tmp_path / "forked", files).outcomes.values()) == {"passed"}
    assert (
        tmp_path / "forked/ended"
    ).read_text() == "once "  # what the file's fixtures leave is tidied up, in the child
    # And what is looked for would be found.
    assert Run(tmp_path / "plain", files, "--no-fork").outcomes["test_another_file_does_not"] == "failed"


def test_a_process_that_dies_or_hangs_is_a_failure_and_the_next_scenario_runs(tmp_path: Path) -> None:
    pytest.importorskip("pytest_timeout")
    run = Run(tmp_path / "run", {"test_dies.py": DIES}, "-n", "1", "--dist", "loadfile")
    bad = {"test_ends": "ended with code 7", "test_is_killed": "ended by signal 9", "test_hangs": "Timeout"}
    good = {"test_goes_on", "test_goes_on_again"}
    assert run.outcomes == dict.fromkeys(bad, "failed") | dict.fromkeys(good, "passed")
    told = {case.get("name"): case.find("failure") for case in run.junit.iter("testcase")}
    for name, words in bad.items():
        failure = told[name]
        assert failure is not None
        assert words in f"{failure.get('message')} {failure.text}"
    assert all(told[name] is None for name in good)


def test_records_are_those_of_a_boot_and_evidence_of_a_failure_arrives(tmp_path: Path, micropython_image: Path) -> None:
    forked = Run(tmp_path / "forked", {"test_a.py": PINGS, "test_b.py": FAILS + PINGS, "test_c.py": PINGS})
    booted = Run(tmp_path / "booted", {"test_a.py": PINGS}, "--no-fork")
    # Each of these is the first thing that is done with its unit; the second of test_b.py boots, for the first has failed.
    names = ("a.py::test_ping", "b.py::test_fails", "b.py::test_ping", "c.py::test_ping")
    assert len(booted.digests["test_a.py::test_ping[uart]"]) == 64
    assert {forked.digests[f"test_{name}[uart]"] for name in names} == set(booted.digests.values())
    assert forked.outcomes["test_fails[uart]"] == "failed"
    folder = forked.report / "test_b.py_test_fails_uart"
    for name in ("line.rec", "repl.log", "ground.log", "seed.txt"):
        assert (folder / name).exists()
    assert "connection_test" in (folder / "ground.log").read_text()
    page = (forked.report / "report.html").read_text()
    assert "42.5 m" in page
    assert "on purpose" in page
    assert "test_b.py_test_fails_uart/line.rec" in page
    assert forked.junit.find(".//testcase[@name='test_fails[uart]']/failure") is not None


def test_with_longest_first_the_costly_file_runs_first(tmp_path: Path) -> None:
    costly = "import pytest\npytestmark = pytest.mark.cost(40)\ndef test_much(bench): pass\n"
    files = {"test_a.py": "def test_little(bench): pass\n", "test_b.py": costly}
    run = Run(tmp_path / "run", files, "--longest-first")
    assert [case.get("name") for case in run.junit.iter("testcase")] == ["test_much", "test_little"]
