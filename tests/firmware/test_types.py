"""The firmware's types, checked by mypy against the MicroPython stubs."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUBS = ("micropython-rp2-rpi_pico_w-stubs", "micropython-stdlib-stubs")
CHIP = ROOT / "hil" / "rovercam_hil" / "boards" / "native" / "chip"
CONFIG = """
[mypy]
python_version = 3.11
platform = linux
mypy_path = {firmware}:{chip}:{typings}
custom_typeshed_dir = {typings}
explicit_package_bases = True
namespace_packages = True
no_site_packages = True
check_untyped_defs = False

# Another board's module; its stubs and these exclude one another.
[mypy-esp32]
ignore_missing_imports = True

# The stubs of this board leave out the inline assembler, which it has.
[mypy-rover.imaging.coder_thumb,rover.imaging.kernels_thumb,rover.imaging.planes_thumb]
disable_error_code = attr-defined
"""


@pytest.fixture(scope="module")
def typings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A typeshed made of the MicroPython stubs; the packages install theirs beside everything else."""
    mypy = pytest.importorskip("mypy", reason="mypy is not installed (extra dev)")
    folder = tmp_path_factory.mktemp("typings")
    for package in STUBS:
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed (extra dev)")
        for file in files:
            if file.suffix == ".pyi" or file.name == "VERSIONS":
                target = folder / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)
    extensions = Path("stubs", "mypy-extensions")
    shutil.copytree(Path(mypy.__file__).parent / "typeshed" / extensions, folder / extensions, dirs_exist_ok=True)
    return folder


def check(typings: Path, tmp_path: Path, *paths: Path) -> list[str]:
    """mypy's errors in files outside the stubs."""
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG.format(firmware=ROOT / "firmware", chip=CHIP, typings=typings))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(config),
            "--cache-dir",
            str(tmp_path / "cache"),
            *map(str, paths),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    return [line for line in lines if ": error:" in line and str(typings) not in line and not line.startswith("../")]


def test_firmware_types(typings: Path, tmp_path: Path) -> None:
    errors = check(typings, tmp_path, ROOT / "firmware" / "rover")
    assert not errors, "\n".join(errors)


def test_types_of_the_native_boards_chip(typings: Path, tmp_path: Path) -> None:
    errors = check(typings, tmp_path, *sorted(CHIP.glob("*.py")))
    assert not errors, "\n".join(errors)


def test_the_check_finds_an_error(typings: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from machine import Pin\n\n\ndef f() -> int:\n    return Pin(1).no_such_method()\n")
    assert any("no_such_method" in line for line in check(typings, tmp_path, wrong))
