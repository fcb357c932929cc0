"""The coarse copy of the parents: what a lost slot's place is mended with, and what it costs where nothing is lost."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from crcmod.predefined import mkPredefinedCrcFun
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam.protocol.imaging import Progressive, decode_slots, split
from rovercam.protocol.imaging.parents import PLACES, SHIFT
from rovercam.protocol.imaging.rebuild import FROM_THUMBNAIL
from rovercam.protocol.imaging.slots import BLOCKS, PARENTS, parse
from rovercam_hil.image_encoder import ImageEncoder
from rovercam_hil.micropython.worker import Worker

sys.path.insert(0, str(Path(__file__).parent))
from plain_install import decoded_plainly

WIDTH, HEIGHT = 320, 240  # 1200 blocks: the smallest picture that has a copy


@pytest.fixture(scope="module")
def encoder(worker: Worker) -> Iterator[ImageEncoder]:
    return ImageEncoder(worker)


def ground(width: int = WIDTH, height: int = HEIGHT, seed: int = 3) -> np.ndarray:
    """Stones of many sizes and grains between: detail at all scales."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = 110 + 12 * np.sin(x / 9.0 + y / 5.0) + rng.normal(0, 3, (height, width))
    for _ in range(width * height // 250):
        cx, cy, size = rng.integers(0, width), rng.integers(0, height), rng.integers(3, 14)
        picture[(x - cx) ** 2 + 2 * (y - cy) ** 2 < size * size] = rng.integers(40, 190)
    return np.clip(picture, 0, 255).astype(np.uint8)


def of(slots: list[bytes], codec: int) -> list[bytes]:
    return [s for s in slots if (p := parse(s)) and p.codec == codec]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.fixture(scope="module")
def sent(encoder: ImageEncoder) -> tuple[np.ndarray, list[bytes]]:
    picture = ground()
    layers = encoder.slots(picture, budget=picture.size // 8)
    return picture, [s for d in layers for s in split(d)]


def test_the_copy_says_what_the_base_says(sent: tuple[np.ndarray, list[bytes]]) -> None:
    """Every block's parents, cut to the coarse step; decoded from slots of the copy alone, last first."""
    _, slots = sent
    p = Progressive(WIDTH, HEIGHT, 8)
    for slot in reversed(of(slots, PARENTS)):
        assert p.add(1, slot)
    whole = Progressive(WIDTH, HEIGHT, 8)
    for slot in of(slots, BLOCKS):
        whole.add(1, slot)
    whole.picture()
    p.picture()
    copy, base = p._planes[0].copy, whole._planes[0]
    assert np.array_equal(copy.mag, base.mag[:, PLACES] >> SHIFT)
    assert (copy.mag > 1).any()
    assert np.array_equal(copy.neg[copy.mag > 0], base.neg[:, PLACES][copy.mag > 0])
    assert np.array_equal(copy.quality + 256, base.quality)


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
def test_losses_cost_less_with_it(sent: tuple[np.ndarray, list[bytes]], share: float) -> None:
    picture, slots = sent
    draw = random.Random(1)
    left = [s for s in slots if s in of(slots, PARENTS) or parse(s).layer == 0 or draw.random() >= share]  # type: ignore[union-attr]
    with_it, without = decode_slots(left), decode_slots(s for s in left if s not in of(slots, PARENTS))
    assert psnr(with_it.array, picture) > psnr(without.array, picture) + {0.05: 0.1, 0.2: 0.3, 1.0: 0.5}[share]
    # a mended place is worth no more than one from the thumbnail, and the guess at the quality knows of the copy
    assert np.array_equal(with_it.confidence, without.confidence)
    assert (with_it.confidence == FROM_THUMBNAIL).any()
    assert with_it.psnr_estimate > without.psnr_estimate


def test_without_losses_it_changes_nothing(sent: tuple[np.ndarray, list[bytes]]) -> None:
    _, slots = sent
    copies = of(slots, PARENTS)
    assert 0 < len(copies) <= 0.06 * len(slots)  # one slot at least, of some fifty
    assert np.array_equal(decode_slots(slots).array, decode_slots(s for s in slots if s not in copies).array)


def test_who_has_none(encoder: ImageEncoder) -> None:
    """Small pictures, chroma, and what is refined later: its slots are asked for again when they are lost."""
    small, large = ground(WIDTH - 8, HEIGHT), ground()
    for picture, options in (
        (small, {"budget": 9000}),
        (large, {"budget": 9000, "plane": 1}),
        (large, {"budget": 9000, "refine": 2}),
        (large, {"quality": 0}),
        (large, {"budget": 9000, "copy": False}),
    ):
        layers = encoder.slots(picture, **options)
        assert not of([s for d in layers for s in split(d)], PARENTS), options
    assert of(split(encoder.slots(large, quality=64)[1]), PARENTS)


def test_a_plain_install_mends_the_same(sent: tuple[np.ndarray, list[bytes]]) -> None:
    slots = [s for s in sent[1] if parse(s).codec != BLOCKS]  # type: ignore[union-attr]
    assert decoded_plainly(slots) == decode_slots(slots).array.tobytes()


@pytest.mark.parametrize("gain", [5, 32])
def test_a_region_of_its_own_quality_is_copied_too(encoder: ImageEncoder, gain: int) -> None:
    picture = ground()
    layers = encoder.slots(picture, budget=picture.size // 8, roi=(100, 60, 120, 90), roi_gain=gain)
    slots = [s for d in layers for s in split(d)]
    p = Progressive()
    for slot in slots:
        p.add(-1, slot)
    p.picture()
    plane = p._planes[0]
    assert len(np.unique(plane.quality)) > 1
    assert np.array_equal(plane.copy.quality + 256, plane.quality)
    assert np.array_equal(plane.copy.mag, plane.mag[:, PLACES] >> SHIFT)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_picture_is_copied(encoder: ImageEncoder, data: st.DataObject) -> None:
    """Any content, depth and quality: the copy's indices are the base's, and any part of the slots gives a picture."""
    depth = data.draw(st.sampled_from([8, 10, 12]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    top = (1 << depth) - 1
    kind = data.draw(st.sampled_from(["noise", "extremes", "flat", "ground"]))
    size = (data.draw(st.integers(233, 264)), data.draw(st.integers(320, 400)))
    picture = {
        "noise": lambda: rng.integers(0, top + 1, size),
        "extremes": lambda: np.kron(rng.integers(0, 2, (33, 50)), np.ones((8, 8), int))[: size[0], : size[1]] * top,
        "flat": lambda: np.full(size, rng.integers(0, top + 1)),
        "ground": lambda: ground(size[1], size[0], int(rng.integers(99))).astype(int) << (depth - 8),
    }[kind]().astype(np.uint8 if depth == 8 else np.uint16)
    quality = data.draw(st.integers(16 * (depth - 7), 176))
    layers = encoder.slots(picture, depth=depth, quality=quality)
    slots = [s for d in layers for s in split(d)]
    p = Progressive()
    for slot in slots:
        assert p.add(-1, slot)
    p.picture()
    plane = p._planes[0]
    assert np.array_equal(plane.copy.mag, plane.mag[:, PLACES] >> SHIFT)
    assert np.array_equal(plane.copy.neg[plane.copy.mag > 0], plane.neg[:, PLACES][plane.copy.mag > 0])
    some = data.draw(st.lists(st.sampled_from(slots), max_size=12))
    got = decode_slots([*some, *some[:2]])
    assert 0 <= got.psnr_estimate <= 99


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_bytes_as_a_copy_never_crash(sent: tuple[np.ndarray, list[bytes]], data: st.DataObject) -> None:
    """Changed bytes under a valid CRC, among slots that are right."""
    crc = mkPredefinedCrcFun("crc-ccitt-false")
    slots = sent[1]
    p = Progressive()
    for slot in data.draw(st.lists(st.sampled_from(slots), max_size=4)):
        p.add(-1, slot)
    bad = bytearray(data.draw(st.sampled_from(of(slots, PARENTS))))
    for _ in range(data.draw(st.integers(1, 8))):
        bad[data.draw(st.integers(1, len(bad) - 1))] = data.draw(st.integers(0, 255))
    bad[7:9] = crc(bytes(bad[:7]) + b"\0\0" + bytes(bad[9:])).to_bytes(2, "big")
    p.add(-1, bytes(bad))
    p.picture()
    assert 0 <= p.quality <= 99
