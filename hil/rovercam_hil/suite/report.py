"""The suite's report: what ran, on which board, image, firmware and git state; pictures and plots inside. One HTML file."""

from __future__ import annotations

import hashlib
import html
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from rovercam import places

from rovercam_hil.boards import filesystem
from rovercam_hil.boards.base import BoardError
from rovercam_hil.suite.bench import Options
from rovercam_hil.suite.evidence import Evidence

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass
class Row:
    """One scenario. seconds: of this computer; board_seconds: of the board's clock; heap: least free heap that the unit told of,
    in bytes, 0 when it told of none."""

    name: str
    outcome: str
    seconds: float = 0.0
    board_seconds: float = 0.0
    heap: int = 0
    text: str = ""
    digest: str = ""
    evidence: Evidence | None = None

    def fields(self) -> dict[str, Any]:
        """Plain data, to be sent from one process to another; see `of`."""
        data = asdict(self)
        if self.evidence is not None:
            data["evidence"] |= {"folder": str(self.evidence.folder), "files": [str(f) for f in self.evidence.files]}
        return data

    @classmethod
    def of(cls, data: dict[str, Any]) -> Row:
        """The row of these `fields`."""
        shown = data["evidence"]
        if shown is not None:
            shown = Evidence(**{**shown, "folder": Path(shown["folder"]), "files": [Path(f) for f in shown["files"]]})
        return cls(**{**data, "evidence": shown})


@dataclass
class Report:
    options: Options
    rows: list[Row] = field(default_factory=list)
    wall: float = 0.0

    def count(self, outcome: str) -> int:
        return sum(r.outcome == outcome for r in self.rows)

    def heap(self) -> str:
        """The least free heap of all scenarios, in words; "" when no unit told."""
        least = min((r for r in self.rows if r.heap), key=lambda r: r.heap, default=None)
        return f"least free heap that a unit told of: {least.heap} bytes, in {least.name}" if least else ""

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._html(path.parent), encoding="utf-8")

    def _html(self, folder: Path) -> str:
        facts = "".join(f"<tr><th>{html.escape(k)}<td>{html.escape(v)}" for k, v in environment(self.options).items())
        skipped: dict[str, int] = {}
        for row in self.rows:
            if row.outcome == SKIPPED:
                skipped[row.text] = skipped.get(row.text, 0) + 1
        reasons = "".join(f"<tr><td>{n}<td>{html.escape(t)}" for t, n in sorted(skipped.items(), key=lambda i: -i[1]))
        body = "".join(self._row(r, folder) for r in self.rows)
        verdict = "failed" if self.count(FAILED) else "passed"
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>rovercam HIL: {verdict}</title><style>{STYLE}</style>"
            f"<h1>HIL suite: <span class={verdict}>{verdict}</span></h1>"
            f"<p>{self.count(PASSED)} passed, {self.count(FAILED)} failed, {self.count(SKIPPED)} skipped "
            f"(never counted as passed), in {self.wall:.0f} s of this computer, "
            f"{sum(r.board_seconds for r in self.rows):.0f} s of the board.</p><p>{html.escape(self.heap())}</p>"
            f"<h2>What ran on what</h2><table>{facts}</table>"
            + (f"<h2>Skipped, and why</h2><table><tr><th>scenarios<th>reason{reasons}</table>" if reasons else "")
            + f"<h2>Scenarios</h2><table class=rows><tr><th>scenario<th>outcome<th>s<th>board s<th>figures{body}</table></html>"
        )

    def _row(self, row: Row, folder: Path) -> str:
        figures, blocks = "", ""
        if row.evidence is not None:
            figures = "<br>".join(f"{html.escape(k)}: {html.escape(v)}" for k, v in row.evidence.figures.items())
            blocks = "".join(row.evidence.blocks)
            for file in row.evidence.files:
                shown = file.relative_to(folder) if file.is_relative_to(folder) else file
                blocks += f'<p><a href="{html.escape(str(shown))}">{html.escape(str(shown))}</a></p>'
        more = ""
        if row.text and row.outcome == FAILED:
            more += f"<pre>{html.escape(row.text)}</pre>"
        if blocks:
            more += f"<div class=blocks>{blocks}</div>"
        extra = (
            f"<tr><td colspan=5><details{' open' if row.outcome == FAILED else ''}><summary>evidence</summary>{more}</details>"
            if more
            else ""
        )
        return (
            f"<tr><td>{html.escape(row.name)}<td class={row.outcome}>{row.outcome}<td>{row.seconds:.1f}<td>{row.board_seconds:.1f}"
            f"<td>{figures}{extra}"
        )


STYLE = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}th,td{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top;border-bottom:1px solid #8883}
.passed{color:#2a8a3e}.failed{color:#c0392b;font-weight:bold}.skipped{color:#888}.rows{width:100%}
pre{white-space:pre-wrap;font-size:12px;background:#8881;padding:.5rem}figure{display:inline-block;margin:.5rem 1rem .5rem 0}
img{image-rendering:pixelated;max-width:100%}svg text{font-size:11px}.blocks{padding:.3rem}
"""


def environment(options: Options) -> dict[str, str]:
    """Board, image, firmware hash, git state, versions."""
    folder = options.firmware or places.firmware_dir()
    facts = {}
    if options.native:
        facts["board"] = "NATIVE: the firmware in MicroPython's unix port, on the models of the chips; not hardware"
        facts["firmware"] = (
            f"SHA-256 {firmware_hash(folder)[:60]} of the Pico's files; compiled for this computer, from {folder}"
        )
    elif options.emulated:
        facts["board"] = f"EMULATED Raspberry Pi Pico (rp2040py {_version('rp2040py')}); not hardware"
        facts["MicroPython"] = image_text(options.image)
        facts["firmware"] = f"SHA-256 {firmware_hash(folder)[:60]} of the files on its flash, from {folder}"
    else:
        facts["board"] = f"a real board at {options.board}, unit {options.unit}"
        facts["firmware here"] = f"SHA-256 {firmware_hash(folder)[:60]} (what is on the board says its dictionary hash)"
        facts["power"] = options.power_command or "not switched by the bench"
    facts["git"] = git_state(folder)
    facts["seed"] = str(options.seed)
    facts["line"] = f"{options.baud} baud where it is a UART"
    facts["rovercam"] = _version("rovercam")
    facts["computer"] = f"Python {platform.python_version()}, {platform.platform()}"
    return facts


def firmware_hash(folder: Path) -> str:
    """Of every file as it lies on the flash, names included."""
    h = hashlib.sha256()
    try:
        files = filesystem.firmware_files(folder)
    except BoardError as error:  # the report is written all the same
        return f"unknown: {error}".replace("\n", " ")
    for name, data in sorted(files.items()):
        h.update(f"{name} {len(data)} ".encode())
        h.update(data)
    return h.hexdigest()[:16]


def image_text(image: str | None) -> str:
    from rovercam_hil.boards import image as images

    try:
        path = images.find(image)
    except images.ImageMissing as error:
        return str(error).splitlines()[0]
    return f"{path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def git_state(folder: Path) -> str:
    """Commit, and whether files differ from it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "git is not there"
    return done.stdout.strip() if done.returncode == 0 else "not in a git checkout (installed package)"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "?"


def command_line(options: Options, nodeid: str) -> str:
    """What repeats one scenario."""
    words = [
        "rovercam hil",
        f"-k {nodeid.rsplit('::', maxsplit=1)[-1].split('[', maxsplit=1)[0]}",
        f"--seed {options.seed}",
    ]
    if options.board != "pico":
        words.append(f"--board {options.board}")
    if options.image:
        words.append(f"--image {options.image}")
    return " ".join(words) + (" (Python " + sys.version.split()[0] + ")")
