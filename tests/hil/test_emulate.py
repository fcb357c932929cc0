"""The commands emulate and line as a user runs them: separate processes, pseudo-terminals, TCP, signals."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import serial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")


@pytest.fixture
def command(tmp_path, micropython_image):
    """command("emulate", …) -> a running process, its first words read."""
    running = []

    def start(*arguments, lines=1):
        environment = {**os.environ, "ROVERCAM_HOME": str(tmp_path / "home")}
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from rovercam.cli import main; import sys; sys.exit(main(sys.argv[1:]))",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        running.append(process)
        return process, [process.stdout.readline().strip() for _ in range(lines)]

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def read_until(port, token, timeout=20.0):
    data, end = b"", time.monotonic() + timeout
    while token not in data:
        assert time.monotonic() < end, data[-300:]
        data += port.read(4096) if isinstance(port, serial.SerialBase) else port.recv(4096)
    return data


def end(process, number=signal.SIGINT):
    process.send_signal(number)
    return process.wait(timeout=20)


def test_line_on_a_linked_pseudo_terminal_carries_frames(command, tmp_path):
    process, words = command("emulate", "--link", "L", "--scene", "pattern")
    assert words == ["unit 1: L"]
    with serial.Serial(str(tmp_path / "L"), 115200, timeout=0.2) as port:
        read_until(port, bytes.fromhex("1acffc1d"), 40.0)  # attached sync marker
    with serial.Serial(str(tmp_path / "L"), 115200, timeout=0.2) as port:  # a client may go and come back
        read_until(port, bytes.fromhex("1acffc1d"), 40.0)
    assert end(process) == 0
    assert not (tmp_path / "L").is_symlink()
    key = tmp_path / "home" / "keys" / "unit-1.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text()) == 65


def test_repl_over_tcp_and_a_file_on_the_unit(command, tmp_path):
    (tmp_path / "given.bin").write_bytes(b"brought along")
    process, words = command(
        "emulate", "--tcp", "0", "--repl", "0", "--strap", "--bare", "--file", "given.bin:/p/given.bin", lines=2
    )
    assert words[0].startswith("unit 1: socket://127.0.0.1:")
    port = int(words[1].rsplit(":", 1)[1])
    for _ in range(2):  # a client may vanish without a word
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"\r\x03")
            read_until(client, b">>> ")
            client.sendall(b"print(open('/p/given.bin').read().upper())\r")
            read_until(client, b"BROUGHT ALONG")
    assert end(process, signal.SIGTERM) == 0


def test_usb_line_is_the_usb_port(command, tmp_path):
    process, _ = command("emulate", "--usb", "--strap", "--link", "U", "--bare")
    with serial.Serial(str(tmp_path / "U"), 115200, timeout=0.2) as port:
        port.write(b"\r\x03")
        read_until(port, b">>> ")
    assert end(process) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--scene", "venus"], 2, "expected 'mars', 'pattern' or a picture file"),
        (["--line", "bear=1"], 2, "no key 'bear'"),
        (["--file", "x"], 2, "expected LOCAL:REMOTE"),
        (["--link", "a", "--tcp", "1"], 2, "one of them"),
        (["--usb", "--repl", "1"], 2, "no REPL beside it"),
        (["--image", "none.uf2"], 1, "no such file"),
        (["--link", "taken"], 1, "a file of this name already"),
        (["--unit", "300"], 2, "255"),
    ],
)
def test_wrong_use_says_what_is_wrong(command, tmp_path, arguments, code, says):
    (tmp_path / "taken").write_text("")
    process, _ = command("emulate", "--bare", *arguments, lines=0)
    _, words = process.communicate(timeout=30)
    assert process.returncode == code
    assert says in " ".join(words.replace("│", " ").split())


def test_line_between_two_ports_impairs_and_counts(command, tmp_path):
    process, words = command("line", "pty:A", "tcp:0", "--spec", "baud=921600,drop=0.2,seed=4", "--json")
    port = int(words[0].rsplit(":", 1)[1])
    with (
        serial.Serial(str(tmp_path / "A"), 115200, timeout=0.1) as a,
        socket.create_connection(("127.0.0.1", port), timeout=5) as b,
    ):
        time.sleep(0.1)
        sent = bytes(range(1, 101)) * 10
        a.write(sent)
        got, stop = b"", time.monotonic() + 3
        b.settimeout(0.3)
        while time.monotonic() < stop:
            with contextlib.suppress(TimeoutError):
                got += b.recv(4096)
    assert 700 <= len(got) <= 900
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert f'"dropped": {1000 - len(got)}' in out
