"""The line emulator: arithmetic of pacing and delay, statistics of errors, repeatability, clear errors."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rovercam_hil.line import Impairment, LineSpec, LineSpecError, Link


def line(text, direction="down", seed=1):
    spec = LineSpec.parse(text, seed=seed)
    return Impairment(getattr(spec, direction), direction, spec.seed)


def test_clean_line_paces_and_delays_exactly():
    imp = line("baud=9600,delay=2.5")
    data, times = imp.push(b"abc", 10.0)
    assert data == b"abc"
    assert times == pytest.approx([10 + 2.5 + (k + 1) * 10 / 9600 for k in range(3)])
    _, times = imp.push(b"d", 10.0)  # queued behind
    assert times == pytest.approx([12.5 + 40 / 9600])


def test_sender_that_paces_itself_keeps_its_times():
    imp = line("baud=115200")
    given_times = [1 + (k + 1) * 10 / 115200 for k in range(500)]
    assert imp.push(bytes(500), given_times)[1] == pytest.approx(given_times)


@given(cuts=st.lists(st.integers(1, 700), max_size=12), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_result_does_not_depend_on_how_the_bytes_are_cut(cuts, seed):
    text = "ber=1e-3,framing=1e-3,drop=1e-2,insert=1e-2,burst=0.1,burst_len=5,ge_in=0.01,ge_out=0.2"
    data = random.Random(seed).randbytes(2000)
    times = [(k + 1) * 10 / 115200 for k in range(len(data))]
    whole = line(text, seed=seed).push(data, times)
    imp, parts, part_times, at = line(text, seed=seed), b"", [], 0
    for cut in [*cuts, len(data)]:
        d, t = imp.push(data[at : at + cut], times[at : at + cut])
        parts, part_times, at = parts + d, part_times + t, at + cut
    assert parts == whole[0]
    assert part_times == pytest.approx(whole[1])


@pytest.mark.parametrize("ber", [1e-4, 1e-3, 1e-2])
def test_bit_error_rate(ber):
    n = 100_000
    data, _ = line(f"ber={ber}").push(bytes(n), 0.0)
    errors = sum(b.bit_count() for b in data)
    assert abs(errors - 8 * n * ber) < 5 * math.sqrt(8 * n * ber)


def test_drop_and_insert_rates_and_books_balance():
    n = 100_000
    imp = line("drop=1e-3,insert=2e-3,ber=1e-3,framing=1e-4,outage=1-2")
    data, _ = imp.push(random.Random(1).randbytes(n), 0.0)
    c = imp.counters
    assert 60 < c.dropped < 150
    assert 140 < c.inserted < 270
    assert c.outage == pytest.approx(11520, abs=40)
    assert c.offered + c.inserted == c.delivered + c.dropped + c.outage + c.overflow + c.framing_lost
    assert len(data) == c.delivered


def test_bursts_take_their_share_of_time_in_pieces():
    n = 600_000
    sent = bytes(n)
    data, _ = line("burst=0.01,burst_len=50").push(sent, 0.0)
    noisy = np.flatnonzero(np.frombuffer(data, np.uint8))
    pieces = 1 + np.count_nonzero(np.diff(noisy) > 100)
    assert 0.005 < len(noisy) / n < 0.02
    assert len(noisy) / pieces == pytest.approx(576 * 255 / 256, rel=0.15)  # 50 ms of 115200 baud


def test_gilbert_elliott_mean_rate():
    n = 200_000
    data, _ = line("ge_in=0.001,ge_out=0.05,ge_ber=0.25").push(bytes(n), 0.0)
    bad = 0.001 / (0.001 + 0.05)
    assert sum(b.bit_count() for b in data) / (8 * n) == pytest.approx(bad * 0.25, rel=0.3)


def test_overlooked_start_bit_misaligns_until_a_pause():
    data = bytes(range(1, 200))
    imp = line("framing=0.02", seed=3)
    got, _ = imp.push(data, 0.0)
    assert got != data
    imp.spec = LineSpec.parse("").down
    after, _ = imp.push(b"hello", 100.0)
    assert after == b"hello"


def test_one_way_outage_and_direction_prefix():
    link = Link(LineSpec.parse("oneway=down,down.ber=0,up.baud=9600"))
    assert link.push("up", b"x", 0.0) == (b"", [])
    assert link.push("down", b"x", 0.0)[0] == b"x"
    imp = line("up.outage=1-", "up")
    assert imp.push(b"a", 0.5)[0] == b"a"
    assert imp.push(b"a", 5.0)[0] == b""
    assert line("up.outage=1-", "down").push(b"a", 5.0)[0] == b"a"


def test_half_duplex_waits_for_silence():
    link = Link(LineSpec.parse("half=20"))
    _, down = link.push("down", bytes(100), 0.0)
    _, up = link.push("up", b"x", 0.0)
    assert up[0] == pytest.approx(down[-1] + 0.020 + 10 / 115200)


def test_bounded_fifo_counts_what_it_loses():
    imp = line("fifo=64")
    data, _ = imp.push(bytes(100), 0.0)
    assert len(data) == 64
    assert imp.counters.overflow == 36


def test_queue_gives_bytes_when_they_are_complete():
    link = Link(LineSpec.parse("delay=1"))
    link.down.push(b"abcd", 0.0)
    assert link.deadline() == pytest.approx(1 + 10 / 115200)
    assert link.down.pull(1.0) == (b"", [])
    assert link.down.pull(1 + 25 / 115200) == (b"ab", pytest.approx([1 + 10 / 115200, 1 + 20 / 115200]))
    assert link.down.pull(2.0)[0] == b"cd"
    assert link.deadline() is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ber", "key=value"),
        ("bear=1", "no key 'bear'"),
        ("ber=2", "from 0 to 1"),
        ("ber=x", "a number"),
        ("baud=1.5", "an integer"),
        ("outage=3", "start-end"),
        ("outage=3-2", "ends before"),
        ("left.ber=0", "down. or up."),
        ("up.seed=1", "whole line"),
        ("oneway=left", "down, up"),
        ("delay=-1", "at least 0"),
    ],
)
def test_wrong_specifications_say_what_is_wrong(text, says):
    with pytest.raises(LineSpecError, match=says.replace(".", r"\.")):
        LineSpec.parse(text)
