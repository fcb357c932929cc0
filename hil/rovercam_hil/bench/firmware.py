"""What the firmware costs on the emulated RP2040: cycles, heap and flash, held against a budget.

Cycles are those the core executed (sleep costs none), counted by the emulator; the same firmware gives the same figures
to the cycle, so a figure 10 % above the budget is a change of the firmware, not noise. The emulator's cycle counts are
its own, not a data sheet's promise: compare them with each other.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rovercam_hil.boards import filesystem
from rovercam_hil.suite.bench import BenchUnit, Options, build

BUDGET = Path(__file__).with_name("firmware_budget.json")
SLACK = 0.10
FILE = bytes((k * k) & 255 for k in range(24_000))
LESS_IS_WORSE = ("heap free after start", "heap at the worst moment")


@dataclass(frozen=True)
class Figure:
    name: str
    value: int
    unit: str


class _Meter:
    def __init__(self, unit: BenchUnit) -> None:
        self.unit = unit
        self.idle = 0.0  # cycles per second of doing nothing but keeping watch

    def cycles(self, work: Any) -> float:
        """Cycles that ``work`` costs beyond idling."""
        core, before = self.unit.emulated.mcu.core, self.unit.ground.elapsed
        start = core.cycles
        work()
        spent: float = core.cycles - start - self.idle * (self.unit.ground.elapsed - before)
        return max(0.0, spent)


def measure(options: Options) -> list[Figure]:
    """Boots a unit and measures; about 140 s of board time."""
    with tempfile.TemporaryDirectory() as folder:
        unit = build(options, Path(folder), extra={"/t/bench.bin": FILE})
        try:
            return _measure(unit)
        finally:
            unit.close()


def _measure(unit: BenchUnit) -> list[Figure]:
    ground = unit.ground
    out: list[Figure] = [Figure("start, to the first answer", unit.emulated.mcu.core.cycles, "cycles")]
    start = ground.telemetry("health").values["heap_free"]
    ground.run(60.0)  # the firmware on flash is checked once in this time
    meter = _Meter(unit)
    meter.idle = meter.cycles(lambda: ground.run(60.0)) / 60.0  # three collections of the heap
    out.append(Figure("idle", round(meter.idle), "cycles per second"))

    def commands() -> None:
        for _ in range(10):
            ground.do("ping")

    out.append(Figure("command (ping, four reports)", round(meter.cycles(commands) / 10), "cycles"))
    ground.do("create_housekeeping", structure=9, period=2, parameters=[2, 8, 9])
    packets = 25
    out.append(
        Figure(
            "packet (housekeeping, with sampling)",
            round(meter.cycles(lambda: ground.run(packets * 0.2)) / packets),
            "cycles",
        )
    )
    ground.do("delete_housekeeping", structure=9)
    link = ground.station.link(unit.number)
    frames = link.frames
    spent = meter.cycles(lambda: ground.get("/t/bench.bin"))
    link = ground.station.link(unit.number)
    out.append(Figure("frame of a file going down", round(spent / (link.frames - frames)), "cycles"))
    out.append(Figure("byte of a file going down", round(spent / len(FILE)), "cycles"))
    for codec in ("raw", "rate", "lossless"):
        spent = meter.cycles(lambda codec=codec: ground.do("capture", size="size_96x96", codec=codec, downlink=False))  # type: ignore[misc]
        out.append(Figure(f"picture 96×96, {codec}, stored", round(spent), "cycles"))
        out.append(Figure(f"pixel, {codec}", round(spent / 96 / 96), "cycles"))
    health = ground.telemetry("health").values
    out.append(Figure(LESS_IS_WORSE[0], start, "bytes"))
    out.append(Figure(LESS_IS_WORSE[1], health["heap_minimum"], "bytes"))
    files = filesystem.firmware_files(unit.options.firmware)
    out.append(Figure("firmware files", sum(map(len, files.values())), "bytes"))
    out.append(
        Figure(
            "firmware on flash",
            sum(-(-len(d) // filesystem.BLOCK) for d in filesystem.installed(files).values()) * filesystem.BLOCK,
            "bytes at most",
        )
    )
    return out


def compare(figures: list[Figure], budget: dict[str, int]) -> list[str]:
    """What is more than 10 % beyond the budget."""
    worse = []
    for figure in figures:
        allowed = budget.get(figure.name)
        if allowed is None:
            continue
        less = figure.name in LESS_IS_WORSE
        limit = allowed * (1 - SLACK) if less else allowed * (1 + SLACK)
        if figure.value < limit if less else figure.value > limit:
            change = (figure.value / allowed - 1) * 100 if allowed else float("inf")
            worse.append(f"{figure.name}: {figure.value} {figure.unit}, budget {allowed} ({change:+.0f} %)")
    missing = sorted(set(budget) - {f.name for f in figures})
    return worse + [f"{name}: in the budget, but no longer measured" for name in missing]


def read_budget(path: Path = BUDGET) -> dict[str, int]:
    if not path.exists():
        return {}
    found: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write_budget(figures: list[Figure], path: Path = BUDGET) -> None:
    text = json.dumps({f.name: f.value for f in figures}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
