"""The choice of the profile: right for each line, soon, and without oscillation."""

import numpy as np
import pytest
from rovercam.protocol.adapt import BURST, MARGIN, PATIENCE, ProfilePolicy, allowed, longest_line, robust, tail
from rovercam.protocol.events import Discarded, FrameReceived, Slip
from rovercam.protocol.profiles import TABLE


class Channel:
    """Frames of the current profile over a line of wrong bytes, bursts and slips; what the receiver would report."""

    def __init__(self, policy, seed=1, *, errors=0.0, bursts=0.0, slips=0.0):
        self.policy, self.rng = policy, np.random.default_rng(seed)
        self.errors, self.bursts, self.slips = errors, bursts, slips
        self.time = 0.0
        self.changes: list[tuple[float, int]] = []
        self.sent = self.carried = 0

    def run(self, seconds):
        end = self.time + seconds
        while self.time < end:
            profile = TABLE[self.policy.current]
            length = profile.line_length
            self.time += length * 10 / (self.policy.baud or 115200)
            self.sent += length
            wrong = self.rng.binomial(profile.symbols, self.errors, profile.depth)
            if self.rng.random() < self.bursts * length:
                wrong = wrong + 30
            slip = self.rng.random() < self.slips * length
            if slip:
                self.policy.observe(Slip(count=-1, repaired=profile.t > 1, now=self.time))
            lost = (wrong > profile.t).any()
            if lost and not slip:
                self.policy.observe(Discarded(count=length, reason="uncorrectable", now=self.time))
            elif not lost and not (slip and profile.t < 2):
                self.carried += profile.frame_length - 30
                self.policy.observe(
                    FrameReceived(
                        scid=257, vcid=1, frame=b"", mc_count=0, vc_count=0, ocf=None, profile=profile.number,
                        corrected=int(wrong.sum()), marker_errors=0, lost=0, slip=0, now=self.time,
                    )
                )  # fmt: skip
            number = self.policy.decide(self.time)
            if number is not None:
                self.policy.confirmed(number, self.time)
                self.changes.append((self.time, number))


@pytest.mark.parametrize(
    ("errors", "t"),
    [(0.0, {0}), (8e-5, {0, 1}), (8e-4, {2, 4}), (2.4e-3, {4}), (8e-3, {8}), (2.4e-2, {16})],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_settles_on_the_right_code(errors, t, seed):
    channel = Channel(ProfilePolicy(115200), seed, errors=errors)
    channel.run(20)
    assert TABLE[channel.policy.current].t in t
    before = len(channel.changes)
    channel.run(30)
    assert len(channel.changes) - before <= 2


@pytest.mark.parametrize(("ber", "aim"), [(0, 97.8), (1e-5, 96.8), (1e-4, 95.0), (3e-4, 93.5), (1e-3, 90.0)])
def test_aim_row_is_within_the_table(ber, aim):
    """The profile that wins at each error rate leaves room for files of at least the aim's share; wrong bits hit data bits only."""
    policy = ProfilePolicy(115200)
    policy._seen = 1e9
    policy._errors = 8 * ber * policy._seen
    assert 100 * policy.goodput(policy.best()) > aim


def test_follows_a_line_that_gets_worse_and_better():
    channel = Channel(ProfilePolicy(115200), errors=0.0)
    channel.run(20)
    assert TABLE[channel.policy.current].t == 0
    channel.errors = 8e-3
    at = channel.time
    channel.run(20)
    assert TABLE[channel.policy.current].t == 8
    assert next(t for t, n in channel.changes if t > at and TABLE[n].t >= 4) - at < 5
    channel.errors = 0.0
    channel.run(180)
    assert TABLE[channel.policy.current].t <= 1


def test_bursts_do_not_call_for_codes_that_cannot_help():
    channel = Channel(ProfilePolicy(115200), bursts=1 / 57600)
    channel.run(120)
    assert TABLE[channel.policy.current].t <= 1
    assert len(channel.changes) < 15


@pytest.mark.parametrize("first", range(0, 259, 40))
def test_one_burst_on_an_idle_line_is_no_bad_line(first):
    """A burst spoils short frames in a row and touches two at its edges: that is one burst, and not a line that has become worse."""
    policy = ProfilePolicy(115200)
    channel = Channel(policy)
    policy.decide(0.0)
    left = int(BURST * 11520) - first
    for i in range(100):
        wrong = 0
        if i >= 20 and left > 0:
            wrong = first if i == 20 else min(255, left)
            left -= wrong if i > 20 else 0
        if wrong > 16:
            policy.observe(Discarded(count=259, reason="uncorrectable", now=i / 40))
        else:
            policy.observe(
                FrameReceived(
                    scid=257, vcid=7, frame=b"", mc_count=i, vc_count=0, ocf=None, profile=0, corrected=wrong,
                    marker_errors=0, lost=0, slip=0, now=i / 40,
                )
            )  # fmt: skip
    assert TABLE[policy.best().number].t == 0
    assert channel.changes == []


def test_slips_call_for_a_code():
    channel = Channel(ProfilePolicy(115200), slips=1e-4)
    channel.run(60)
    assert TABLE[channel.policy.current].t in {2, 4}


@pytest.mark.parametrize("baud", [1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 460800, 921600])
def test_frame_durations(baud):
    bound = 0.25 if baud >= 19200 else 0.5 if baud == 9600 else 2.0 if baud <= 1200 else 1.1
    for profile in allowed(baud):
        assert profile.line_length * 10 / baud <= bound
        assert profile.line_length <= longest_line(baud)
    assert TABLE[robust(baud)] in allowed(baud)


def test_usb_has_no_baud_rate():
    assert len(allowed(None)) == 16
    policy = ProfilePolicy(None)
    channel = Channel(policy)
    channel.run(20)
    assert policy.current == 11


def test_learns_that_the_unit_fell_back():
    channel = Channel(ProfilePolicy(115200))
    channel.run(20)
    policy = channel.policy
    for i in range(3):
        policy.observe(
            FrameReceived(
                scid=257, vcid=7, frame=b"", mc_count=i, vc_count=0, ocf=None, profile=0, corrected=0, marker_errors=0, lost=0,
                slip=0, now=channel.time,
            )
        )  # fmt: skip
    assert policy.current == 0
    assert policy.decide(channel.time + 10) == 11


def test_asks_again_when_not_confirmed():
    policy = ProfilePolicy(115200)
    assert policy.decide(0.0) is None  # evidence is worth waiting for, but not for ever
    first = policy.decide(PATIENCE)
    assert first is not None
    assert policy.decide(PATIENCE + 1.0) is None
    assert policy.decide(PATIENCE + 6.0) == first
    policy.confirmed(first, PATIENCE + 6.5)
    assert policy.current == first
    assert MARGIN > 0


def test_tail_is_a_probability():
    for t in (0, 1, 16):
        values = [tail(errors, 1000.0, 255, t) for errors in (0.1, 1, 10, 100)]
        assert values == sorted(values)
        assert all(0 <= v <= 1 for v in values)
