"""Telecommands to a unit that is reset at any moment, heard or not: none is executed twice or out of order, and those that came too late
for the unit that was are sent again to the one that is. The board's link in MicroPython, on virtual time.

Two resets with no control word heard between are not made here: V(R) then stands 2 x 160 = 64 (of 256) from where it was, which is among
the numbers the ground may have under way; it can then take for received what was not executed (never the other way round).

More of it: pytest tests/agreement/test_link_resets.py -m slow
"""

from __future__ import annotations

import heapq
import random
import sys
from pathlib import Path

import pytest
from rovercam.protocol.uplink import DOUBT, Accepted, Alert, Transmitted, Uplink

sys.path.insert(0, str(Path(__file__).parent))
from link_board import BOARD

KEY = bytes(range(32))
SCID = 0x101
BOOT = 2.5
"""Seconds from a reset to the firmware's clock, in which the unit is deaf and dumb."""
PERIOD = 5.0
STEP = 0.1


@pytest.fixture(scope="module")
def board(worker):
    worker.run(BOARD)
    return worker


@pytest.fixture
def pair(board) -> Pair:
    """One command has been taken, and what was heard since is enough to know which start of the unit that was."""
    made = Pair(board)
    made.send(1)
    made.run(10)
    assert made.executed == [1]
    return made


def packet(i: int) -> bytes:
    return bytes((0x11, 0x10, 0xC0 | i >> 8 & 0x3F, i & 255, 0, 7)) + i.to_bytes(4, "big") + bytes(4)


class Pair:
    """A unit with its health reports, and the ground's end of its uplink. deaf, dumb: nothing goes up, down."""

    def __init__(self, board, delay: float = 0.3):
        self.board, self.delay = board, delay
        board.call("new_uplink", KEY)
        self.up = Uplink(SCID, KEY)
        self.time, self.serial = 0.0, 0
        self.boots, self.began = 1, 0.0
        self.heard = 0
        """Which start of the unit the ground has heard last."""
        self.report_at, self.word_at = 1.0, 0.0
        self.deaf = self.dumb = False
        self.queue: list = []
        self.executed: list[int] = []
        self.accepted: list[int] = []
        self.lost: list[int] = []
        self.sent: list[int] = []
        self.said: list[str] = []

    def reset(self) -> None:
        self._take()
        self.board.call("reset_uplink")
        self.boots += 1
        self.began = self.time + BOOT
        self.report_at = self.began + 1.0
        self.queue = [q for q in self.queue if q[2] != "up"]

    def reset_unheard(self) -> None:
        """Reset and up again; it stays dumb."""
        self.dumb = True
        self.reset()
        self.run(BOOT + 3)

    def _take(self) -> None:
        self.executed += self.board.eval("[int.from_bytes(p[6:10], 'big') for p in got]")
        self.board.run("got.clear()")

    def _put(self, way: str, what) -> None:
        self.serial += 1
        heapq.heappush(self.queue, (self.time + self.delay, self.serial, way, what))

    def step(self) -> None:
        self.time = round(self.time + STEP, 3)
        data = self.up.poll(self.time)
        if data and not self.deaf:
            self._put("up", data)
        while self.queue and self.queue[0][0] <= self.time:
            _, _, way, what = heapq.heappop(self.queue)
            if way == "up":
                if self.time >= self.began:
                    self.board.call("feed", what)
            elif way == "word":
                self.heard, word = what
                self.up.clcw(word, self.time)
            else:
                self.up.boot(*what, self.time)
        if self.time >= max(self.word_at, self.began) and not self.dumb:
            self.word_at = self.time + 0.5
            self._put("word", (self.boots, self.board.call("feed", b"")))
        if self.time >= max(self.report_at, self.began) and not self.dumb:
            self.report_at = self.time + PERIOD
            self._put("report", (self.boots, float(int(self.time - self.began))))
        for event in self.up.take_events():
            if isinstance(event, Accepted):
                self.accepted.append(event.tag)
            elif isinstance(event, Transmitted):
                self.sent.append(event.tag)
            elif isinstance(event, Alert):
                self.lost += event.tags
                self.said.append(event.reason)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.step()
        self._take()

    def send(self, i: int) -> None:
        self.up.send(packet(i), tag=i)


def test_a_command_after_a_reset_that_nobody_heard_is_sent_again(pair):
    pair.reset_unheard()
    for i in (2, 3):
        pair.send(i)
    pair.run(1)
    assert pair.executed == [1], "numbered for the unit that was"
    pair.dumb = False
    pair.run(40)
    assert pair.executed == pair.accepted == [1, 2, 3]
    assert pair.lost == []
    assert pair.sent == [1, 2, 3], "each is said to be sent once"
    assert any("2 telecommands that came too early are sent again" in text for text in pair.said)


def test_a_command_that_may_have_been_taken_is_not_sent_again(pair):
    """It was executed, the reset came before the ground could hear of it."""
    pair.dumb = True
    pair.send(2)
    pair.run(2)
    assert pair.executed == [1, 2]
    pair.reset()
    pair.run(6)
    pair.send(3)
    pair.run(3)
    pair.dumb = False
    pair.run(40)
    assert pair.executed == [1, 2, 3]
    assert pair.lost == [2]
    assert pair.accepted == [1, 3]


def test_a_report_of_the_unit_before_the_reset_proves_nothing(pair):
    """It is late, or comes out of a store, with an uptime as if the unit had been running for long."""
    pair.dumb = True
    pair.send(2)
    pair.run(2)
    pair.reset()
    pair.run(BOOT + 0.5)
    pair.report_at = pair.time + 60
    pair.dumb = False
    pair.run(2)
    pair.up.boot(1, 1000.0, pair.time)
    pair.run(2)
    assert pair.lost == []
    pair.run(DOUBT)
    assert pair.lost == [2]
    assert pair.executed == [1, 2]


def test_without_reports_it_is_given_up_after_a_while_and_the_next_goes(pair):
    pair.reset_unheard()
    pair.send(2)
    pair.run(1)
    pair.report_at, pair.dumb = 1e9, False
    pair.run(5)
    pair.send(3)
    pair.run(DOUBT + 10)
    assert pair.lost == [2]
    assert pair.executed == [1, 3]


def test_a_unit_that_asks_for_what_it_cannot_have_is_started_with(board, pair):
    """After its reset it was sent a frame with a number of before, high enough for its anti-replay floor: its retransmit flag is set."""
    pair.reset_unheard()
    pair.up.sequence.skip(200)
    pair.send(2)
    pair.run(1)
    assert board.eval("up.farm.retransmit")
    pair.dumb = False
    pair.run(30)
    assert pair.executed == pair.accepted == [1, 2]


def test_a_unit_that_is_reset_while_it_is_unlocked_is_started_with(board, pair):
    board.run("up.farm.state = farm.LOCKOUT")
    pair.deaf = True
    pair.send(2)
    pair.run(3)
    pair.reset()
    pair.deaf = False
    pair.run(60)
    assert pair.executed == pair.accepted == [1, 2]


def wander(board, seed: int) -> tuple[int, int]:
    """(commands, of which lost) of ten minutes with resets, outages and commands at random."""
    rng = random.Random(seed)
    pair = Pair(board, delay=rng.choice((0.0, 0.3, 2.0)))
    number = 0
    while pair.time < 600:
        pair.run(rng.expovariate(1 / 6))
        what = rng.random()
        if what < 0.15:
            if pair.heard == pair.boots:
                pair.reset()
        elif what < 0.3:
            pair.dumb = not pair.dumb
        elif what < 0.4:
            pair.deaf = not pair.deaf
        else:
            for _ in range(rng.randint(1, 3)):
                number += 1
                pair.send(number)
    pair.deaf = pair.dumb = False
    pair.run(200)
    assert pair.executed == sorted(set(pair.executed)), "twice, or out of order"
    assert pair.up.queued == 0
    assert sorted(pair.accepted + pair.lost) == list(range(1, number + 1)), "each has one end"
    assert set(pair.accepted) <= set(pair.executed)
    return number, len(pair.lost)


def test_resets_at_random_moments(board):
    found = [wander(board, seed) for seed in range(6)]
    assert sum(n for n, _ in found) > 300


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_resets_at_random_moments(board, seed):
    wander(board, seed)
