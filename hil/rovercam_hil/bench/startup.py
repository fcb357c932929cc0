"""`rovercam bench startup`: what the picture coder's contexts should start with, learned from a folder of pictures.

What is learned from all pictures but one is tried on that one: a table that only knows its own pictures by heart shows there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rovercam.protocol.imaging import Progressive, blocks, split, startup

from rovercam_hil.bench.image import RATES
from rovercam_hil.image_encoder import ImageEncoder

Table = tuple[bytes, ...]
"""256ths by context, for each kind of slot: base, two refinements, copy of the parents."""

FLAT: Table = tuple(bytes([128]) * len(kind) for kind in startup.STARTUP)
_PRIOR = 12  # decisions that a start counts as: the coder's first step is 1/13 (blocks.STEPS)
_WINDOW = len(blocks.STEPS) - 1  # decisions after which the steps no longer shrink
_FEW = 40  # decisions that the present start counts as, so that what was hardly met stays as it is
_LOSSLESS: dict[str, Any] = {"quality": 64, "refine": 2}


class Counts:
    """How often each context of each kind of slot was met, and was "1": float64 by context."""

    def __init__(self) -> None:
        self.ones = [np.zeros(len(kind)) for kind in startup.STARTUP]
        self.all = [np.zeros(len(kind)) for kind in startup.STARTUP]

    def learn(self, kind: int, chance: np.ndarray, seen: np.ndarray) -> None:
        """A slot's contexts at its end. As long as its steps shrink, a chance is (12 start + ones) / (12 + all)."""
        start, _ = blocks.contexts(kind)
        n = seen.astype(np.float64)  # at most _WINDOW: later decisions stand for all
        ones = (chance * (_PRIOR + n) - start * _PRIOR) / 65536
        self.ones[kind] += np.clip(ones, 0, n)
        self.all[kind] += n

    def __add__(self, other: Counts) -> Counts:
        out = Counts()
        out.ones = [a + b for a, b in zip(self.ones, other.ones, strict=True)]
        out.all = [a + b for a, b in zip(self.all, other.all, strict=True)]
        return out

    def table(self) -> Table:
        out = []
        for kind, ones, every in zip(startup.STARTUP, self.ones, self.all, strict=True):
            present = np.frombuffer(kind, np.uint8) / 256 + 1 / 512
            chance = (ones + _FEW * present) / (every + _FEW)
            out.append(np.clip(np.round(chance * 256 - 0.5), 1, 254).astype(np.uint8).tobytes())
        return tuple(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Bits per pixel of a lossless picture, gross, by what the contexts start with."""

    picture: str
    flat: float
    others: float
    """Learned from the other pictures."""
    present: float


def counts(encoder: ImageEncoder, picture: np.ndarray) -> Counts:
    """Of a picture at every rate of `rovercam bench image` and lossless."""
    found = Counts()
    budgets: list[dict[str, Any]] = [{"budget": int(picture.size * rate / 8)} for rate in RATES]
    for options in (*budgets, _LOSSLESS):
        decoder = Progressive(learn=found.learn)
        for layer in encoder.slots(picture, **options):
            for slot in split(layer):
                decoder.add(-1, slot)
        decoder.picture()
    return found


def lossless(encoder: ImageEncoder, picture: np.ndarray, table: Table) -> float:
    """Bits per pixel with contexts that start so."""
    encoder.worker.run(
        f"from rover.imaging import segments\nkept = segments.startup\nsegments.startup = lambda: {table!r}"
    )
    try:
        return 8 * sum(map(len, encoder.slots(picture, **_LOSSLESS))) / picture.size
    finally:
        encoder.worker.run("segments.startup = kept")


def run(pictures: dict[str, np.ndarray], progress: Callable[[str], None]) -> tuple[Table, list[Trial]]:
    """(table learned from all pictures, one trial per picture). Raises MicroPythonMissing."""
    with ImageEncoder() as encoder:
        found = {}
        for name, picture in pictures.items():
            progress(f"learning from {name}")
            found[name] = counts(encoder, picture)
        trials = []
        for name, picture in pictures.items():
            progress(f"trying on {name}")
            others = sum((c for n, c in found.items() if n != name), Counts())
            trials.append(
                Trial(
                    picture=name,
                    flat=lossless(encoder, picture, FLAT),
                    others=lossless(encoder, picture, others.table()) if len(found) > 1 else float("nan"),
                    present=lossless(encoder, picture, startup.STARTUP),
                )
            )
    return sum(found.values(), Counts()).table(), trials


def source(table: Table) -> str:
    """The text of rovercam/protocol/imaging/startup.py with this table."""
    before = Path(startup.__file__).read_text("utf-8").split("STARTUP = ")[0]
    lines = ["STARTUP = ("]
    for layer in table:
        lines.append("    (")
        for at in range(0, len(layer), 25):
            lines.append('        b"' + "".join(f"\\x{v:02x}" for v in layer[at : at + 25]) + '"')
        lines.append("    ),")
    return before + "\n".join([*lines, ")\n"])
