"""CCSDS 122.0-B-2 reference vectors through the firmware's encoder and the host's decoder (both directions)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rovercam.protocol.imaging import c122
from rovercam.protocol.imaging.wavelet import block_places
from rovercam_hil.image_encoder import ImageEncoder
from rovercam_hil.micropython.worker import Worker

OWN = Path(__file__).resolve().parents[1] / "vectors" / "ccsds122"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "ccsds122"
FOLDER = SHARED if SHARED.is_dir() else OWN
CASES = json.loads((FOLDER / "manifest.json").read_text())["cases"]


@pytest.fixture(scope="module")
def encoder(worker: Worker) -> Iterator[ImageEncoder]:
    return ImageEncoder(worker)


def raw(case: dict) -> np.ndarray:
    kind = np.uint8 if case["bits"] == 8 else np.dtype("<u2")
    return np.frombuffer((FOLDER / case["raw"]).read_bytes(), kind).reshape(case["height"], case["width"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_encoder_is_bit_exact(encoder: ImageEncoder, case: dict) -> None:
    got = encoder.stream(
        raw(case),
        depth=case["bits"],
        segment=case["S"],
        limit=case["SegByteLimit"],
        dc_stop=bool(case["DCStop"]),
        plane_stop=case["BitPlaneStop"],
        stage_stop=case["StageStop"],
        optimal_dc=bool(case["OptDCSelect"]),
        optimal_ac=bool(case["OptACSelect"]),
    )
    assert got == (FOLDER / case["bitstream"]).read_bytes()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_decoder(case: dict) -> None:
    data = (FOLDER / case["bitstream"]).read_bytes()
    original = raw(case)
    picture, header = c122.decode(data)
    assert header.complete
    assert (header.width, header.bits, header.segment_blocks) == (case["width"], case["bits"], case["S"])
    if case["lossless"]:
        assert np.array_equal(picture, original)
        return
    plain, _ = c122.decode(data, points=False)
    zero_fill = FOLDER / case["bitstream"].replace(".c122", ".zerofill.raw")
    if zero_fill.is_file():
        expected = np.frombuffer(zero_fill.read_bytes(), np.uint8).reshape(original.shape)
        # one coefficient cut between word and sign may be taken either way
        assert np.abs(plain.astype(int) - expected).max() <= 2
        assert (plain != expected).mean() < 0.005


@pytest.mark.parametrize("case", CASES[:6], ids=lambda c: c["name"])
def test_truncated_anywhere(case: dict) -> None:
    data = (FOLDER / case["bitstream"]).read_bytes()
    for n in range(0, len(data), max(1, len(data) // 40)):
        try:
            picture, _ = c122.decode(data[:n])
        except c122.ImageError:
            assert n < 25
        else:
            assert picture.shape[1] == case["width"]


def test_wavelet_against_coefficient_dump(worker: Worker) -> None:
    """The firmware's forward transform equals a third model's coefficients."""
    worker.run(
        """
from array import array
from rover.imaging.wavelet import Wavelet
def transform(raw, width, height):
    arena = bytearray(60000)
    w = Wavelet(width, height, 8, memoryview(arena))
    out = []
    p = array('i', [0] * 22)
    def word(at):
        return (arena[at] | arena[at + 1] << 8) - 0x8000
    def strip(s):
        for column in range(w.wide >> 3):
            out.append(word(w.rows_of(s, column, p, 1)))
            for f in range(3):
                q = 1 + 7 * f
                out.append(word(p[q]))
                for r in (1, 2):
                    out.extend((word(p[q + r]), word(p[q + r] + 2)))
                for r in (3, 5):
                    for t in (0, 4):
                        for k in (0, 1):
                            out.extend((word(p[q + r + k] + t), word(p[q + r + k] + t + 2)))
    w.on_strip = strip
    for y in range(height):
        w.row_buffer[:] = raw[y * width : (y + 1) * width]
        w.push_row()
    while w.finish():
        pass
    return out
"""
    )
    got = worker.eval("transform(b0, 43, 29)", (FOLDER / "pad43x29.raw").read_bytes())
    expected = np.frombuffer((FOLDER / "pad43x29_dwt_48x32_le16.coef").read_bytes(), "<i2")
    assert np.array_equal(np.array(got).reshape(24, 64), expected[block_places(4, 6)])
