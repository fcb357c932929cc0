"""The assembler kernels on the emulated Pico make the same slots as the viper forms in the unix port."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.pico import EmulatedPico
from rovercam_hil.image_encoder import ImageEncoder
from rovercam_hil.micropython.worker import Worker

BOARD = """
import sys, json, binascii, time
sys.path.insert(0, "/a")
from rover.imaging import segments, wavelet
assert "rover.imaging.kernels" not in sys.modules and "rover.imaging.coder" not in sys.modules
files = [bytearray() for _ in range(4)]
with open("/raw.bin", "rb") as f:
    arena = bytearray(30000)
    e = segments.Encoder(W, H, DEPTH, arena, lambda layer, slot: files[layer].extend(slot), **OPTIONS)
    for y in range(H):
        f.readinto(e.row_buffer)
        e.push_row()
    e.finish()
print(json.dumps([binascii.hexlify(f).decode() for f in files]))
"""


def picture(kind: str, width: int, height: int, top: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:height, 0:width]
    if kind == "noise":
        return rng.integers(0, top + 1, (height, width))
    if kind == "extremes":
        return rng.integers(0, 2, (height, width)) * top
    ground = top * (0.4 + 0.2 * np.sin(x / 9.0 + y / 5.0)) + rng.normal(0, top / 60, (height, width))
    return np.clip(ground, 0, top).astype(int)


@pytest.mark.parametrize(
    ("kind", "width", "height", "depth", "options"),
    [
        ("ground", 136, 40, 8, {"quality": 60, "refine": 2}),
        ("ground", 136, 40, 8, {"budget": 700}),
        ("ground", 320, 240, 8, {"budget": 9600}),  # large enough for a copy of the parents
        ("noise", 64, 24, 8, {"quality": 30, "refine": 2}),
        ("extremes", 61, 27, 12, {"quality": 0, "refine": 2}),
    ],
)
def test_assembler_equals_viper(
    worker: Worker, kind: str, width: int, height: int, depth: int, options: dict[str, int]
) -> None:
    pixels = picture(kind, width, height, (1 << depth) - 1).astype(np.uint8 if depth == 8 else np.uint16)
    raw = pixels.astype(np.uint8 if depth == 8 else "<u2").tobytes()
    expected = ImageEncoder(worker).slots(pixels, depth=depth, arena=30000, **options)
    board = EmulatedPico(filesystem=filesystem.unit_image(key=bytes(32), extra={"/raw.bin": raw}), strap=True)
    board.power_on()
    source = BOARD.replace("OPTIONS", repr(options)).replace("W, H, DEPTH", f"{width}, {height}, {depth}")
    answer = board.exec(source.replace("range(H)", f"range({height})"), timeout=60)
    assert [bytes.fromhex(x) for x in json.loads(answer)] == expected
    assert expected[1]
