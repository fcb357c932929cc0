"""The ground's CFDP entity alone: ranges, checksums, stores, hostile input."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import struct
import zlib
from pathlib import Path

import crcmod.predefined
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam.protocol.cfdp import (
    Entity,
    FileStore,
    Finished,
    MemoryStore,
    PduError,
    SegmentReceived,
    Settings,
    Started,
    TransactionId,
    checksum,
    pdus,
    repair,
)
from rovercam.protocol.cfdp.ranges import Ranges, SendingOrder
from spacepackets.cfdp.conf import PduConfig
from spacepackets.cfdp.defs import TransmissionMode
from spacepackets.cfdp.pdu import NakPdu, PromptPdu
from spacepackets.cfdp.pdu.prompt import ResponseRequired
from spacepackets.util import ByteFieldU8, ByteFieldU64

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted).map(tuple), max_size=12)


@given(spans, st.integers(0, 60), st.integers(0, 60))
def test_ranges_are_sets(added: list[tuple[int, int]], start: int, end: int) -> None:
    ranges = Ranges(added)
    expected = {x for a, b in added for x in range(a, b)}
    assert {x for a, b in ranges for x in range(a, b)} == expected
    assert ranges.total == len(expected)
    assert ranges.end == max(expected, default=-1) + 1
    assert {x for a, b in ranges.missing(start, end) for x in range(a, b)} == set(range(start, end)) - expected
    flat = [x for pair in ranges for x in pair]
    assert all(x < y for x, y in itertools.pairwise(flat)), "sorted, disjoint, not touching"


@given(st.integers(0, 3000), st.sampled_from([0, 7, 64, 200]), st.data())
def test_sending_order_is_a_permutation(size: int, run: int, data: st.DataObject) -> None:
    n = size // run if run else 0
    strides = [s for s in range(1, n + 1) if math.gcd(s, n) == 1] or [1]
    order = SendingOrder(size, run, data.draw(st.sampled_from(strides)))
    offsets = [x for a, b in order.offsets(0, size) for x in range(a, b)]
    assert sorted(offsets) == list(range(size))
    for place in range(0, size, 37):
        assert order.place(offsets[place]) == place
    first, last = sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size))))
    assert [x for a, b in order.offsets(first, last) for x in range(a, b)] == offsets[first:last]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_modular_checksum(data: bytes, cuts: list[int]) -> None:
    """Sum of big-endian words, in pieces of any length and in any order."""
    padded = data + bytes(-len(data) % 4)
    expected = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
    points = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    total = 0
    for a, b in reversed(list(itertools.pairwise(points))):
        total = checksum.modular(data[a:b], a, total)
    assert total == expected


def test_checksum_vectors() -> None:
    """Check value of CRC-32 ("123456789") against crcmod; the modular one by hand."""
    data = b"123456789"
    read = lambda a, n: data[a : a + n]  # noqa: E731
    assert checksum.of_file(3, read, 9, step=4) == 0xCBF43926 == crcmod.predefined.mkCrcFun("crc-32")(data)
    assert checksum.of_file(0, read, 9) == 0x31323334 + 0x35363738 + 0x39000000
    assert checksum.of_file(15, read, 9) == 0
    with pytest.raises(ValueError, match="checksum type 1"):
        checksum.of_file(1, read, 9)


@settings(max_examples=300)
@given(st.binary(max_size=80))
def test_parsers_raise_only_pdu_errors(data: bytes) -> None:
    for parse in (pdus.parse, repair.parse):
        with contextlib.suppress(PduError):
            parse(data)


GOOD = [
    pdus.Builder(1, 5, 0).metadata("a", "b", 100, 0), pdus.Builder(1, 5, 0).data(0, bytes(50)),
    pdus.Builder(1, 5, 0).data(70, bytes(30)), pdus.Builder(1, 5, 0).eof(0, 100), pdus.Builder(1, 5, 0).eof(0, 100, 15),
    pdus.Builder(1, 5, 0).prompt(), pdus.Builder(1, 5, 0).prompt(True), pdus.Builder(0, 1, 1).nak(0, 9, [(0, 0), (1, 4)]),
    pdus.Builder(0, 1, 1).finished(0, True), pdus.Builder(0, 1, 1).keep_alive(7),
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(GOOD), st.integers(0, 30), st.integers(0, 255), st.integers(0, 4)), max_size=12)
)
def test_entity_takes_anything(changes: list[tuple[bytes, int, int, int]]) -> None:
    """Good PDUs with a changed byte, cut short, in any order: no exception, every PDU counted, replies well formed."""
    entity = Entity(0, MemoryStore(), settings=Settings(largest_file=100000))
    entity.put(1, bytes(1000), "/x")
    now = 0.0
    for pdu, at, value, cut in changes:
        bad = bytearray(pdu)
        if at < len(bad):
            bad[at] = value
        entity.pdu_in(1, bytes(bad[: len(bad) - cut]), now)
        now += 1.0
        for unit, out in entity.poll(now):
            assert unit == 1
            pdus.parse(out)
    assert entity.counters.pdus_in == len(changes)


def test_a_million_gaps_are_asked_for_in_bounds() -> None:
    """Every second segment lost: NAK PDUs stay within the limit, and so does what is outstanding."""
    entity = Entity(0, MemoryStore(), settings=Settings(pdu_limit=200))
    build = pdus.Builder(1, 1, 0)
    size = 100 * 2000
    entity.pdu_in(1, build.metadata("a", "b", size, 15), 0.0)
    asked = set()
    for i in range(0, 2000, 2):
        entity.pdu_in(1, build.data(i * 100, bytes(100)), i / 1000)
        for _, pdu in entity.poll(i / 1000):
            assert len(pdu) <= 200
            asked |= set(pdus.parse(pdu).directive.segment_requests)  # type: ignore[union-attr]
    assert len(asked) == 60
    while asked:
        for start, end in sorted(asked):
            entity.pdu_in(1, build.data(start, bytes(end - start)), 3.0)
        asked = {r for _, p in entity.poll(3.0) for r in pdus.parse(p).directive.segment_requests}  # type: ignore[union-attr]
    entity.pdu_in(1, build.data(size - 100, bytes(100)), 4.0)
    events = entity.pdu_in(1, build.eof(0, size), 4.0)
    assert any(isinstance(e, Finished) for e in events)


def test_deferred_mode_waits_for_the_end() -> None:
    entity = Entity(0, MemoryStore(), settings=Settings(immediate=False))
    build = pdus.Builder(1, 1, 0)
    entity.pdu_in(1, build.metadata("a", "b", 300, 15), 0.0)
    entity.pdu_in(1, build.data(0, bytes(100)), 0.0)
    entity.pdu_in(1, build.data(200, bytes(100)), 0.0)
    assert entity.poll(1.0) == []
    entity.pdu_in(1, build.eof(0, 300), 2.0)
    naks = [d for _, p in entity.poll(2.0) if hasattr(d := pdus.parse(p).directive, "segment_requests")]
    assert [d.segment_requests for d in naks] == [[(100, 200)]]


def test_new_file_under_an_old_number(tmp_path: Path) -> None:
    """The unit's flash was erased: its numbers start again. The old file's end must not be taken for the new one's."""
    store = FileStore(tmp_path)
    entity = Entity(0, store)
    build = pdus.Builder(1, 1, 0)

    def send(data: bytes) -> list[bytes]:
        events = entity.pdu_in(1, build.metadata("a", "b", len(data), 3), 0.0)
        events += entity.pdu_in(1, build.data(0, data), 0.0)
        events += entity.pdu_in(1, build.eof(zlib.crc32(data), len(data)), 0.0)
        entity.poll(0.0)
        entity.pdu_in(1, build.ack(pdus.DirectiveType.FINISHED_PDU, 0, 1), 0.0)
        return [e.path.read_bytes() for e in events if isinstance(e, Finished) and e.path]

    assert send(b"first") == [b"first"]
    assert send(b"other") == [b"other"]
    assert send(b"other") == [b"other"]


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_file_store_survives_a_torn_journal(tmp_path: Path, cut: int) -> None:
    """Killed in the middle of a line: what was noted whole is there, nothing else."""
    transaction = TransactionId(1, 2)
    store = FileStore(tmp_path)
    store.save(transaction, {"direction": "x"})
    written = [(0, 10), (50, 5), (1000, 200), (70000, 3)]
    for offset, length in written:
        store.write(transaction, offset, bytes([length % 251]) * length)
    store.keep_repair(transaction, 1, 200, b"block")
    store.close()
    journal = tmp_path / "1-2" / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[: max(len(whole) - cut, 0)])
    (tmp_path / "1-2" / "repair").write_bytes((tmp_path / "1-2" / "repair").read_bytes() + b"\1\2\0")
    (snapshot,) = FileStore(tmp_path).load()
    lines = whole[: max(len(whole) - cut, 0)].count(b"\n")
    assert snapshot.ranges.total == sum(n for _, n in written[:lines])
    assert snapshot.repair == {(1, 200): b"block"}
    assert FileStore(tmp_path).read(transaction, 1000, 2) == bytes([200, 200])


def test_a_large_clean_file_is_taken_segment_by_segment() -> None:
    """4 MB in segments of 1000 bytes, each reported once."""
    entity = Entity(0, MemoryStore())
    data = random.Random(1).randbytes(1 << 22)
    build = pdus.Builder(1, 1, 0)
    parts = [build.data(a, data[a : a + 1000]) for a in range(0, len(data), 1000)]
    entity.pdu_in(1, build.metadata("a", "b", len(data), 0), 0.0)
    for part in parts:
        assert sum(isinstance(e, SegmentReceived) for e in entity.pdu_in(1, part, 0.0)) == 1


def test_files_at_a_time_are_bounded(tmp_path: Path) -> None:
    """Hundreds of transaction numbers that nobody meant: the real file stays, and the strays do not."""
    entity = Entity(0, FileStore(tmp_path), 0.0)
    data = random.Random(1).randbytes(4000)
    real = pdus.Builder(1, 7, 0)
    entity.pdu_in(1, real.metadata("/f/x", "/f/y", len(data), checksum.MODULAR), 0.0)
    for k in range(400):
        stray = pdus.Builder(1, 1000 + k, 0)
        entity.pdu_in(1, stray.data(0, b"stray") if k % 2 else stray.eof(0, 100), 1.0 + k)
        entity.pdu_in(1, real.data(10 * k, data[10 * k : 10 * k + 10]), 1.5 + k)
    assert len(entity.transactions()) <= 64
    events = entity.pdu_in(
        1, real.eof(checksum.of_file(checksum.MODULAR, lambda a, n: data[a : a + n], 4000), 4000), 500.0
    )
    assert any(isinstance(e, Finished) for e in events)
    assert len(FileStore(tmp_path).load()) <= 64


def test_sent_files_are_forgotten_in_the_end() -> None:
    entity = Entity(0, MemoryStore())
    for _ in range(600):
        number = entity.put(1, b"abc", "/f/x").number
        entity.pdu_in(1, pdus.Builder(0, number, 1).finished(0, True), 0.0)
    assert len(entity.transactions()) < 300


def test_an_order_that_no_unit_sends_costs_nothing() -> None:
    """64 MB in runs of one byte would be 64 million runs to ask for: such a file is taken from first to last."""
    entity = Entity(0, MemoryStore())
    size = 1 << 26
    option = struct.pack(">BB5sHH", 2, 9, b"rcam\x01", 1, 3)
    plain = pdus.Builder(1, 7, 0).metadata("a", "b", size, 0)
    long = plain[:1] + (len(plain) - 8 + len(option)).to_bytes(2, "big") + plain[3:] + option
    started = entity.pdu_in(1, long, 0.0)
    assert [e.run for e in started if isinstance(e, Started)] == [0]
    entity.pdu_in(1, pdus.Builder(1, 7, 0).eof(1, size), 1.0)
    out = entity.poll(2.0)
    asked = [pdus.parse(p).directive for _, p in out if pdus.parse(p).towards_sender]
    assert [d.segment_requests for d in asked if isinstance(d, NakPdu)] == [[(0, size)]]


def test_a_number_longer_than_ours_is_none_of_ours() -> None:
    """Ids and transaction numbers may have eight bytes (727.0-B-5 5.1.8); the unit's have one and two, and so has what answers."""
    entity = Entity(0, MemoryStore())
    conf = PduConfig(
        source_entity_id=ByteFieldU8(1),
        dest_entity_id=ByteFieldU8(0),
        transaction_seq_num=ByteFieldU64(1 << 60),
        trans_mode=TransmissionMode.ACKNOWLEDGED,
    )
    entity.pdu_in(1, bytes(PromptPdu(conf, ResponseRequired.KEEP_ALIVE).pack()), 1.0)
    assert entity.counters.pdus_bad == 1
    assert list(entity.poll(2.0)) == []


def test_file_data_is_paced_for_a_unit_slower_than_its_line() -> None:
    """Never more than a burst and the rate's share of the time, and all of that used."""
    settings = Settings(data_per_poll=700, data_rate=6000.0)
    entity = Entity(0, MemoryStore(), 0.0, settings)
    entity.put(1, bytes(60_000), "/t/f")
    sent, now = 0, 0.0
    while now < 12:
        sent += sum(len(pdu) - pdus.DATA_OVERHEAD for _, pdu in entity.poll(now) if pdu[0] & 0x10)
        assert sent <= 700 + settings.pdu_limit + 6000 * now
        if sent == 60_000:
            break
        now = max(now + 0.001, entity.deadline() or 0.0)
    assert now == pytest.approx(10.0, abs=0.4)
