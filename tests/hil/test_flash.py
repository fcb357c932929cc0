"""`rovercam flash` against the emulated Pico's prompt: from blank to a unit, unchanged, half done, refused."""

import random
import threading

import pytest
from rovercam.line import ports
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.endpoint import Tcp
from rovercam_hil.boards.pico import EmulatedPico
from rovercam_hil.boards.serve import Service
from rovercam_hil.cli.flash import flash, only_board
from rovercam_hil.devices.rig import standard_rig
from rovercam_hil.flashing import install
from rovercam_hil.flashing.prompt import MARKER, FlashError, Prompt, open_prompt

SMALL = {
    "boot.py": "import sys\n",
    "main.py": "print('unit runs')\n",
    "rover/__init__.py": "",
    "rover/one.py": "X = 1\n",
}


class Served:
    """A blank emulated Pico (MicroPython, empty flash) whose prompt is a TCP port."""

    def __init__(self, image):
        self.board = EmulatedPico(image=image, devices=standard_rig().devices, strap=True)
        self.board.power_on()
        self.line, self.repl = Tcp(0), Tcp(0)
        self.url = self.repl.name
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=Service(self.board, self.line, self.repl).run, args=(self._stop.is_set,), daemon=True
        )
        self._thread.start()

    def close(self):
        self._stop.set()
        self._thread.join(20)
        self.line.close()
        self.repl.close()

    def files(self):
        """What is on the flash; only after close()."""
        return filesystem.read_all(self.board.flash_bytes())


@pytest.fixture
def served(micropython_image, tmp_path, monkeypatch):
    monkeypatch.setenv("ROVERCAM_HOME", str(tmp_path / "home"))
    made = Served(micropython_image)
    yield made
    made.close()
    made.board.close()


@pytest.fixture
def firmware(tmp_path):
    folder = tmp_path / "firmware"
    for name, text in SMALL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def wanted(found, firmware):
    return install.contents(found, install.settings(found, {}, {"unit": 7}), bytes(range(32)), firmware)


def test_a_blank_board_becomes_a_unit_and_a_second_run_changes_nothing(served, capsys):
    flash(port=served.url, line="uart", unit=5, no_start=True)
    said = capsys.readouterr().out
    assert "BAD" not in said
    assert "id 0x81" in said
    assert "decoded by the ground's receiver" in said
    flash(port=served.url, no_start=True)
    said = capsys.readouterr().out
    assert "are right already" in said
    assert "unit 5" in said
    served.close()
    there = served.files()
    assert b'"unit":5' in there["/config.json"]
    wanted = filesystem.installed(filesystem.firmware_files())
    assert {p: d for p, d in there.items() if p in wanted} == wanted


def test_interrupted_anywhere_a_second_run_repairs(served, firmware, micropython_image):
    """The connection goes at a random moment of the writing, several times over; never half a firmware with a start."""
    rng = random.Random(6)
    for name in range(16):
        (firmware / f"rover/m{name}.py").write_text(f"D = {rng.randbytes(900)!r}\n")
    for k in range(3):
        for name in range(0, 16, 2):
            (firmware / f"rover/m{name}.py").write_text(f"D = {rng.randbytes(900)!r}\nX = {k}\n")
        with open_prompt(served.url, 115200) as prompt:
            files = wanted(prompt.recognise(), firmware)
            made = install.compare(prompt, files)
            stop_at = rng.randrange(max(1, made.size - 2000))

            def cut(done, prompt=prompt, stop_at=stop_at):
                if done >= stop_at:
                    prompt._transport.serial.close()

            with pytest.raises((FlashError, OSError)):
                install.install(prompt, made, cut)
    with open_prompt(served.url, 115200) as prompt:
        found = prompt.recognise()
        install.install(prompt, install.compare(prompt, wanted(found, firmware)))
        assert install.compare(prompt, wanted(found, firmware), verify=True).empty
    served.close()
    there = served.files()
    assert all(there[p] == d for p, d in wanted(found, firmware).items())


def test_stale_modules_go_and_only_what_changed_is_copied(served, firmware):
    with open_prompt(served.url, 115200) as prompt:
        found = prompt.recognise()
        install.install(prompt, install.compare(prompt, wanted(found, firmware)))
        (firmware / "rover/one.py").rename(firmware / "rover/two.py")
        prompt.run("import os\nos.mkdir('/a');os.mkdir('/a/rover')\nf=open('/a/rover/one.mpy','wb');f.close()")
        made = install.compare(prompt, wanted(found, firmware))
        assert set(made.write) == {"/a.slot", "/b.slot", *install.LAST}
        assert made.remove == ["/a/rover/one.mpy"]  # as older firmware lies there
        install.install(prompt, made)
        assert prompt.value("import os\nprint('a' in os.listdir('/'))") is False
        assert install.compare(prompt, wanted(found, firmware), verify=True).empty
        # A file that changed behind the manifest's back is found by hashing.
        prompt.run("f=open('/b.slot','r+b');f.write(b'?');f.close()")
        assert set(install.compare(prompt, wanted(found, firmware), verify=True).write) == {"/b.slot", *install.LAST}


def test_what_is_no_board_is_said(served):
    with open_prompt(served.url, 115200) as prompt:
        prompt.run("import sys")
        with pytest.raises(FlashError, match="ZeroDivisionError"):
            prompt.run("1/0")
    silent = Tcp(0)
    try:
        prompt = Prompt(silent.name)
        with pytest.raises(FlashError, match="hold BOOTSEL"):
            prompt.enter(timeout=0.5)
        prompt.close()
    finally:
        silent.close()


class Answers(Prompt):
    """A prompt that says it is this machine."""

    def __init__(self, *answer):
        self.url = "port"
        self._answer = answer

    def value(self, source):
        return self._answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (("micropython", (1, 19, 1), "Raspberry Pi Pico with RP2040"), "1.19.1 is too old"),
        (("circuitpython", (9, 0, 0), "Raspberry Pi Pico with rp2040"), "circuitpython runs on this board"),
        (("micropython", (1, 27, 0), "PYBv1.1 with STM32F405RG"), "is no board that the firmware knows"),
    ],
)
def test_wrong_boards_are_refused(answer, message):
    with pytest.raises(FlashError, match=message):
        Answers(*answer).recognise()


def test_a_unit_on_its_line_is_heard_between_two_frames():
    """It answers nothing to the prompt's keys; its next frame, some time later, says what it is."""
    line, stop = Tcp(0), threading.Event()

    def unit():
        while not stop.wait(1.5):
            line.read()
            line.write(MARKER + bytes(255))
            line.flush()

    sending = threading.Thread(target=unit, daemon=True)
    sending.start()
    try:
        with Prompt(line.name) as prompt, pytest.raises(FlashError, match="a camera unit runs here"):
            prompt.enter(timeout=0.5)
    finally:
        stop.set()
        sending.join()
        line.close()


@pytest.mark.parametrize(
    ("there", "message"), [((), "no board is plugged in"), ((0, 1), "several boards: /dev/ttyACM0")]
)
def test_without_a_port_there_must_be_one_board(monkeypatch, there, message):
    found = [ports.Port(device=f"/dev/ttyACM{k}", description="", board="Raspberry Pi Pico") for k in there]
    monkeypatch.setattr(ports, "ports", lambda: found)
    with pytest.raises(FlashError, match=message):
        only_board()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_kills(served, tmp_path):
    """`pytest tests/hil/test_flash.py -m slow`: the command itself, killed at 50 random moments; then it always ends good."""
    import subprocess
    import sys
    import time

    rng = random.Random(50)
    command = [sys.executable, "-m", "rovercam.cli", "flash", "--port", served.url, "--line", "uart", "--no-start"]
    for k in range(50):
        # Every run begins with something to do: another role changes the settings, --erase the rest.
        extra = ["--role", ("rover", "remote")[k % 2]] + (["--erase"] if k % 10 == 0 else [])
        running = subprocess.Popen([*command, *extra], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(1.0, 20.0))
        running.kill()
        running.wait()
    done = subprocess.run([*command, "--role", "rover"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    again = subprocess.run(
        [*command, "--verify", "--self-test"], capture_output=True, text=True, timeout=300, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "are right already" in again.stdout
