"""A region of interest within a bit budget: the finer it is asked for, the finer it comes, and the budget holds."""

from __future__ import annotations

import numpy as np
import pytest
from rovercam.protocol.imaging import decode_slots, split
from rovercam_hil.image_encoder import ImageEncoder
from rovercam_hil.micropython.worker import Worker

X, Y, WIDTH, HEIGHT = REGION = (100, 130, 80, 60)
BOX = np.s_[Y : Y + HEIGHT, X : X + WIDTH]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(np.mean((a.astype(float) - b) ** 2))
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def ground(width: int = 320, height: int = 240) -> np.ndarray:
    """Sky over textured ground: strips that cost little before those in which the region lies."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width]
    picture = 170 - 60 * y / height + 8 * np.sin(x / 37.0)
    texture = 20 * np.sin(x / 9.0 + y / 5.0) + 9 * np.sin(x * y / 151.0) + rng.normal(0, 1, picture.shape)
    return np.clip(np.where(y > height * 0.4, 95 + texture, picture), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("survey", [False, True])
def test_the_finer_it_is_asked_for_the_finer_it_comes(worker: Worker, survey: bool) -> None:
    encoder = ImageEncoder(worker)
    picture = ground()
    budget = picture.size // 8
    got = []
    for gain in (0, 16, 32, 64):
        options = {"roi": REGION, "roi_gain": gain} if gain else {}
        layers = encoder.slots(picture, budget=budget, survey=survey, **options)
        assert sum(map(len, layers)) <= budget + 400  # a slot or two that are begun
        got.append(psnr(decode_slots([s for part in layers for s in split(part)]).array[BOX], picture[BOX]))
    assert got[0] + 1 < got[1] < got[2] < got[3], got
