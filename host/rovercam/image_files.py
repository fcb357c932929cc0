"""Layer files as `image encode` and the archive write them: NAME.0, NAME.1, … beside each other."""

from __future__ import annotations

import random
from pathlib import Path

from rovercam.protocol.imaging import SLOT, Progressive, split


def layer_files(path: Path) -> list[tuple[int, Path]]:
    """(layer, file) of a picture given by its stem (IMG), or by one of its layers (IMG.1: that layer only)."""
    if path.is_file() and path.suffix[1:].isdigit():
        return [(int(path.suffix[1:]), path)]
    return [(n, p) for n in range(8) if (p := path.with_name(f"{path.name}.{n}")).is_file()]


def is_stream(path: Path) -> bool:
    """Whether the file begins like a CCSDS 122.0-B-2 stream: first segment's flag set, parts 2 to 4 announced (4.2.2)."""
    if not path.is_file() or path.suffix[1:].isdigit():
        return False
    with path.open("rb") as f:
        head = f.read(3)
    return len(head) == 3 and bool(head[0] & 0x80) and head[2] & 7 == 7


def read(path: Path, *, slot: int = SLOT, lose: float = 0.0, seed: int = 1) -> Progressive:
    """All slots of the picture, less a share `lose` of them drawn with `seed`. Raises FileNotFoundError."""
    files = layer_files(path)
    if not files:
        raise FileNotFoundError(f"no layer files {path}.0, {path}.1, …")
    draw = random.Random(seed)
    p = Progressive()
    for layer, file in files:
        for piece in split(file.read_bytes(), size=slot):
            if not lose or draw.random() >= lose:
                p.add(layer, piece)
    return p
