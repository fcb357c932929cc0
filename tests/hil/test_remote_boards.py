"""Boards on other machines: behind an RFC 2217 server, and leased from a lab. The emulated Pico stands at the far end."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
import serial
import serial.rfc2217
from rovercam.keys import KeyStore
from rovercam_hil.boards.base import BoardError
from rovercam_hil.boards.endpoint import Tcp
from rovercam_hil.boards.serve import Service
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.lab.lease import lease
from rovercam_hil.suite.bench import Options, build

STEP_S = 60.0


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Its key store knows the unit."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROVERCAM_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def port(home, micropython_image):
    """TCP port of a running unit's line."""
    unit = make_unit(unit=1, seed=1, bare=True, baud=115200, image=micropython_image)
    KeyStore(home / "keys").put(1, unit.key)
    unit.board.power_on()
    line, repl = Tcp(0), Tcp(0)
    stop = threading.Event()
    thread = threading.Thread(target=Service(unit.board, line, repl).run, args=(stop.is_set,), daemon=True)
    thread.start()
    yield int(line.name.rsplit(":", 1)[1])
    stop.set()
    thread.join(30)
    line.close()
    repl.close()
    unit.board.close()


def answers(board, folder):
    """The unit behind ``board`` executes a command."""
    unit = build(Options(board=board, baud=115200), folder, start=False)
    try:
        unit.commandable(STEP_S)
    finally:
        unit.close()


class Rfc2217Server:
    """RFC 2217 on a free port, for one client after the other; behind it a pyserial port."""

    def __init__(self, url):
        self._url = url
        self._stop = threading.Event()
        self._listen = socket.create_server(("127.0.0.1", 0))
        self._listen.settimeout(0.2)
        self.port = self._listen.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.negotiated = []

    def _run(self):
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listen.accept()
                with client, serial.serial_for_url(self._url, timeout=0) as far:
                    self._serve(client, far)

    def _serve(self, client, far):
        client.settimeout(0.005)

        class Connection:
            write = staticmethod(client.sendall)

        manager = serial.rfc2217.PortManager(far, Connection)
        with contextlib.suppress(OSError):
            while not self._stop.is_set():
                try:
                    data = client.recv(1024)
                    if not data:
                        return
                    far.write(b"".join(manager.filter(data)))
                    self.negotiated.append(far.baudrate)
                except TimeoutError:
                    pass
                if far.in_waiting and (data := far.read(1024)):
                    client.sendall(b"".join(manager.escape(data)))

    def close(self):
        self._stop.set()
        self._thread.join(10)
        self._listen.close()


def test_rfc2217(port, home, tmp_path):
    server = Rfc2217Server(f"socket://127.0.0.1:{port}")
    try:
        answers(f"rfc2217://127.0.0.1:{server.port}", tmp_path)
        assert server.negotiated[-1] == 115200
    finally:
        server.close()


ENVIRONMENT = """
imports: [rovercam_hil.lab.driver]
options: {{coordinator_address: "127.0.0.1:{coordinator}"}}
targets:
  main:
    resources: {{RemotePlace: {{name: rover}}}}
    drivers: {{RoverCameraDriver: {{}}}}
"""
EXPORT = "rover: {{NetworkSerialPort: {{host: 127.0.0.1, port: {port}, protocol: raw, speed: 115200}}}}\n"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture
def lab(port, tmp_path):
    """labgrid's own coordinator and exporter, with the place ``rover``; (environment file, client of labgrid)."""
    pytest.importorskip("labgrid", reason="labgrid is not installed (extra lab)")
    coordinator = free_port()
    (tmp_path / "export.yaml").write_text(EXPORT.format(port=port))
    environment = tmp_path / "environment.yaml"
    environment.write_text(ENVIRONMENT.format(coordinator=coordinator))
    started = []

    def start(module, *words):
        with (tmp_path / f"{module}.log").open("w") as log:
            command = [sys.executable, "-m", f"labgrid.remote.{module}", *words]
            started.append(subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log))

    def client(*words, user=None):
        done = subprocess.run(
            [sys.executable, "-m", "labgrid.remote.client", "-x", f"127.0.0.1:{coordinator}", *words],
            capture_output=True, text=True, timeout=STEP_S, check=False,
            env={**os.environ, **({"LG_USERNAME": user} if user else {})},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def until(what, *words):
        end = time.monotonic() + STEP_S
        while time.monotonic() < end:
            code, said = client(*words)
            if code == 0 and what in said:
                return
            time.sleep(0.3)
        raise AssertionError(f"labgrid-client {words}: {said}")

    try:
        start("coordinator", "-l", f"127.0.0.1:{coordinator}")
        until("", "places")
        start("exporter", "-c", f"127.0.0.1:{coordinator}", "-n", "bench", "export.yaml")
        until("bench/rover/NetworkSerialPort", "resources")
        assert client("-p", "rover", "create")[0] == 0
        assert client("-p", "rover", "add-match", "bench/rover/NetworkSerialPort")[0] == 0
        yield environment, client
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)


def test_labgrid(lab, home, tmp_path):
    environment, client = lab
    answers(f"labgrid:{environment}", tmp_path / "unit")
    assert "acquired: None" in client("-p", "rover", "show")[1], "the place was not given back"
    assert client("-p", "rover", "acquire", user="somebody")[0] == 0
    with pytest.raises(BoardError, match=r"in use by .*somebody"):
        lease(f"labgrid:{environment}")
    with pytest.raises(BoardError, match="no target 'other'; it has main"):
        lease(f"labgrid:{environment}#other")
    with pytest.raises(BoardError, match="no such labgrid environment"):
        lease("labgrid:nowhere.yaml")
