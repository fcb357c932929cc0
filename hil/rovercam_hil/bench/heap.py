"""The heap ledger: what every resident module of the firmware costs on the emulated Pico, kept in heap_ledger.json.

The heap is the scarce thing on the board and is never compacted, so a module that grows is noticed here, by name.

    python -m rovercam_hil.bench.heap            measure and compare
    python -m rovercam_hil.bench.heap --write    take the present figures as the new ledger
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

from rovercam_hil.boards.unit import make_unit

LEDGER = Path(__file__).with_name("heap_ledger.json")
RESIDENT = (
    "arena", "clock", "pool", "pus", "commander", "link.coding", "link.profiles", "link.spacepacket", "link.tmframe", "link.downlink",
    "link.cltu", "link.farm", "link.sdls", "link.uplink", "services.cfdp", "reporter", "sampler", "store", "products", "keys", "sensors.bme280",
    "sensors.ina219", "sensors.mpu6050", "board.base", "board.pico", "app",
)  # fmt: skip
SHARE, BYTES = 0.10, 600
"""A module may grow by this share and these bytes (a new page of MicroPython's name table falls on whoever fills the last)."""
_MEASURE = """
import gc, sys
sys.path.insert(0, '/a')
import asyncio
gc.collect()
last = gc.mem_free()
found = {}
for name in %r:
    __import__('rover.' + name)
    gc.collect()
    free = gc.mem_free()
    found[name] = last - free
    last = free
found['free'] = last
print(found)
"""


def measure() -> dict[str, int]:
    """Bytes of heap taken by importing each resident module, in order; "free" is what is left then (arena not taken)."""
    unit = make_unit(strap=True, bare=True)
    try:
        unit.board.power_on()
        found: dict[str, int] = ast.literal_eval(unit.pico.exec(_MEASURE % (RESIDENT,), timeout=60))
    finally:
        unit.board.close()
    return found


def grown(found: dict[str, int], ledger: dict[str, int]) -> list[str]:
    """What exceeds the ledger, or is not in it; the sum of all modules may not grow by more than SHARE either."""
    out = []
    for name in RESIDENT:
        if name not in ledger:
            out.append(f"{name}: {found[name]} bytes, not in the ledger")
        elif found[name] > ledger[name] * (1 + SHARE) + BYTES:
            out.append(f"{name}: {found[name]} bytes, {ledger[name]} in the ledger")
    total, kept = (sum(d.get(n, 0) for n in RESIDENT) for d in (found, ledger))
    if total > kept * (1 + SHARE):
        out.append(f"all: {total} bytes, {kept} in the ledger")
    return out


def main() -> int:
    found = measure()
    if "--write" in sys.argv[1:]:
        LEDGER.write_text(json.dumps(found, indent=1) + "\n")
    ledger = json.loads(LEDGER.read_text())
    for name in RESIDENT:
        print(f"{name:20} {found[name]:6} bytes, ledger {ledger.get(name, 0):6}")
    print(f"{'left':20} {found['free']:6} bytes, ledger {ledger.get('free', 0):6}")
    problems = grown(found, ledger)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
