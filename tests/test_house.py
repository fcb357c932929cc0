"""The rules of the house: who may import whom, and that generated files are fresh."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from rovercam.dictionary import load
from rovercam.dictionary.generate import generated

ROOT = Path(__file__).resolve().parents[1]
HOST = ROOT / "host" / "rovercam"
HIL = ROOT / "hil"
FIRMWARE = ROOT / "firmware"


IMPORTS = """
import ast, json, sys
from pathlib import Path

def imports(file):
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return sorted(found)

print(json.dumps({str(file): imports(file) for folder in sys.argv[1:] for file in Path(folder).rglob("*.py")}))
"""


@cache
def _all_imports() -> dict[str, list[str]]:
    """In a process of its own: CPython 3.11's parser fails when threads of other tests use it at the same time."""
    words = [sys.executable, "-c", IMPORTS, str(HOST), str(HIL), str(FIRMWARE)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def imports(file: Path) -> set[str]:
    """Full names of everything a file imports."""
    return set(_all_imports()[str(file)])


def offenders(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted(folder.rglob("*.py"))
        for name in sorted(imports(file))
        if any(name == f or name.startswith(f + ".") for f in forbidden)
    ]


def test_host_imports_neither_bench_nor_firmware() -> None:
    assert offenders(HOST, ("rovercam_hil", "rover")) == []


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("protocol", ("rovercam.line", "rovercam.archive", "rovercam.station", "rovercam.web", "rovercam.cli", "serial", "asyncio", "socket", "time")),
        ("line", ("rovercam.protocol", "rovercam.archive", "rovercam.station", "rovercam.web", "rovercam.cli")),
        ("archive", ("rovercam.line", "rovercam.station", "rovercam.web", "rovercam.cli")),
        ("web", ("rovercam.line", "serial")),
        ("station", ("rovercam.web", "rovercam.cli")),
        ("dictionary", ("rovercam.protocol", "rovercam.line", "rovercam.archive", "rovercam.station")),
    ],
)  # fmt: skip
def test_imports_point_one_way(folder: str, forbidden: tuple[str, ...]) -> None:
    assert offenders(HOST / folder, forbidden) == []


def test_only_the_board_folder_imports_machine() -> None:
    found = [
        str(file.relative_to(FIRMWARE))
        for file in sorted((FIRMWARE / "rover").rglob("*.py"))
        if "board" not in file.relative_to(FIRMWARE).parts
        and any(n.split(".")[0] in ("machine", "rp2") for n in imports(file))
    ]
    assert found == []


def test_every_folder_has_files_that_the_rules_look_at() -> None:
    for folder in (HOST / "protocol", HOST / "station", FIRMWARE / "rover", HIL / "rovercam_hil"):
        assert len(list(folder.rglob("*.py"))) > 3, folder


def test_generated_files_are_fresh() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, content in generated(load(), ROOT).items()
        if not path.exists() or path.read_bytes() != content
    ]
    assert stale == [], "run: rovercam dictionary generate"
