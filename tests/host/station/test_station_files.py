"""Files and pictures between the station and the firmware's file transfer, over restarts of the station."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from rovercam.archive import check
from rovercam.station.pictures import NoPicture, render
from rovercam.station.updates import (
    PictureChanged,
    TransferChanged,
)

from .conftest import Bench


def test_a_file_comes_down_and_goes_up(bench: Bench) -> None:
    data = random.Random(1).randbytes(9000)
    (bench.folder / "t" / "down.bin").write_bytes(data)
    bench.unit.worker.call("put", str(bench.folder / "t" / "down.bin"), 3)
    bench.run(5)
    down = [t for t in bench.told(TransferChanged) if t.direction == "down"][-1]
    assert (down.status, down.received, down.size) == ("finished", 9000, 9000)
    assert bench.archive.content(down.transfer) == data

    up = random.Random(2).randbytes(7000)
    bench.station.put(1, up, str(bench.folder / "t" / "up.bin"), bench.now)
    bench.run(15)
    assert [t for t in bench.told(TransferChanged) if t.direction == "up"][-1].status == "finished"
    assert (bench.folder / "t" / "up.bin").read_bytes() == up


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_station_goes_on_with_the_file(bench: Bench, seed: int) -> None:
    """Frames lost at random, the process killed six times in between: every byte once, nothing asked for in vain."""
    noise = random.Random(seed)
    data = noise.randbytes(30000)
    (bench.folder / "t" / "f").write_bytes(data)
    bench.unit.worker.call("put", str(bench.folder / "t" / "f"), 3)
    bench.lose = lambda: noise.random() < 0.1
    for _ in range(6):
        for _ in range(noise.randrange(3, 12)):
            bench.step()
        bench.kill()
        bench.open()
    for _ in range(600):
        bench.step()
        if any(t.status == "finished" for t in bench.told(TransferChanged)):
            break
    finished = [t for t in bench.told(TransferChanged) if t.status == "finished"]
    assert finished, f"seed {seed}"
    assert bench.archive.content(finished[-1].transfer) == data
    bench.station.commit(bench.now)
    assert check(bench.archive).problems == []


def entry(number: int, width: int, height: int, seconds: int = 1000) -> bytes:
    return struct.pack(
        ">BHBBBBBBBBBHHHHBIHBIIHH", 1, number, 0, 1, 0, 5, 1, 0, 0, 0, 8, width, height, 0, 0, 1, seconds, 0, 1,
        width * height, 0, 0, 1,
    )  # fmt: skip


def send_product(bench: Bench, number: int, pixels: np.ndarray, seconds: int = 1000) -> None:  # type: ignore[type-arg]
    """As the firmware does: the catalogue entry, then the layers (names as on its flash)."""
    height, width = pixels.shape
    for name, data in (
        (f"/p/{number:04d}.m", entry(number, width, height, seconds)),
        (f"/p/{number:04d}.0", pixels.tobytes()),
    ):
        (bench.folder / "part").write_bytes(data)
        bench.unit.worker.eval(f"files.put({str(bench.folder / 'part')!r}, {name!r}, 3, 2, 0, 0)")
        bench.run(6)


def test_a_picture_is_put_together(bench: Bench) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 80), np.uint8)
    bench.most = 2
    send_product(bench, 7, pixels)
    told = bench.told(PictureChanged)
    assert told[-1].state == "down"
    assert any(0 < t.received < 4800 for t in told), "it is told while it grows"
    picture = render(bench.archive, told[-1].product)
    assert picture.complete
    assert np.array_equal(picture.pixels, pixels)
    assert picture.fields["codec"] == "raw"
    assert (picture.confidence == 4).all()


def test_a_product_number_that_comes_again_is_another_picture(bench: Bench) -> None:
    """A unit whose flash was erased numbers from 1 again; the same product sent again is not another one."""
    first, second = (np.random.default_rng(s).integers(0, 256, (16, 16), np.uint8) for s in (1, 2))
    send_product(bench, 1, first, seconds=1000)
    send_product(bench, 1, second, seconds=2000)
    send_product(bench, 1, second, seconds=2000)
    products = bench.archive.products(kind="picture")
    pictures = [render(bench.archive, p["id"]).pixels for p in products]
    assert len(pictures) == 2
    assert np.array_equal(pictures[0], first)
    assert np.array_equal(pictures[1], second)


def test_a_picture_without_its_entry_is_said_to_be_so(bench: Bench) -> None:
    row = bench.archive.product(1, 3, bench.now)
    with pytest.raises(NoPicture, match="catalogue entry"):
        render(bench.archive, row)
