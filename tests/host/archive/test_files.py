"""Files on their way: pieces, gaps, the file transfer entity's store."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rovercam.archive import Archive
from rovercam.protocol.cfdp import TransactionId
from rovercam.protocol.imaging import split
from rovercam.station.transfers import ArchiveStore


def test_pieces_in_any_order_become_the_file(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(5000)
    offsets = list(range(0, 5000, 200))
    random.Random(2).shuffle(offsets)
    with Archive(tmp_path / "a.db") as archive:
        transfer = archive.transfer(1, 1, 9, 0.0)
        for offset in offsets:
            archive.add_piece(transfer, offset, data[offset : offset + 200])
        assert archive.read_piece(transfer, 333, 1000) == data[333:1333]
        assert archive.finish_transfer(transfer, 5.0) == data
        assert archive.content(transfer) == data
        assert archive.pieces(transfer) == [(0, data)]
        assert archive.db.execute("SELECT count(*) FROM piece").fetchone() == (0,)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=20))
def test_reading_over_gaps(pieces: list[tuple[int, int]]) -> None:
    """Against a plain buffer; the entity writes each byte once."""
    with Archive(":memory:") as archive:
        transfer = archive.transfer(1, 1, 1, 0.0)
        model = bytearray(80)
        taken: set[int] = set()
        for offset, length in pieces:
            places = range(offset, offset + length)
            if taken.isdisjoint(places):
                taken.update(places)
                data = bytes(1 + (p * 7) % 255 for p in places)
                model[offset : offset + length] = data
                archive.add_piece(transfer, offset, data)
        assert archive.read_piece(transfer, 0, 80) == model


def test_the_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    one, two = TransactionId(1, 5), TransactionId(0, 6)
    with Archive(tmp_path / "a.db") as archive:
        store = ArchiveStore(archive)
        store.save(one, {"direction": "down", "state": "receiving", "name": "a", "source": "/a", "size": 30})
        store.write(one, 0, b"0123456789")
        store.write(one, 20, b"abcdefghij")
        store.keep_repair(one, 2, 130, b"block")
        store.save(two, {"direction": "up", "unit": 3, "state": "sending", "name": "/x", "source": "x", "size": 4})
        store.source(two, b"data")
    with Archive(tmp_path / "a.db") as archive:
        store = ArchiveStore(archive)
        found = {s.transaction: s for s in store.load()}
        assert list(found[one].ranges) == [(0, 10), (20, 30)]
        assert found[one].repair == {(2, 130): b"block"}
        assert found[one].record["size"] == 30
        assert store.read(two, 1, 2) == b"at"
        store.write(one, 10, b"----------")
        store.complete(one, 30)
        assert archive.content(store.row(one)) == b"0123456789----------abcdefghij"
        assert [t["unit"] for t in archive.transfers()] == [1, 3]
        store.forget(one)
        assert [s.transaction for s in store.load()] == [two]


def test_a_number_that_comes_again_is_another_file(tmp_path: Path) -> None:
    """A unit's transaction numbers start again when its flash is erased."""
    with Archive(tmp_path / "a.db") as archive:
        store = ArchiveStore(archive)
        key = TransactionId(1, 1)
        store.write(key, 0, b"first")
        store.complete(key, 5)
        archive.update_transfer(store.row(key), status="finished")
        archive.commit()
        later = ArchiveStore(archive)
        later.write(key, 0, b"second")
        later.complete(key, 6)
        contents = [archive.content(t["id"]) for t in archive.transfers()]
        assert contents == [b"first", b"second"]


def test_products_and_layers(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.db") as archive:
        row = archive.product(1, 12, 100.0)
        assert archive.product(1, 12, 101.0) == row
        transfer = archive.transfer(1, 1, 3, 100.0)
        archive.update_transfer(transfer, name="/p/0012.0", size=600, received=400)
        archive.add_layer(row, 0, transfer)
        for k in (0, 200):
            archive.add_piece(transfer, k, bytes([k]) * 200)
        archive.update_product(row, 102.0, width=64, height=48, fields={"codec": "lossless"})
        archive.update_product(row, 103.0, fields={"layers": 3})
        found = archive.find_product(1, 12)
        assert found is not None
        assert found["fields"] == {"codec": "lossless", "layers": 3}
        assert [(la["layer"], la["received"]) for la in found["layers"]] == [(0, 400)]
        assert [s[1][0] for s in archive.slots(row, split)] == [0, 200]
        for k, n in ((950, 80), (1030, 120), (1150, 60), (1300, 150)):  # they do not keep to the slots
            archive.add_piece(transfer, k, bytes([k // 10]) * n)
        assert [s[1] for s in archive.slots(row, split)][2:] == [b"\x5f" * 30 + b"\x67" * 120 + b"\x73" * 50]
        assert archive.product(1, 12, 200.0, new=True) != row
