"""Slots and layers: the firmware makes them, the host rebuilds the picture from any of them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crcmod.predefined import mkPredefinedCrcFun
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam.protocol.imaging import Progressive, blocks, decode_slots
from rovercam.protocol.imaging import split as slots_in
from rovercam.protocol.imaging.rebuild import BASE, EXACT, FROM_THUMBNAIL
from rovercam.protocol.imaging.slots import coded, parse
from rovercam_hil.bench import startup
from rovercam_hil.image_encoder import ARENA, ImageEncoder
from rovercam_hil.micropython.worker import MicroPythonError, Worker

sys.path.insert(0, str(Path(__file__).parent))
from plain_install import decoded_plainly


@pytest.fixture(scope="module")
def encoder(worker: Worker) -> Iterator[ImageEncoder]:
    return ImageEncoder(worker)


def scene(width: int, height: int, seed: int = 1) -> np.ndarray:
    """A synthetic landscape: gradient sky, textured ground, hard-edged rocks."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = 170 - 60 * y / height + 8 * np.sin(x / 37.0)
    ground = y > height * 0.4 + 10 * np.sin(x / 50.0)
    picture = np.where(ground, 95 + 12 * np.sin(x / 9.0 + y / 5.0) + rng.normal(0, 4, picture.shape), picture)
    for _ in range(12):
        cx, cy, r = rng.integers(0, width), rng.integers(height // 2, height), rng.integers(4, 24)
        picture[(x - cx) ** 2 + 2 * (y - cy) ** 2 < r * r] = rng.integers(20, 80)
    return np.clip(picture, 0, 255).astype(np.uint8)


def split(layers: list[bytes], size: int = 200) -> list[bytes]:
    return [slot for d in layers for slot in slots_in(d, size=size)]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    e = float(np.mean((a.astype(float) - b) ** 2))
    return 99.0 if e == 0 else 10 * np.log10(255**2 / e)


@pytest.fixture(scope="module")
def vga(encoder: ImageEncoder) -> tuple[np.ndarray, list[bytes]]:
    picture = scene(640, 480)
    return picture, encoder.slots(picture, arena=ARENA, quality=64, refine=2)


def test_vga_lossless_in_the_arena(vga: tuple[np.ndarray, list[bytes]]) -> None:
    picture, layers = vga
    assert all(len(x) % 200 == 0 for x in layers)
    got = decode_slots(split(layers))
    assert got.complete
    assert np.array_equal(got.array, picture)


def test_slots_are_headed_alike(vga: tuple[np.ndarray, list[bytes]]) -> None:
    """CRC by another implementation; the units of every layer follow one another and cover the picture."""
    crc = mkPredefinedCrcFun("crc-ccitt-false")
    _, layers = vga
    for layer, data in enumerate(layers):
        head = 9 if layer < 2 else 6
        following = 0
        for slot in split([data]):
            s = parse(slot)
            assert s is not None
            assert s.layer == layer
            assert int.from_bytes(slot[head - 2 : head], "big") == crc(slot[: head - 2] + b"\0\0" + slot[head:])
            if layer:
                c = coded(s)
                assert 4 * s.first + c.begun == following
                following = 4 * (s.first + c.count - 1) + c.ended + 1
            else:
                assert 4 * s.first == following
                following += 4 * s.count
        assert following == 4 * 4800


def test_better_with_every_layer_and_in_any_order(vga: tuple[np.ndarray, list[bytes]]) -> None:
    picture, layers = vga
    p = Progressive()
    last = 0.0
    for layer, data in enumerate(layers):
        slots = split([data])
        random.Random(layer).shuffle(slots)
        for slot in slots:
            assert p.add(layer, slot)
            assert not p.add(layer, slot)  # repeated
        now = psnr(p.picture(), picture)
        assert now > last
        last = now
        assert p.confidence().min() == (FROM_THUMBNAIL, BASE, 2, EXACT)[layer] or layer == 2
    assert p.complete


def test_refinement_before_base(vga: tuple[np.ndarray, list[bytes]]) -> None:
    picture, layers = vga
    p = Progressive()
    for layer in (3, 2, 1):
        for slot in split([layers[layer]]):
            p.add(layer, slot)
    for slot in split([layers[0]]):
        p.add(0, slot)
    assert np.array_equal(p.picture(), picture)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_lost_slot_costs_a_patch(vga: tuple[np.ndarray, list[bytes]], share: float) -> None:
    picture, layers = vga
    draw = random.Random(4)  # one that hits a base slot at every share
    whole = psnr(decode_slots(split(layers[:2])).array, picture)
    got = decode_slots(s for s in split(layers[:2]) if draw.random() >= share)
    assert psnr(got.array, picture) > whole - 2 - 40 * share
    # the mask names the holes: the known rest is as good as without losses, but for the filters' reach beside the holes
    good = got.confidence >= BASE
    assert 0.5 < good.mean() < 1
    assert psnr(got.array[good], picture[good]) > whole - 1 - 8 * share


def test_budget_is_kept(encoder: ImageEncoder) -> None:
    picture = scene(640, 480, 2)
    for bpp in (0.3, 0.5, 1.0):
        budget = int(picture.size * bpp / 8)
        for survey in (False, True):
            layers = encoder.slots(picture, budget=budget, survey=survey)
            assert 0.85 * budget < len(layers[0]) + len(layers[1]) < 1.06 * budget


def test_roi_is_finer(encoder: ImageEncoder) -> None:
    picture = scene(640, 480, 3)
    box = np.s_[280:400, 200:360]
    plain = decode_slots(split(encoder.slots(picture, quality=90))).array
    finer = decode_slots(split(encoder.slots(picture, quality=90, roi=(200, 280, 160, 120)))).array
    assert psnr(finer[box], picture[box]) > psnr(plain[box], picture[box]) + 2


def test_roi_first(encoder: ImageEncoder) -> None:
    """The region's base is a part of its own: with the thumbnail alone it is as fine there as all of the base makes it."""
    picture = scene(640, 480, 3)
    box, inner = np.s_[280:400, 200:360], np.s_[296:384, 216:344]
    layers = encoder.slots(picture, quality=90, refine=2, roi=(200, 280, 160, 120))
    first = decode_slots(split([layers[0], layers[4]]))
    whole = decode_slots(split([layers[0], layers[1], layers[4]]))
    assert psnr(first.array[inner], picture[inner]) > psnr(whole.array[inner], picture[inner]) - 0.5
    assert (first.confidence[box] >= BASE).all()
    assert (first.confidence[:272] == FROM_THUMBNAIL).all()
    assert (whole.confidence >= BASE).all()
    assert np.array_equal(decode_slots(split(layers)).array, picture)


@pytest.mark.parametrize("roi", [(0, 0, 640, 480), (632, 472, 8, 8), (0, 100, 8, 8)])
def test_roi_at_the_edges(encoder: ImageEncoder, roi: tuple[int, int, int, int]) -> None:
    picture = scene(640, 480, 4)
    got = decode_slots(split(encoder.slots(picture, budget=20000, refine=2, roi=roi)))
    assert np.array_equal(got.array, picture)


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((640, 480), {"budget": 400}, "the thumbnail alone may need"),
        ((4, 480), {}, "8..2048"),
        ((2560, 16), {}, "8..2048"),
        ((1024, 16), {"arena": ARENA}, "bytes of arena"),
    ],
)
def test_refusals_carry_numbers(encoder: ImageEncoder, size: tuple[int, int], options: dict, expected: str) -> None:
    arena = options.pop("arena", 0)
    with pytest.raises(MicroPythonError, match=expected):
        encoder.slots(np.zeros(size[::-1], np.uint8), arena=arena, **options)


@settings(max_examples=40)
@given(data=st.data())
def test_any_picture_round_trips(encoder: ImageEncoder, data: st.DataObject) -> None:
    width, height = data.draw(st.integers(8, 96)), data.draw(st.integers(8, 96))
    depth = data.draw(st.sampled_from([8, 9, 10, 11, 12]))
    kind = data.draw(st.sampled_from(["noise", "extremes", "ramp", "flat", "checks"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    top = (1 << depth) - 1
    y, x = np.mgrid[0:height, 0:width]
    picture = {
        "noise": lambda: rng.integers(0, top + 1, (height, width)),
        "extremes": lambda: rng.integers(0, 2, (height, width)) * top,
        "ramp": lambda: (x * 5 + y * 3) % (top + 1),
        "flat": lambda: np.full((height, width), rng.integers(0, top + 1)),
        "checks": lambda: ((x // rng.integers(1, 5) + y // rng.integers(1, 5)) % 2) * top,
    }[kind]().astype(np.uint8 if depth == 8 else np.uint16)
    quality = data.draw(st.sampled_from([0, 30, 60, 100]))
    layers = encoder.slots(picture, depth=depth, quality=quality, refine=2)
    got = decode_slots(split(layers))
    assert got.complete
    assert np.array_equal(got.array, picture)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(2048, 8), (8, 2048), (2048, 2048), (2047, 1033)])
def test_large_pictures_round_trip(encoder: ImageEncoder, width: int, height: int) -> None:
    picture = scene(width, height, 5)
    got = decode_slots(split(encoder.slots(picture, quality=60, refine=2)))
    assert np.array_equal(got.array, picture)


@settings(max_examples=150)
@given(data=st.data())
def test_any_bytes_never_crash(vga: tuple[np.ndarray, list[bytes]], data: st.DataObject) -> None:
    """Random slots, and real ones with changed bytes under a valid CRC."""
    crc = mkPredefinedCrcFun("crc-ccitt-false")
    p = Progressive()
    real = split(vga[1])
    for _ in range(data.draw(st.integers(1, 4))):
        slot = (
            bytearray(data.draw(st.sampled_from(real)))
            if data.draw(st.booleans())
            else bytearray(data.draw(st.binary(max_size=200)))
        )
        if len(slot) > 11:
            for _ in range(data.draw(st.integers(0, 6))):
                slot[data.draw(st.integers(0, len(slot) - 1))] = data.draw(st.integers(0, 255))
            head = 9 if slot[1] >> 5 < 2 else 6
            slot[head - 2 : head] = crc(slot[: head - 2] + b"\0\0" + slot[head:]).to_bytes(2, "big")
        p.add(data.draw(st.sampled_from([-1, 0, 1, 2, 3])), bytes(slot))
        p.picture()
        assert 0 <= p.quality <= 99
        p.info()


def test_slots_of_refinements_are_found_from_any_piece(encoder: ImageEncoder) -> None:
    """The ground cuts what has come of a layer's file, wherever that begins and ends."""
    for data in encoder.slots(scene(64, 48), quality=48, refine=2):
        whole = slots_in(data)
        refined = whole[0][1] >> 5 > 1
        assert {len(s) for s in whole} == {600 if refined else 200}
        assert b"".join(whole) == data
        for start in range(0, len(data), 130):
            for end in range(start, len(data) + 1, 170):
                found = [s for s in slots_in(data[start:end], start) if parse(s)]
                length = len(whole[0])
                assert found == whole[-(-start // length) : max(-(-start // length), end // length)]


@pytest.mark.parametrize("options", [{"quality": None, "budget": 900}, {"quality": 48, "refine": 2}])
def test_a_plain_install_decodes_the_same(encoder: ImageEncoder, options: dict[str, Any]) -> None:
    slots = split(encoder.slots(scene(64, 48), **options))
    assert decoded_plainly(slots) == decode_slots(slots).array.tobytes()


def test_what_contexts_start_with_is_learned_from_pictures(micropython: str) -> None:
    table, trials = startup.run({f"scene {n}": scene(200, 160, n) for n in (1, 2)}, lambda text: None)
    assert [len(kind) for kind in table] == [blocks.CONTEXTS] * 3 + [31]
    for t in trials:  # another picture of the kind teaches most of what there is to know
        assert t.others < t.flat
        assert t.present < t.flat
    namespace: dict[str, Any] = {}
    exec(startup.source(table), namespace)
    assert namespace["STARTUP"] == table
