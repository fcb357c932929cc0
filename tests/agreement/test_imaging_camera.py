"""What the firmware does with a camera's pixels beside coding: corrections by the ground's tables, DC terms of JPEGs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rovercam import calibration
from rovercam_hil.micropython.worker import MicroPythonError, Worker

AGENT = """
import io
from rover.imaging.correct import Correction
from rover.imaging.jpegdc import DcReader

def correct(table, yuyv, width, height):
    c = Correction(io.BytesIO(table), width, height)
    out = bytearray(yuyv)
    m = memoryview(out)
    for y in range(height):
        c.row(m[2 * width * y : 2 * width * (y + 1)], y)
    return out

def means(jpeg, room):
    r = DcReader(io.BytesIO(jpeg), memoryview(bytearray(room)))
    out = bytearray()
    for row in r.rows():
        out.extend(bytes(v - 0x8000 for v in row[: (r.width + 7) // 8]))
    return r.width, r.height, bytes(out)
"""


@pytest.fixture(scope="module")
def board(worker: Worker) -> Worker:
    worker.run(AGENT)
    return worker


def yuyv(y: np.ndarray) -> bytes:
    out = np.full((*y.shape, 2), 128, np.uint8)
    out[..., 0] = y
    return out.tobytes()


def test_a_corrected_flat_field_is_even(board: Worker) -> None:
    rng = np.random.default_rng(1)
    height, width = 60, 80
    y, x = np.mgrid[0:height, 0:width]
    shade = 1 - 0.3 * ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.5
    dead = [(5, 7), (5, 9), (30, 0), (59, 79)]

    def shot(light: float) -> np.ndarray:
        p = 12 + light * shade + rng.normal(0, 0.7, shade.shape)
        for k, place in enumerate(dead):
            p[place] = 255 if k % 2 else 0
        return np.clip(np.rint(p), 0, 255).astype(np.uint8)

    made = calibration.table([shot(0) for _ in range(8)], [shot(150) for _ in range(8)], columns=9, rows=7)
    seen = shot(120)
    got = np.frombuffer(board.call("correct", made, yuyv(seen), width, height), np.uint8).reshape(height, width, 2)
    assert (got[..., 1] == 128).all()
    even = got[..., 0].astype(float)
    assert np.std(seen[dead[0]] - np.median(seen)) == 0  # one pixel: the defect is there …
    assert np.abs(even - np.median(even)).max() < 8  # … and gone, with the shade
    assert abs(np.median(even) - 120 * np.median(shade)) < 3


@pytest.mark.parametrize("spoil", [b"", b"RK\1", b"RK\1" + bytes(40), b"junk" * 20])
def test_what_is_no_table_is_refused(board: Worker, spoil: bytes) -> None:
    with pytest.raises(MicroPythonError, match="ValueError"):
        board.call("correct", spoil, bytes(2 * 16 * 16), 16, 16)


def test_a_table_for_another_size_or_a_damaged_one_is_refused(board: Worker) -> None:
    flat = [np.full((16, 16), 100, np.uint8)]
    made = calibration.table([np.full((16, 16), 5, np.uint8)], flat)
    board.call("correct", made, bytes(2 * 16 * 16), 16, 16)
    with pytest.raises(MicroPythonError, match="32x16"):
        board.call(
            "correct", calibration.table([np.zeros((16, 32), np.uint8)], [np.full((16, 32), 99, np.uint8)]), b"", 16, 16
        )
    with pytest.raises(MicroPythonError, match="ValueError"):
        board.call("correct", made[:20] + bytes([made[20] ^ 1]) + made[21:], bytes(512), 16, 16)


@pytest.mark.parametrize(
    ("dark", "flat", "said"),
    [
        ([], [np.zeros((8, 8))], "are expected"),
        ([np.zeros((8, 8))], [np.zeros((8, 9))], "of one size"),
        ([np.zeros((8, 8))], [np.full((8, 8), 250)], "grey level 250"),
    ],
)
def test_calibration_says_what_it_wants(dark: list, flat: list, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        calibration.table(dark, flat)


def encoded(picture: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["grey", "4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(96, 64), (101, 43)])
@pytest.mark.parametrize("restart", [0, 3])
def test_dc_terms_are_the_blocks_means(board: Worker, mode: str, size: tuple[int, int], restart: int) -> None:
    """Against Pillow, which decodes every pixel: the mean of each whole block, to the quantiser's step."""
    rng = np.random.default_rng(5)
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    base = 128 + 60 * np.sin(x / 15) + 40 * np.cos(y / 11)
    picture = np.clip(base[..., None] + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    options: dict[str, object] = {"quality": 85, "restart_marker_blocks": restart}
    if mode == "grey":
        data = encoded(picture[..., 0], **options)
        full = np.asarray(Image.open(io.BytesIO(data)))
    else:
        data = encoded(picture, subsampling=mode, **options)
        full = np.asarray(Image.open(io.BytesIO(data)).convert("YCbCr"))[..., 0]
    w, h, means = board.call("means", data, 9000)
    assert (w, h) == size
    got = np.frombuffer(means, np.uint8).reshape((height + 7) // 8, (width + 7) // 8)
    whole = full[: height // 8 * 8, : width // 8 * 8].reshape(height // 8, 8, width // 8, 8).mean((1, 3))
    # conversion to RGB and back, which Pillow's YCbCr went through, clips and rounds
    assert np.abs(got[: height // 8, : width // 8] - whole).max() <= 3


def test_a_long_jpeg_passes_through_a_small_buffer(board: Worker) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (160, 160), dtype=np.uint8)
    data = encoded(picture, quality=95)
    assert len(data) > 20000
    assert board.call("means", data, 8192) == board.call("means", data, 40000)


@settings(max_examples=60)
@given(data=st.data())
def test_any_bytes_end_in_a_value_error(board: Worker, data: st.DataObject) -> None:
    jpeg = bytearray(encoded(np.random.default_rng(1).integers(0, 256, (32, 40, 3), dtype=np.uint8), quality=60))
    for _ in range(data.draw(st.integers(0, 8))):
        jpeg[data.draw(st.integers(0, len(jpeg) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(jpeg[: data.draw(st.integers(0, len(jpeg)))])
    try:
        board.call("means", cut, 9000)
    except MicroPythonError as error:
        assert error.kind == "ValueError"  # noqa: PT017 - either a result or this
