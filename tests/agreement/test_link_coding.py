"""Board and host coding against each other and against independent libraries (131.0-B, 132.0-B)."""

import json
import sys
from pathlib import Path

import crcmod.predefined
import numpy as np
import pytest
import reedsolo
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam.protocol import reedsolomon, tm
from rovercam.protocol.codeblock import PN
from rovercam.protocol.downlink import PacketReceived, Receiver
from rovercam.protocol.profiles import TABLE
from spacepackets.ccsds.spacepacket import SpacePacketHeader

sys.path.insert(0, str(Path(__file__).parent))
from link_board import BOARD

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "link.json").read_text())
T = (1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def board(worker):
    worker.run(BOARD)
    return worker


def oracle(t: int) -> reedsolo.RSCodec:
    return reedsolo.RSCodec(nsym=2 * t, nsize=255, fcr=128 - t, prim=0x187, generator=0xAD, c_exp=8)


@pytest.mark.parametrize("t", T)
def test_codewords_of_the_library(board, t):
    golden = bytes.fromhex(VECTORS["codewords"][str(t)])
    data = golden[: 255 - 2 * t]
    assert board.call("encode", data, t, 255, 1) == golden
    assert not reedsolomon.syndromes(np.frombuffer(golden, np.uint8)[None], t).any()
    assert reedsolomon.encode(np.frombuffer(data, np.uint8)[None], t).tobytes() == golden[-2 * t :]


def test_shortened_codeword(board):
    golden = bytes.fromhex(VECTORS["shortened t=8 n=128"])
    assert board.call("encode", golden[:112], 8, 128, 1) == golden


def test_dual_basis_and_randomiser(board):
    assert reedsolomon.bases()[0].tobytes() == bytes.fromhex(VECTORS["dual basis"])
    golden = bytes.fromhex(VECTORS["pseudo-random 64"])
    assert PN[:64].tobytes() == golden
    board.run("buf = bytearray(300)\ncoding.randomise(buf, 0, 300)")
    assert board.eval("buf") == PN[:300].tobytes()


@given(st.binary(max_size=600))
@settings(max_examples=60)
def test_crc(board, data):
    assert board.call("coding.crc16", data) == crcmod.predefined.mkCrcFun("crc-ccitt-false")(data)


def test_crc_golden(board):
    assert board.call("coding.crc16", b"123456789") == VECTORS["crc16 of 123456789"] == 0x29B1


@pytest.mark.parametrize("t", T)
def test_correction_equals_the_library(t):
    """Every number of wrong bytes up to t is corrected; beyond, host and library agree word by word; and singly, as a live line brings them."""
    rng = np.random.default_rng(t)
    to_dual, to_conventional = reedsolomon.bases()
    words = rng.integers(0, 256, (1, 255 - 2 * t), np.uint8)
    words = np.repeat(np.hstack([words, reedsolomon.encode(words, t)]), 3 * (t + 3), axis=0)
    good = words[0].copy()
    wrong = np.arange(words.shape[0]) % (t + 3)
    for word, count in zip(words, wrong, strict=True):
        word[rng.choice(255, count, replace=False)] ^= rng.integers(1, 256, count, np.uint8)
    received = words.copy()
    counts = reedsolomon.correct(words, t)
    single = received.copy()
    assert [int(reedsolomon.correct(single[i : i + 1], t)[0]) for i in range(len(single))] == counts.tolist()
    assert (single == words).all()
    for word, before, count, errors in zip(words, received, counts, wrong, strict=True):
        if errors <= t:
            assert count == errors
            assert (word == good).all()
        else:
            try:
                decoded = oracle(t).decode(bytes(to_conventional[before]))[1]
            except reedsolo.ReedSolomonError:
                assert count == -1
                assert (word == before).all()
            else:
                assert bytes(to_dual[np.frombuffer(decoded, np.uint8)]) == word.tobytes()


@pytest.mark.parametrize("profile", TABLE, ids=str)
def test_interleaving_of_the_board(board, profile):
    """Frames of every profile, taken apart here with the library: no code of the host's receiver."""
    data = bytes(range(256)) * 3
    line = board.call("transfer", data, profile.number)
    crc = crcmod.predefined.mkCrcFun("crc-ccitt-false")
    at, out = 0, b""
    while at < len(line):
        assert line[at : at + 4] == bytes.fromhex("1acffc1d")
        for p in sorted(TABLE, key=lambda p: p.line_length):
            if p.t != profile.t or line[at + p.line_length : at + p.line_length + 4] not in {b"", line[:4]}:
                continue
            block = bytes(a ^ b for a, b in zip(line[at + 4 : at + p.line_length], PN, strict=False))
            if p.t:
                to_conventional = reedsolomon.bases()[1]
                for i in range(p.depth):
                    word = bytes(to_conventional[list(block[i :: p.depth])])
                    assert oracle(p.t).check(word)[0]
            frame = block[: p.frame_length]
            assert crc(frame[:-2]) == int.from_bytes(frame[-2:], "big")
            if frame[1] >> 1 & 7 == 1:
                header = SpacePacketHeader.unpack(frame[6:12])
                out += frame[12 : 6 + header.packet_len] if header.apid == 0x111 else b""
            elif frame[1] >> 1 & 7 == 0:  # the first frame announces the control word
                header = SpacePacketHeader.unpack(frame[6:12])
                out += frame[12 : 6 + header.packet_len]
                assert frame[-6:-2] == bytes.fromhex("01000005")
            at += p.line_length
            break
        else:
            pytest.fail("no profile fits")
    assert out == data


@pytest.mark.parametrize("profile", TABLE, ids=str)
@pytest.mark.parametrize("piece", [1, 97, 10**6])
def test_every_profile_is_found_blind(board, profile, piece):
    data = np.random.default_rng(profile.number).bytes(5000)
    line = board.call("transfer", data, profile.number, 60)
    receiver, events = Receiver(), []
    if piece == 1:
        line = line[: 3 * profile.line_length]
    for i in range(0, len(line), piece):
        events += receiver.feed(line[i : i + piece], i / 11520)
    got = b"".join(e.packet[6:] for e in events if isinstance(e, PacketReceived) and e.apid == 0x111)
    assert got == data if piece > 1 else data.startswith(got) and got
    assert receiver.counters.discarded == {}
    assert receiver.held == 0
    assert receiver.profile is not None
    assert receiver.profile.t == profile.t


@given(
    sizes=st.lists(st.integers(7, 900), min_size=1, max_size=20), number=st.integers(0, 15), seed=st.integers(0, 1000)
)
@settings(max_examples=80)
def test_live_packets_span_frames(board, sizes, number, seed):
    rng = np.random.default_rng(seed)
    packets = []
    for i, n in enumerate(sizes):
        header = bytes((0x08 | 1, 0x10, 0xC0, i, n - 7 >> 8, n - 7 & 255))
        packets.append(header + rng.bytes(n - 6))
    line = board.call("reports", b"".join(packets), sizes, number)
    receiver = Receiver()
    events = receiver.feed(line, 0.0)
    assert [e.packet for e in events if isinstance(e, PacketReceived)] == packets
    assert receiver.depacketizer.broken_packets == 0
    assert receiver.counters.framed == len(line)


def test_telemetry_costs_its_own_bytes_only(board):
    """clean column of the aim: file and telemetry at 1 % are at least 97.8 % of the line, all headers of frames included."""
    data = np.random.default_rng(0).bytes(65536)
    line = board.call("transfer", data, 11, 130, 6)
    receiver = Receiver()
    packets = [e.packet for e in receiver.feed(line, 0.0) if isinstance(e, PacketReceived)]
    carried = sum(len(p) if p[1] == 0x10 else len(p) - 6 for p in packets)
    assert carried / len(line) > 0.978


def test_frames_of_foreign_structure():
    assert tm.check(b"") is None
    assert tm.check(bytes(255)) is None
