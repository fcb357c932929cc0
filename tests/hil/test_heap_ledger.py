"""The heap that each resident module takes on the emulated Pico, against the ledger."""

from __future__ import annotations

import json
from pathlib import Path

from rovercam_hil.bench import heap


def test_no_module_has_outgrown_the_ledger(micropython_image: Path) -> None:
    found = heap.measure()
    assert heap.grown(found, json.loads(heap.LEDGER.read_text())) == []


def test_growth_is_named() -> None:
    ledger = dict.fromkeys(heap.RESIDENT, 1000)
    found = ledger | {"pool": 1800}
    assert heap.grown(found, ledger) == ["pool: 1800 bytes, 1000 in the ledger"]
    assert (
        heap.grown(ledger, {k: v for k, v in ledger.items() if k != "app"})[0] == "app: 1000 bytes, not in the ledger"
    )
