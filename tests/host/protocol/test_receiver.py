"""The downlink receiver on broken lines: everything accounted for, nothing invented, slips repaired. Lines are built here, from the host's own coder."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rovercam.protocol import reedsolomon, tm
from rovercam.protocol.codeblock import PN
from rovercam.protocol.downlink import Discarded, FrameReceived, PacketReceived, ProfileDetected, Receiver, Slip
from rovercam.protocol.profiles import LONGEST, MARKER, TABLE, Profile

SCID = 0x101


def line_of(profile: Profile, count: int, seed: int = 1, first: int = 0, scid: int = SCID) -> bytes:
    """``count`` frames of VC1, one packet each that fills it."""
    import binascii

    rng = np.random.default_rng(seed)
    frames = []
    for i in range(first, first + count):
        header = bytes((scid >> 4, (scid & 15) << 4 | 1 << 1, i & 255, i & 255, 0x18, 0))
        size = profile.frame_length - 8
        packet = bytes((0x01, 0x11, 0xC0 | i >> 8, i & 255)) + (size - 7).to_bytes(2, "big") + rng.bytes(size - 6)
        frame = header + packet
        frames.append(frame + binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "big"))
    words = np.frombuffer(b"".join(frames), np.uint8).reshape(count, -1, profile.depth)
    data = np.ascontiguousarray(words.transpose(0, 2, 1)).reshape(count * profile.depth, -1)
    if profile.t:
        data = np.hstack([data, reedsolomon.encode(data, profile.t)])
    blocks = data.reshape(count, profile.depth, profile.symbols).transpose(0, 2, 1).reshape(count, -1)
    blocks = blocks ^ PN[: profile.codeblock_length]
    return b"".join(MARKER + b.tobytes() for b in blocks)


LINES = {p.number: line_of(p, 6) for p in TABLE}


def run(data: bytes, piece: int = 1 << 20, **arguments):
    receiver = Receiver(**arguments)
    events = []
    for i in range(0, len(data), piece):
        events += receiver.feed(data[i : i + piece], i / 11520)
        balance(receiver)
    return receiver, events


def balance(receiver):
    c = receiver.counters
    assert c.received == c.framed + c.discarded_total + receiver.held


def packets(events):
    return [e.packet for e in events if isinstance(e, PacketReceived)]


def counts(events):
    return [e.mc_count for e in events if isinstance(e, FrameReceived)]


@pytest.mark.parametrize("profile", TABLE, ids=str)
@pytest.mark.parametrize("piece", [7, 300])
@pytest.mark.parametrize(
    ("before", "behind"), [(b"", b""), (bytes(range(256)) * 3, b"\x1a\xcf\xfc"), (MARKER, MARKER * 2)]
)
def test_every_way_through(profile, piece, before, behind):
    line = LINES[profile.number]
    if piece == 7 and profile.depth > 3:
        line = line[: 3 * profile.line_length]
    receiver, events = run(before + line + behind, piece)
    assert counts(events) == list(range(len(line) // profile.line_length))
    assert receiver.counters.discarded.get("noise", 0) == len(before)
    assert [e.number for e in events if isinstance(e, ProfileDetected)] == [profile.number]
    receiver.flush(1e6)
    assert receiver.held == 0
    balance(receiver)


@pytest.mark.parametrize("number", [n for n in range(16) if TABLE[n].t])
@pytest.mark.parametrize("count", [-3, -2, -1, 1, 2, 3])
def test_one_slip_is_repaired(number, count):
    """Lost or added bytes in the middle frame, at the marker, in the data and in the check bytes."""
    profile = TABLE[number]
    line = LINES[number]
    size = profile.line_length
    for place in (1, size // 3, size - 8):
        if (abs(count) > 1 and profile.t < 4) or (abs(count) == 3 and profile.t < 8):
            continue
        at = 2 * size + place
        broken = line[:at] + (line[at - count :] if count < 0 else b"\xa5" * count + line[at:])
        receiver, events = run(broken, 100)
        assert counts(events) == [0, 1, 2, 3, 4, 5], place
        slips = [e for e in events if isinstance(e, Slip)]
        assert [(s.count, s.repaired) for s in slips] == [(count, True)] or place == 1
        balance(receiver)


def test_slip_without_correction_costs_one_frame():
    line = LINES[11]
    receiver, events = run(line[:5000] + line[5001:], 100)
    assert counts(events) == [0, 1, 3, 4, 5]
    assert receiver.counters.slips_lost == 1
    assert receiver.counters.discarded == {"slip": 2043}


def test_two_slips_in_a_frame():
    profile = TABLE[14]
    line = line_of(profile, 4)
    a, b = 2044 + 500, 2044 + 1500
    _, events = run(line[:a] + line[a + 1 : b] + line[b + 1 :])
    assert counts(events) == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [11, 13, 14, 15, 10, 5, 0, 1])
def test_damaged_markers(number):
    """Four wrong bits in a marker are tolerated; a marker that is gone altogether is flown over."""
    profile = TABLE[number]
    line = bytearray(LINES[number])
    at = 2 * profile.line_length
    line[at + 1] ^= 0x0F
    line[at + profile.line_length : at + profile.line_length + 4] = bytes(4)
    receiver, events = run(bytes(line), 100)
    assert counts(events) == [0, 1, 2, 3, 4, 5]
    assert receiver.counters.discarded == {}


@pytest.mark.parametrize("number", [11, 15, 8, 3])
def test_lost_frame_is_counted_and_passed_at_once(number):
    profile = TABLE[number]
    line = bytearray(LINES[number])
    size = profile.line_length
    line[2 * size + 100 : 2 * size + 200] = bytes(100)
    receiver = Receiver()
    events = receiver.feed(bytes(line[: 3 * size + 4]), 0.0)
    assert receiver.counters.uncorrectable == 1  # known as soon as the next marker is there
    assert receiver.counters.discarded == {"uncorrectable": size}
    events += receiver.feed(bytes(line[3 * size + 4 :]), 0.0)
    assert counts(events) == [0, 1, 3, 4, 5]
    assert next(e.lost for e in events if isinstance(e, FrameReceived) and e.mc_count == 3) == 1


@pytest.mark.parametrize("old", [0, 11, 13, 15, 9])
@pytest.mark.parametrize("new", [0, 1, 3, 6, 11, 12, 15])
def test_profile_changes_lose_nothing(old, new):
    data = line_of(TABLE[old], 3) + line_of(TABLE[new], 3, first=3) + line_of(TABLE[old], 2, first=6)
    for piece in (113, 10**6):
        receiver, events = run(data, piece)
        assert counts(events) == list(range(8))
        assert receiver.counters.discarded == {}


def test_last_frame_with_errors_comes_after_silence():
    """Nothing follows that could confirm its length: silence does."""
    profile = TABLE[3]
    line = bytearray(line_of(TABLE[14], 2) + line_of(profile, 1, first=2))
    line[-100] ^= 0x55
    receiver = Receiver()
    events = receiver.feed(bytes(line), 10.0)
    assert counts(events) == [0, 1]
    assert receiver.deadline() == pytest.approx(10.1)
    events = receiver.poll(10.2)
    assert counts(events) == [2]
    assert receiver.deadline() is None
    assert receiver.held == 0


def test_foreign_spacecraft():
    receiver, events = run(line_of(TABLE[8], 3) + line_of(TABLE[8], 2, scid=0x202), scids=frozenset({SCID}))
    assert len(packets(events)) == 3
    assert receiver.counters.discarded == {"foreign": 2 * 769}


@given(
    number=st.integers(0, 15),
    edits=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["flip", "drop", "insert", "noise", "repeat"]), st.integers(1, 300)), max_size=6),
    piece=st.sampled_from([50, 1000, 10**6]),
)  # fmt: skip
@example(number=13, edits=[(0.5, "drop", 1), (0.52, "insert", 1)], piece=1000)
@settings(max_examples=30)
def test_broken_lines(number, edits, piece):
    """Whatever is done to the line: bytes balance, every packet that comes out is one that went in, and the end of the line is understood."""
    line = bytearray(LINES[number])
    good = set(packets(run(bytes(line))[1]))
    rng = np.random.default_rng(5)
    for where, kind, size in edits:
        at = int(where * len(line))
        if kind == "flip":
            line[at % len(line)] ^= size & 255 or 1
        elif kind == "drop":
            del line[at : at + size]
        elif kind == "insert":
            line[at:at] = rng.bytes(size)
        elif kind == "noise":
            line[at : at + size] = rng.bytes(len(line[at : at + size]))
        else:
            line[at:at] = line[at : at + size]
    tail = line_of(TABLE[number], 3, seed=2, first=6)
    receiver, events = run(bytes(line) + tail, piece)
    events += receiver.flush(1e6)
    assert set(packets(events)) <= good | set(packets(run(tail)[1]))
    assert set(packets(run(tail)[1])[-1:]) <= set(packets(events))
    assert receiver.held == 0
    balance(receiver)
    assert sum(e.count for e in events if isinstance(e, Discarded)) == receiver.counters.discarded_total


def noise(size: int, seed: int) -> None:
    receiver = Receiver()
    rng = np.random.default_rng(seed)
    for _ in range(size // 10_000):
        for event in receiver.feed(rng.bytes(10_000), 0.0):
            assert isinstance(event, Discarded)
        assert receiver.held <= LONGEST + 10_000
        balance(receiver)
    assert receiver.counters.frames == 0


def test_noise_sample():
    noise(300_000, 1)


@pytest.mark.slow
def test_ten_megabytes_of_noise():
    noise(10_000_000, 2)


@given(st.binary(max_size=300))
def test_frame_parsers_take_anything(data):
    tm.check(data)
    header = tm.Header(1, 0, True, 0, 0, 0)
    for first in (0, 5, tm.NO_START, tm.ONLY_IDLE):
        h = tm.Header(1, 0, False, 0, 0, first)
        depacketizer = tm.Depacketizer()
        depacketizer.frame(data, h)
        depacketizer.frame(data, header)
        if len(data) > 12:
            tm.self_contained(data, h)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("seed", range(4))
def test_quarter_million_mutated_frames(seed):
    """A million in all: headers, markers, codewords and lengths hit at random."""
    rng = np.random.default_rng(seed)
    receiver = Receiver()
    base = {n: np.frombuffer(line_of(TABLE[n], 40, seed), np.uint8) for n in (0, 1, 2, 3, 5)}
    done = 0
    while done < 250_000:
        line = base[int(rng.choice(list(base)))].copy()
        hits = rng.integers(0, line.size, int(rng.integers(1, 400)))
        line[hits] = rng.integers(0, 256, hits.size)
        if rng.random() < 0.5:
            line = np.delete(line, rng.integers(0, line.size, 3))
        receiver.feed(line.tobytes(), 0.0)
        done += 40
        balance(receiver)
        assert receiver.held < 10_000
