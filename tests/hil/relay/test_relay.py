"""Relay nodes: exact contact arithmetic, custody, priorities, blind passes, and every byte accounted for."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from rovercam.marstime import SOL, ZHURONG
from rovercam_hil.relay import overflight
from rovercam_hil.relay.contacts import PROFILES, Contact, Plan, PlanError, daily, to_earth
from rovercam_hil.relay.network import BLOCK, Network

NODES = ("rover", "orbiter", "earth")


def contact(source: str, target: str, start: float, end: float, rate: float = 8192.0, **more) -> Contact:
    return Contact(source=source, target=target, start=start, end=end, rate=rate, **more)


def test_a_pass_carries_exactly_what_its_length_and_rate_allow() -> None:
    plan = Plan([contact("rover", "orbiter", 100.0, 110.0)])
    net = Network(("rover", "orbiter"), plan)
    net.offer("rover", "picture", bytes(20 * BLOCK))
    net.advance(200.0)
    assert plan.contacts[0].capacity == 10 * BLOCK
    assert net.custody("picture").by_node == {"rover": 10 * BLOCK, "orbiter": 10 * BLOCK}
    assert net.deadline() is None


def test_arrival_is_transmission_time_plus_light_time() -> None:
    net = Network(("orbiter", "earth"), Plan([contact("orbiter", "earth", 50.0, 1000.0, delay=1236.0)]))
    net.offer("orbiter", "one", bytes(BLOCK))
    net.advance(50.0 + 1.0 + 1236.0 - 1e-6)
    assert net.product("one") is None
    net.advance(50.0 + 1.0 + 1236.0)
    assert net.product("one") == bytes(BLOCK)
    assert net.delivered["one"] == pytest.approx(2287.0 - 1000.0, abs=1e-6)


def test_the_urgent_goes_first_even_if_it_came_later() -> None:
    net = Network(("rover", "orbiter"), Plan([contact("rover", "orbiter", 0.0, 100.0)]))
    net.offer("rover", "plain", bytes(50 * BLOCK), priority=5)
    net.advance(10.5)
    net.offer("rover", "urgent", bytes(5 * BLOCK), priority=0)
    net.advance(200.0)
    assert net.delivered["urgent"] == pytest.approx(16.0, abs=1e-6)
    assert net.delivered["plain"] == pytest.approx(55.0, abs=1e-6)


def test_light_time_of_the_plan_is_that_of_the_date() -> None:
    t = datetime(2021, 7, 11, tzinfo=UTC).timestamp()
    sessions = to_earth("orbiter", t, t + 2 * SOL)
    assert sessions[0].delay == pytest.approx(20 * 60 + 36, abs=10)


@pytest.mark.parametrize("seed", range(10))
def test_every_byte_is_delivered_or_in_custody_with_resets_and_cut_passes(seed: int) -> None:
    _accounted(seed)


@pytest.mark.slow
def test_every_byte_is_accounted_for_200_times() -> None:
    for seed in range(200):
        _accounted(1000 + seed)


def _accounted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = ZHURONG.time_of(18, 8.0)
    passes = daily("rover", "orbiter", "uhf", ZHURONG, 18, 21, 16.0) + to_earth("orbiter", start, start + 5 * SOL)
    plan = Plan(passes, set(NODES))
    for c in passes[:4]:
        if rng.random() < 0.5:
            plan = plan.cut("rover", "orbiter", float(rng.uniform(c.start, c.end)))
    net = Network(NODES, plan, seed=seed, capacity={"orbiter": 3e6}, start=start)
    for _ in range(5):
        at = float(rng.choice([rng.uniform(c.start, c.end) for c in passes]))
        net.reset(str(rng.choice(["orbiter", "earth"])), at)
    payload = {}
    for k in range(4):
        payload[f"p{k}"] = rng.integers(0, 256, int(rng.integers(1, 700_000)), dtype=np.uint8).tobytes()
        net.offer("rover", f"p{k}", payload[f"p{k}"], priority=int(rng.integers(0, 9)))
    for step in range(1, 12):
        net.advance(start + step * SOL / 2)
        account = net.account()
        assert account["unaccounted"] == 0, (seed, account)
    for name, data in payload.items():
        got = net.product(name)
        assert got is None or got == data
    assert any(net.product(name) for name in payload)
    rover, orbiter = net.nodes["rover"], net.nodes["orbiter"]
    # Taken over = handed on + still held, for each node.
    for node in (rover, orbiter):
        assert node.counters.taken == node.counters.handed_on + node.held
    assert orbiter.counters.taken >= rover.counters.handed_on


def test_the_same_seed_gives_the_same_story_whatever_the_steps() -> None:
    logs = []
    for steps in (1, 977):
        plan = Plan(
            [contact("rover", "orbiter", 0, 500, loss=0.2), contact("orbiter", "earth", 300, 900, loss=0.1, delay=60)]
        )
        net = Network(NODES, plan, seed=4)
        net.offer("rover", "x", bytes(300 * BLOCK))
        for k in range(1, steps + 1):
            net.advance(2000.0 * k / steps)
        logs.append((net.log, net.account(), net.nodes["rover"].counters))
    assert logs[0] == logs[1]


def test_blind_passes_show_what_is_good_and_label_it() -> None:
    """Five one-way passes, four of them damaged, as on 20 November 2021."""
    blind = PROFILES["blind"]
    passes = [
        contact(
            "rover",
            "express",
            1000.0 * k,
            1000.0 * k + blind.duration,
            blind.rate,
            two_way=False,
            corrupt=k != 3,
            delay=0.013,
        )
        for k in range(5)
    ]
    net = Network(("rover", "express"), Plan(passes))
    net.offer("rover", "news", bytes(range(256)) * 1000)
    net.advance(6000.0)
    good = [b for b in net.blind.values() if not b.damaged]
    assert len(good) * BLOCK >= 0.95 * 256_000
    assert all(b.data == (bytes(range(256)) * 4)[: len(b.data)] for b in good)
    custody = net.custody("news")
    assert custody.blind > 0
    assert custody.by_node["rover"] == 256_000  # nothing was confirmed, so the rover still answers for all of it
    assert net.product("news") is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([contact("rover", "rover", 0, 1)], "itself"),
        ([contact("rover", "orbiter", 5, 5)], "ends at"),
        ([contact("rover", "orbiter", 0, 1, rate=0)], "carries nothing"),
        ([contact("rover", "orbiter", 0, 9, rates=((1, 5.0), (2, 0.0)))], "carries nothing"),
        ([contact("rover", "orbiter", 0, 9, rates=((2, 5.0), (1, 9.0)))], "order of time"),
        ([contact("rover", "orbiter", 0, 1, delay=-1)], "light time"),
        ([contact("rover", "orbiter", 0, 1, loss=1.5)], "probability"),
        ([contact("rover", "moon", 0, 1)], "unknown node moon"),
        ([contact("rover", "orbiter", 0, 10), contact("rover", "orbiter", 9, 20)], "overlap"),
        ([contact("rover", "orbiter", 0, math.inf)], "ends at"),
    ],
)
def test_an_impossible_plan_is_refused_with_its_reason(wrong: list[Contact], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        Plan(wrong, {"rover", "orbiter"})


def test_an_adaptive_pass_carries_what_its_rates_allow() -> None:
    """1 kbit/s for 8 s, 2 for 8 s, 4 to the end: 1 + 2 + 2 blocks of 1024 bytes, each as long as the rates it meets make it."""
    steps = ((8.192, 2000.0), (16.384, 4000.0))
    plan = Plan([contact("rover", "orbiter", 100.0, 100.0 + 16.384 + 4.096, rate=1000.0, rates=steps)])
    window = plan.contacts[0]
    assert window.capacity == 5 * BLOCK
    assert window.sent(100.0, BLOCK) == pytest.approx(108.192)
    assert window.sent(104.096, BLOCK) == pytest.approx(110.240)  # half of it at 1, half at 2 kbit/s
    assert window.sent(100.0, 4 * BLOCK) == pytest.approx(118.432)
    net = Network(("rover", "orbiter"), plan)
    net.offer("rover", "picture", bytes(20 * BLOCK))
    net.advance(200.0)
    assert net.custody("picture").by_node == {"rover": 15 * BLOCK, "orbiter": 5 * BLOCK}


def test_the_relay_orbits_pass_is_the_published_one() -> None:
    """Periapsis 266 km overhead; from horizon to horizon; from 1 kbit/s by factors of two as free space allows."""
    assert overflight.slant_range(0.0) == pytest.approx(266e3)
    assert overflight.slant_range(-300.0) == pytest.approx(overflight.slant_range(300.0))
    profile = PROFILES["uhf"]
    edge = overflight.slant_range(profile.duration / 2)
    axis = (overflight.GM * (overflight.PERIOD / math.tau) ** 2) ** (1 / 3)
    # At the horizon: at a right angle to the rover's radius, so the orbiter's own distance follows from Pythagoras.
    speed = math.sqrt(overflight.GM * (2 / (overflight.RADIUS + 266e3) - 1 / axis))
    assert speed == pytest.approx(4362, abs=5)
    assert math.sqrt(2 * overflight.RADIUS * 266e3) < edge < speed * profile.duration / 2
    steps = profile.rates
    values = [rate for _, rate in steps]
    assert values[0] == values[-1] == 1000.0
    assert max(values) == 32_000.0
    assert all(b / a in (0.5, 2.0) for a, b in pairwise(values))
    for after, rate in steps:
        distance = overflight.slant_range(after - profile.duration / 2)
        assert rate <= 1000.0 * (edge / distance) ** 2 + 1e-6
    (window,) = daily("rover", "orbiter", "uhf", ZHURONG, 18, 18, 16.0)
    mean = window.capacity * 8 / (window.end - window.start)
    assert 5_000 < mean < 9_000


def test_a_full_store_refuses_and_keeps_nothing_half() -> None:
    net = Network(("rover", "orbiter"), Plan([]), capacity={"rover": 5000})
    net.offer("rover", "a", bytes(4000))
    with pytest.raises(BufferError, match="1000"):
        net.offer("rover", "b", bytes(2000))
    assert net.account()["unaccounted"] == 0
    assert net.nodes["rover"].counters.refused == 2000
