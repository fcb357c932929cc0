"""What is right in lost frames: fragments out of the receiver, and blocks of a file found in them. Nothing wrong is ever taken."""

import random
import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam.protocol.cfdp.events import PduError
from rovercam.protocol.cfdp.ranges import SendingOrder
from rovercam.protocol.cfdp.salvage import HEADER, REQUEST, Digest, Salvage, parse
from rovercam.protocol.downlink import SILENCE, Receiver
from rovercam.protocol.events import Fragment, FrameReceived
from rovercam.protocol.profiles import LONGEST, TABLE
from rovercam.protocol.stretch import MOST
from rovercam_hil.bench.host_link import recording


def line_of(profile, count):
    """``count`` frames of VC1, one packet each."""
    return recording(profile.number, count * profile.line_length / 1e6 + 1e-9)


def frames_and_fragments(events):
    return [e.frame for e in events if isinstance(e, FrameReceived)], [e for e in events if isinstance(e, Fragment)]


def clean(profile, count):
    return frames_and_fragments(Receiver().feed(line_of(profile, count), 0.0))[0]


@pytest.mark.parametrize("number", [11, 15, 6, 8])
@pytest.mark.parametrize("across", [False, True])
def test_fragments_of_a_burst(number, across):
    """One for each frame it touched, said before the next good frame; right wherever the burst was not."""
    profile = TABLE[number]
    size = profile.line_length
    line = bytearray(line_of(profile, 6))
    first = 3 * size - 150 if across else 2 * size + 200
    line[first : first + 300] = random.Random(1).randbytes(300)
    events = Receiver().feed(bytes(line), 0.0)
    good, fragments = frames_and_fragments(events)
    whole = clean(profile, 6)
    spoilt = [2, 3] if across else [2]
    assert good == [f for i, f in enumerate(whole) if i not in spoilt]
    assert [f.tail for f in fragments] == [False] * len(spoilt)
    for n, fragment in zip(spoilt, fragments, strict=True):
        wrong = [i for i, (a, b) in enumerate(zip(fragment.data, whole[n], strict=False)) if a != b]
        assert 0 < len(wrong) <= 300
        assert wrong[-1] - wrong[0] < 300
    kinds = [type(e) for e in events]
    assert kinds.index(Fragment) > [i for i, k in enumerate(kinds) if k is FrameReceived][1]


@pytest.mark.parametrize("number", [11, 15])
def test_fragments_of_an_outage(number):
    """What came of the frame that it cut off, and what came of the one in which it ended."""
    profile = TABLE[number]
    size = profile.line_length
    line = line_of(profile, 12)
    receiver = Receiver()
    events = receiver.feed(line[: 2 * size + 900], 0.0)
    events += receiver.poll(SILENCE)
    events += receiver.feed(line[8 * size + 700 :], 3.0)
    good, fragments = frames_and_fragments(events)
    whole = clean(profile, 12)
    assert good == whole[:2] + whole[9:]
    head, tail = fragments
    assert (head.tail, tail.tail) == (False, True)
    assert head.data == whole[2][: 900 - 4]
    assert tail.data == whole[8][700 - 4 :]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12000), st.integers(1, 3000), st.booleans()), max_size=6), st.integers(1, 9000)
)
def test_fragments_are_bounded(damage, piece):
    """Whatever is cut out or spoilt: two longest frames at either end of what was lost, at most."""
    line = bytearray(line_of(TABLE[11], 6))
    for at, length, cut in damage:
        line[at : at + length] = b"" if cut else random.Random(at).randbytes(len(line[at : at + length]))
    receiver = Receiver()
    for i in range(0, len(line), piece):
        _, fragments = frames_and_fragments(receiver.feed(bytes(line[i : i + piece]), i / 11520))
        assert all(len(f.data) < LONGEST for f in fragments)
        assert sum(len(f.data) for f in fragments) <= 2 * MOST * LONGEST * (1 + len(line) // LONGEST)


def digest_of(data: bytes, order: SendingOrder, request: bytes) -> Digest:
    number, first, end, block = REQUEST.unpack(request)
    text = HEADER.pack(0, number, first, end, block)
    sent = b"".join(data[a:b] for a, b in order.offsets(0, len(data)))
    for at in range(first, end, block):
        text += (zlib.crc32(sent[at : min(at + block, end)]) & 0xFFFFFF).to_bytes(3, "big")
    return parse(text)


def file_pdu(data: bytes, offset: int, length: int) -> bytes:
    return (
        struct.pack(">HHH", 0x111, 0xC000, length + 11)
        + bytes(8)
        + offset.to_bytes(4, "big")
        + data[offset : offset + length]
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dull=st.booleans(),
    bursts=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 700)), max_size=3),
    cut=st.one_of(st.none(), st.integers(0, 2000)),
    shift=st.integers(0, 40),
    tail=st.booleans(),
)
def test_only_right_bytes_are_found(seed, dull, bursts, cut, shift, tail):
    """Random and repetitive files, spoilt and cut fragments at any distance: found and wanted places make the gap, and what is found is right."""
    rng = random.Random(seed)
    data = bytes(6000) if dull else rng.randbytes(6000)
    order = SendingOrder(len(data))
    first, end = 1000, 3000
    spoilt = bytearray(rng.randbytes(shift) + file_pdu(data, first, end - first) + b"\0\0")
    for at, length in bursts:
        spoilt[at : at + length] = rng.randbytes(len(spoilt[at : at + length]))
    if cut is not None:
        spoilt = spoilt[-cut - 1 :] if tail else spoilt[: cut + 1]
    wanted: list[tuple[int, int]] = []
    salvage = Salvage(7, lambda a, b: wanted.append((a, b)))
    salvage.gap(order, first, end, [Fragment(data=bytes(spoilt), tail=tail, now=0.0)], 0.0, 1.0)
    found = [f for r in salvage.requests for f in salvage.answer(order, digest_of(data, order, r))]
    for offset, piece in found:
        assert piece == data[offset : offset + len(piece)]
    spans = sorted([(offset, offset + len(piece)) for offset, piece in found] + wanted)
    assert spans[0][0] == first
    assert spans[-1][1] == end
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    if cut is None and not bursts:
        assert sum(len(p) for _, p in found) == end - first
    assert salvage.deadline == float("inf")


def test_runs_are_found_by_their_offsets():
    """A picture's slots: each PDU is one run, and the runs lie all over the file."""
    data = random.Random(3).randbytes(40 * 200 + 50)
    order = SendingOrder(len(data), 200, 17)
    pdus = [file_pdu(data, order_at, 200) for order_at, _ in order.offsets(200 * 5, 200 * 14)]
    spoilt = bytearray(b"".join(pdus))
    spoilt[500:900] = bytes(400)
    wanted: list[tuple[int, int]] = []
    salvage = Salvage(7, lambda a, b: wanted.append((a, b)))
    salvage.gap(order, 1000, 2800, [Fragment(data=bytes(spoilt), tail=False, now=0.0)], 0.0, 1.0)
    (request,) = salvage.requests
    found = salvage.answer(order, digest_of(data, order, request))
    assert all(piece == data[offset : offset + 200] for offset, piece in found)
    assert len(found) == 6
    assert sum(b - a for a, b in wanted) == 3 * 200


def test_a_chance_match_is_not_taken():
    """One block alone at its distance from the frame's start is no evidence."""
    data = random.Random(4).randbytes(4000)
    fragment = random.Random(5).randbytes(900) + data[1064:1128] + random.Random(6).randbytes(900)
    wanted: list[tuple[int, int]] = []
    salvage = Salvage(7, lambda a, b: wanted.append((a, b)))
    order = SendingOrder(len(data))
    salvage.gap(order, 1000, 2900, [Fragment(data=fragment, tail=False, now=0.0)], 0.0, 1.0)
    assert salvage.answer(order, digest_of(data, order, salvage.requests[0])) == []
    assert wanted == [(1000, 2900)]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_as_a_digest(data):
    try:
        digest = parse(b"\0" + data)
    except PduError:
        return
    wanted: list[tuple[int, int]] = []
    salvage = Salvage(1, lambda a, b: wanted.append((a, b)))
    salvage.gap(SendingOrder(10000), 100, 2000, [Fragment(data=bytes(2000), tail=False, now=0.0)], 0.0, 1.0)
    salvage.answer(SendingOrder(10000), digest)
    salvage.poll(2.0)
    assert sum(b - a for a, b in wanted) <= 1900


def test_what_no_digest_came_for_is_wanted():
    wanted: list[tuple[int, int]] = []
    salvage = Salvage(1, lambda a, b: wanted.append((a, b)))
    salvage.gap(SendingOrder(10000), 100, 2000, [Fragment(data=bytes(2000), tail=False, now=0.0)], 0.0, 1.0)
    assert salvage.deadline == 1.0
    salvage.poll(0.9)
    assert wanted == []
    salvage.poll(1.0)
    assert wanted == [(100, 2000)]
