"""Telecommands from the ground's FOP-1 to the board's FARM-1 (232.0-B, 232.1-B, 355.0-B), on lines with errors and delay."""

import heapq
import json
import math
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam.keys import Key
from rovercam.protocol import tc
from rovercam.protocol.cop1 import Clcw
from rovercam.protocol.uplink import Accepted, Alert, Uplink

sys.path.insert(0, str(Path(__file__).parent))
from link_board import BOARD

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "link.json").read_text())
KEY = bytes(range(32))
SCID = 0x101


@pytest.fixture(scope="module")
def board(worker):
    worker.run(BOARD)
    return worker


def packet(i: int, size: int = 14) -> bytes:
    return bytes((0x11, 0x10, 0xC0 | i >> 8 & 0x3F, i & 255, 0, size - 7)) + i.to_bytes(4, "big") + bytes(size - 10)


def numbers(board) -> list[int]:
    return board.eval("[int.from_bytes(p[6:10], 'big') for p in got]")


def disturb(data: bytes, ber: float, rng: random.Random) -> bytes:
    out = bytearray(data)
    if ber:
        i = int(math.log(1 - rng.random()) / math.log(1 - ber))
        while i < 8 * len(out):
            out[i >> 3] ^= 128 >> (i & 7)
            i += 1 + int(math.log(1 - rng.random()) / math.log(1 - ber))
    return bytes(out)


class Line:
    """Both ways in virtual time: the uplink's bytes with errors, control words that are lost like frames of 259 bytes behind RS t = 16 would not be."""

    def __init__(self, board, up, *, ber=0.0, delay=0.0, lose_words=0.0, seed=1):
        self.board, self.up, self.ber, self.delay, self.lose = board, up, ber, delay, lose_words
        self.rng = random.Random(seed)
        self.queue: list = []
        self.word = board.call("feed", b"")
        self.time, self.serial, self.next_word = 0.0, 0, 0.0
        self.accepted: list = []
        self.alerts: list[str] = []

    def put(self, way, what):
        self.serial += 1
        heapq.heappush(self.queue, (self.time + self.delay, self.serial, way, what))

    def run(self, until, limit=4000.0):
        end = self.time + limit
        while not until() and self.time < end:
            sent = self.up.poll(self.time)
            if sent:
                self.put("up", disturb(sent, self.ber, self.rng))
            while self.queue and self.queue[0][0] <= self.time:
                _, _, way, what = heapq.heappop(self.queue)
                if way == "up":
                    self.word = self.board.call("feed", what)
                else:
                    self.up.clcw(what, self.time)
            if self.time >= self.next_word:
                self.next_word = self.time + 0.2
                if self.rng.random() >= self.lose:
                    self.put("down", self.word)
            for event in self.up.take_events():
                if isinstance(event, Accepted):
                    self.accepted.append(event.tag)
                elif isinstance(event, Alert):
                    self.alerts.append(event.reason)
            self.time += 0.05


def in_order(board, count, **line):
    board.call("new_uplink", KEY)
    up = Uplink(SCID, KEY)
    for i in range(count):
        up.send(packet(i), tag=i)
    link = Line(board, up, **line)
    link.run(lambda: len(link.accepted) == count)
    assert link.accepted == list(range(count))
    assert numbers(board) == list(range(count))
    assert link.alerts == []


def test_in_order_at_1e3_and_two_seconds(board):
    in_order(board, 100, ber=1e-3, delay=2.0, lose_words=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_thousand_commands(board, seed):
    in_order(board, 1000, ber=1e-3, delay=2.0, lose_words=0.05, seed=seed)


def test_board_reset_continues(board):
    """After a reset V(R) is 0 and the floor is ahead: what was not sent yet is executed, nothing twice."""
    board.call("new_uplink", KEY)
    up = Uplink(SCID, KEY)
    link = Line(board, up)
    for i in range(20):
        up.send(packet(i), tag=i)
    link.run(lambda: len(link.accepted) == 20)
    stored = board.eval("store.load()[2]")
    assert stored >= 20
    board.call("reset_uplink")
    link.word = board.call("feed", b"")
    link.run(lambda: False, limit=1)
    for i in range(20, 40):
        up.send(packet(i), tag=i)
    link.run(lambda: len(link.accepted) == 40, limit=120)
    assert numbers(board) == list(range(20, 40))
    assert up.skips == 1


@pytest.mark.parametrize("before", [0, 1, 40, 64, 100, 255, 300])
def test_board_reset_with_commands_under_way(board, before):
    """What was sent and is neither acknowledged nor denied is reported, never sent again unasked."""
    board.call("new_uplink", KEY)
    up = Uplink(SCID, KEY)
    for i in range(before):
        up.send(packet(i), tag=i)
    line = Line(board, up)
    line.run(lambda: len(line.accepted) == before)
    board.run("got.clear()")
    link = Line(board, up, delay=1.0)
    for i in range(20):
        up.send(packet(i), tag=i)
    link.run(lambda: len(numbers(board)) == 20)
    assert not link.accepted
    board.call("reset_uplink")
    link.word, link.queue = board.call("feed", b""), []
    link.run(lambda: bool(link.alerts), limit=60)
    link.run(lambda: False, limit=30)
    assert numbers(board) == []
    assert any("not known" in reason for reason in link.alerts)


def test_golden_frame(board):
    frame = bytes.fromhex(VECTORS["secured tc frame"])
    data = bytes.fromhex(VECTORS["secured tc packet"])
    assert tc.frame(SCID, data, bypass=True, key=KEY, number=7) == frame
    board.call("new_uplink", KEY)
    board.call("feed", tc.cltu(frame))
    assert board.eval("got") == [data]


def frame(number, i=0, key=KEY, **fields):
    return tc.frame(SCID, packet(i), number=number, key=key, **fields)


@pytest.mark.parametrize(
    ("name", "what", "counter"),
    [
        ("wrong key", frame(5, key=bytes(32), bypass=True), 5),
        ("no security fields", frame(5, key=None, bypass=True), 5),
        ("wrong spi", frame(5, spi=2, bypass=True), 5),
        ("other spacecraft", tc.frame(SCID + 1, packet(0), key=KEY, number=5), 4),
        ("other channel", frame(5, vcid=1), 4),
        ("forged unlock", tc.frame(SCID, tc.UNLOCK, bypass=True, control=True), 5),
        ("forged set V(R)", tc.frame(SCID, tc.set_vr(9), bypass=True, control=True, key=bytes(32), number=5), 5),
        ("not a packet", tc.frame(SCID, b"abc", key=KEY, number=5), 3),
        ("unknown control command", tc.frame(SCID, b"\x07", bypass=True, control=True, key=KEY, number=5), 3),
    ],
)  # fmt: skip
def test_executes_nothing_and_is_counted(board, name, what, counter):
    board.call("new_uplink", KEY)
    before = board.eval("(up.farm.vr, up.farm.state)")
    board.call("feed", tc.cltu(what))
    counts = board.eval("counts()")
    assert numbers(board) == [], name
    assert counts[counter] == 1
    assert sum(counts) == 1
    assert board.eval("(up.farm.vr, up.farm.state)") == before


def test_replay_over_a_reset(board):
    board.call("new_uplink", KEY)
    sent = [tc.cltu(frame(n, n, bypass=True)) for n in (1, 2, 3)]
    for cltu in sent:
        board.call("feed", cltu)
    assert numbers(board) == [1, 2, 3]
    for cltu in sent:
        board.call("feed", cltu)
    assert numbers(board) == [1, 2, 3]
    assert board.eval("up.replayed") == 3
    board.call("reset_uplink")
    for cltu in sent:
        board.call("feed", cltu)
    assert numbers(board) == []
    assert board.eval("up.replayed") == 3
    assert Clcw.parse(board.eval("up.clcw()")).status == 1


@given(cut=st.integers(0, 70), bits=st.lists(st.integers(0, 75 * 8 - 1), max_size=6), junk=st.binary(max_size=40))
@settings(max_examples=150)
def test_mutated_frames(board, cut, bits, junk):
    """Truncated, damaged, repeated, with junk before: the packet is taken whole or not at all, and the next one always comes through."""
    board.call("new_uplink", KEY)
    cltu = bytearray(tc.cltu(frame(1, 77, bypass=True)))
    for bit in bits:
        cltu[(bit >> 3) % len(cltu)] ^= 128 >> (bit & 7)
    mutated = bytes(cltu[: len(cltu) - cut])
    board.call("feed", junk + mutated + mutated)
    assert numbers(board) in ([], [77])
    board.call("feed", bytes(600) + tc.cltu(frame(2, 78, bypass=True)))
    assert numbers(board)[-1] == 78


@given(position=st.integers(0, 62), data=st.binary(min_size=7, max_size=7))
@settings(max_examples=200)
def test_bch_corrects_every_single_bit(board, position, data):
    block = bytearray(data + bytes((tc.bch_parity(data),)))
    board.run("def bch(b):\n    b = bytearray(b)\n    return cltu.bch_decode(b), bytes(b[:7])")
    assert board.call("bch", bytes(block)) == (0, data)
    block[position >> 3] ^= 128 >> (position & 7)
    bits, got = board.call("bch", bytes(block))
    assert bits == 1
    assert got == data


def forged(rng, sent):
    """One hostile frame: random, or a genuine one changed, replayed, re-addressed or signed with another key."""
    kind = rng.randrange(5)
    if kind == 0:
        return tc.cltu(frame(rng.getrandbits(32), 9, key=rng.randbytes(32), bypass=rng.random() < 0.5))
    if kind == 1:
        return tc.cltu(
            tc.frame(
                SCID,
                rng.randbytes(rng.randrange(1, 60)),
                bypass=bool(rng.getrandbits(1)),
                control=bool(rng.getrandbits(1)),
            )
        )
    genuine = bytearray(rng.choice(sent))
    if kind == 2:
        return tc.cltu(bytes(genuine))
    at = rng.randrange(len(genuine) - 2) if kind == 3 else rng.choice((0, 4, 7, 8, 9, 10))
    genuine[at] ^= rng.randrange(1, 256)
    genuine[-2:] = tc._crc(bytes(genuine[:-2])).to_bytes(2, "big")
    return tc.cltu(bytes(genuine))


def attack(board, count):
    board.call("new_uplink", KEY)
    rng = random.Random(5)
    sent = [frame(n, n, ns=n - 1) for n in range(1, 6)]
    for one in sent:
        board.call("feed", tc.cltu(one))
    state = board.eval("(up.farm.vr, up.farm.state, up.security.floor)")
    for _ in range(count // 50):
        board.call("feed", b"".join(forged(rng, sent) for _ in range(50)))
    assert numbers(board) == [1, 2, 3, 4, 5]
    assert board.eval("(up.farm.vr, up.farm.state, up.security.floor)") == state
    counts = board.eval("counts()")
    assert sum(counts[3:]) >= count * 0.99


def test_forged_and_replayed_sample(board):
    attack(board, 2000)


@pytest.mark.slow
def test_hundred_thousand_forged(board):
    attack(board, 100_000)


def test_control_frames_that_are_genuine(board):
    board.call("new_uplink", KEY)
    board.run("up.farm.state = farm.LOCKOUT")
    board.call("feed", tc.cltu(tc.frame(SCID, tc.UNLOCK, bypass=True, control=True, key=KEY, number=1)))
    board.call("feed", tc.cltu(tc.frame(SCID, tc.set_vr(200), bypass=True, control=True, key=KEY, number=2)))
    assert board.eval("(up.farm.vr, up.farm.state, up.frames_bc)") == (200, 0, 2)
    assert numbers(board) == []


def test_lockout_is_left(board):
    """The unit locks itself when a number is far off; the ground unlocks it and goes on."""
    board.call("new_uplink", KEY)
    up = Uplink(SCID, KEY)
    link = Line(board, up)
    for i in range(5):
        up.send(packet(i), tag=i)
    link.run(lambda: len(link.accepted) == 5)
    board.run("up.farm.state = farm.LOCKOUT")
    link.word = board.call("feed", b"")
    for i in range(5, 10):
        up.send(packet(i), tag=i)
    link.run(lambda: len(link.accepted) == 10, limit=200)
    assert numbers(board) == list(range(10))


def test_insecure_has_to_be_asked_for_on_both_ends(board):
    with pytest.raises(ValueError, match="key"):
        Uplink(SCID, None)
    with pytest.raises(ValueError, match="key"):
        Uplink(SCID, KEY, insecure=True)
    board.call("new_uplink", KEY, 0, True)
    up = Uplink(SCID, None, insecure=True)
    up.send(packet(3), bypass=True)
    word = board.call("feed", up.poll(0.0))
    assert numbers(board) == [3]
    assert Clcw.parse(word).status & 4
    secured = Uplink(SCID, KEY)
    secured.clcw(word, 0.0)
    assert any(isinstance(e, Alert) and "insecure on the unit" in e.reason for e in secured.take_events())
    secured.send(packet(4), bypass=True)
    board.call("feed", secured.poll(0.0))
    assert numbers(board) == [3]


def test_key_rotation(board):
    board.call("new_uplink", KEY)
    nonce = bytes(range(32, 48))
    new = Key(KEY).next(nonce)
    board.call("up.rotate", nonce)
    board.call("feed", tc.cltu(frame(1, 1, bypass=True)))
    assert numbers(board) == []
    up = Uplink(SCID, KEY)
    up.rotate(new.value, new.index, tc.Sequence())
    up.send(packet(2), bypass=True)
    board.call("feed", up.poll(0.0))
    assert numbers(board) == [2]


def test_wait_flag(board):
    """A unit without room sets Wait; the frame comes again when there is room."""
    board.call("new_uplink", KEY)
    board.run(
        "full = True\ndef picky(view, bypass):\n    if full:\n        return False\n    on_packet(view, bypass)\nup._on_packet = picky"
    )
    up = Uplink(SCID, KEY, timer=2.0)
    link = Line(board, up)
    for i in range(5):
        up.send(packet(i), tag=i)
    link.run(lambda: False, limit=3)
    assert numbers(board) == []
    board.run("full = False\nup.ready()")
    link.word = board.call("feed", b"")
    link.run(lambda: len(link.accepted) == 5, limit=100)
    assert numbers(board) == list(range(5))
    assert link.accepted == list(range(5))


def test_random_bytes(board):
    board.call("new_uplink", KEY)
    rng = random.Random(3)
    free = board.eval("(__import__('gc').collect(), __import__('gc').mem_alloc())[1]")
    for _ in range(20):
        board.call("feed", rng.randbytes(5000))
    assert numbers(board) == []
    assert board.eval("(__import__('gc').collect(), __import__('gc').mem_alloc())[1]") - free < 20000
