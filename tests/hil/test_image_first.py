"""The bench's count of bytes until the whole field is seen: by the firmware's own framing, and by a real zmodem."""

import io
import random
import shutil

import numpy as np
import pytest
from PIL import Image
from rovercam_hil.bench.image_first import PROFILES, OwnLine, jpegs, seconds, zmodem
from rovercam_hil.micropython.worker import MicroPythonMissing


@pytest.fixture(scope="module")
def line():
    try:
        with OwnLine() as made:
            yield made
    except MicroPythonMissing as error:
        pytest.skip(str(error))


def test_own_line_carries_all_of_a_layer_and_its_frames(line):
    layer = random.Random(1).randbytes(2000)
    coded, plain = (line.count(layer, profile) for profile in PROFILES.values())
    assert len(layer) < plain < 1.2 * len(layer)
    assert 1.1 * plain < coded < 1.6 * plain, "the robust profile spends a seventh of the line on correction"
    assert line.count(layer * 2, PROFILES["robust profile"]) > 1.8 * coded


def test_the_first_scan_of_a_progressive_jpeg_has_the_whole_field():
    picture = (np.add.outer(np.arange(240), np.arange(320)) % 256).astype(np.uint8)
    baseline, first = jpegs(picture)
    assert len(first) < len(baseline)
    seen = np.asarray(Image.open(io.BytesIO(first + b"\xff\xd9"))).astype(float)
    assert seen.shape == picture.shape
    whole = np.asarray(Image.open(io.BytesIO(baseline))).astype(float)
    assert np.abs(seen - whole).mean() < 20


@pytest.mark.skipif(not (shutil.which("sz") and shutil.which("rz")), reason="lrzsz is not installed")
def test_zmodem_carries_the_file_with_a_little_more():
    data = random.Random(2).randbytes(20_000)
    sent = zmodem(data)
    assert 20_000 < sent < 22_000
    assert seconds(sent) == pytest.approx(sent * 10 / 9600)
