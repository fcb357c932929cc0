"""The orbiter as a process: what was heard is delivered in order, over passes, losses and kills; what was not heard is counted."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rovercam_hil.relay.contacts import Contact, Plan, PlanError, load
from rovercam_hil.relay.node import RADIO, Way, mirrored

ROUTE = ("rover", "orbiter", "earth")


def contact(source: str, target: str, start: float, end: float, rate: float = 8192.0, **more) -> Contact:
    return Contact(source=source, target=target, start=start, end=end, rate=rate, **more)


def test_what_is_heard_in_contact_arrives_after_its_hops_and_nothing_else(tmp_path: Path) -> None:
    """1024 bytes at 8192 bit/s: 1 s to the orbiter, kept there until its contact with Earth, another second, 5 s of light time."""
    plan = Plan([contact("rover", "orbiter", 100, 200), contact("orbiter", "earth", 300, 400, delay=5.0)])
    way = Way(ROUTE, plan, tmp_path, 0.0)
    way.hear(b"early", 99.0)
    way.hear(bytes(1024), 150.0)
    assert way.ready(150.9) == b""
    assert [p.suffix for p in tmp_path.iterdir()] == [".rover"]
    assert way.ready(299.0) == b""
    assert [p.suffix for p in tmp_path.iterdir()] == [".orbiter"]
    way.hear(b"late", 200.0)
    assert way.ready(305.999) == b""
    assert way.ready(306.001) == bytes(1024)
    assert list(tmp_path.iterdir()) == []
    assert (way.unheard, way.network.account()["unaccounted"]) == (9, 0)
    assert str(way) == "to earth: 1024 bytes delivered, 0 bytes at rover, 0 bytes at orbiter; 9 sent out of contact"


@pytest.mark.parametrize("seed", range(4))
def test_everything_heard_is_delivered_once_and_in_order_over_losses_and_kills(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    passes = [contact("rover", "orbiter", 60.0 * k, 60.0 * k + 25, 64_000, delay=0.02, loss=0.1) for k in range(4)]
    last = contact("rover", "orbiter", 300, 400, 64_000, delay=0.02)  # for what the passes before have left
    plan = Plan([*passes, last, contact("orbiter", "earth", 40, 1000, 80_000, delay=1.0, loss=0.1)])
    way = Way(ROUTE, plan, tmp_path, 0.0, seed)
    heard, delivered, now, unheard = b"", b"", 0.0, 0
    while now < 450:
        now += rng.uniform(0.01, 0.5)
        if now < 235:
            data = rng.randbytes(rng.randint(1, 3000))
            if way.open(now):
                heard += data
            way.hear(data, now)
        delivered += way.ready(now)
        assert heard.startswith(delivered)
        if rng.random() < 0.02:  # killed; another process goes on after a while
            unheard += way.unheard
            now += rng.uniform(0.0, 3.0)
            way = Way(ROUTE, plan, tmp_path, now, seed)
    assert delivered == heard
    assert len(heard) > 100_000
    assert unheard + way.unheard > 0
    assert list(tmp_path.iterdir()) == []


def test_a_pass_that_has_begun_goes_on_at_the_rate_it_has_now(tmp_path: Path) -> None:
    plan = Plan(
        [
            contact("rover", "orbiter", 0, 100, 1000.0, rates=((10.0, 8192.0), (60.0, 500.0))),
            contact("orbiter", "earth", 0, 200),
        ]
    )
    way = Way(ROUTE, plan, tmp_path, 50.0)
    way.hear(bytes(1024), 50.0)
    assert way.ready(51.9) == b""
    assert way.ready(52.1) == bytes(1024)


def test_a_radio_that_is_full_refuses_and_says_so(tmp_path: Path) -> None:
    plan = Plan([contact("rover", "orbiter", 0, 1000, 8.0), contact("orbiter", "earth", 0, 1000)])
    way = Way(ROUTE, plan, tmp_path, 0.0)
    for _ in range(5):
        way.hear(bytes(RADIO // 4), 1.0)
    assert way.refused == RADIO // 4
    assert "refused, the radio was full" in str(way)


def test_the_way_back_is_its_own_or_the_same_both_ways() -> None:
    there = [contact("rover", "orbiter", 0, 10), contact("orbiter", "earth", 20, 30)]
    assert [(c.source, c.target, c.start) for c in mirrored(Plan(there), ROUTE).contacts] == [
        ("orbiter", "rover", 0),
        ("earth", "orbiter", 20),
    ]
    own = [contact("earth", "orbiter", 5, 6), contact("orbiter", "rover", 7, 8)]
    assert mirrored(Plan(there + own), ROUTE).contacts == own


def test_a_line_has_no_passes_in_the_blind(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="in the blind"):
        Way(ROUTE, Plan([contact("rover", "orbiter", 0, 10, two_way=False)]), tmp_path, 0.0)


PLAN = """
[[contact]]
source = "rover"
target = "orbiter"
start = 0
end = 600
rate = 128000
rates = [[300, 64000]]
delay = 0.05
loss = 0.01
[[contact]]
source = "orbiter"
target = "earth"
start = 0
end = 600
rate = 256000
delay = 0.4
"""


def test_a_plan_file_may_have_rates(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    assert load(path, set(ROUTE)).contacts[1].rates == ((300.0, 64_000.0),)


@pytest.mark.usefixtures("native_board")
def test_three_processes_a_rover_an_orbiter_and_earth(tmp_path: Path) -> None:
    """In real time: a picture comes through the relay, and the relay accounts for what it carried."""
    (tmp_path / "plan.toml").write_text(PLAN)
    rovercam = [sys.executable, "-m", "rovercam.cli"]
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> str:
        """The line that it prints first."""
        process = subprocess.Popen([*rovercam, *words], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    try:
        unit = start("emulate", "--native", "--tcp", "0").split(": ")[1]
        said = start("relay", unit, "tcp:0", "--contacts", "plan.toml", "--at", "0")
        earth = said.split(" <-> ")[1]
        taken = subprocess.run(
            [*rovercam, "shoot", "--port", earth, "--out", "one.png", "--size", "qvga"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert taken.returncode == 0, taken.stderr
        assert (tmp_path / "one.png").stat().st_size > 1000
        time.sleep(1.0)
        started[1].send_signal(signal.SIGINT)
        end, _ = started[1].communicate(timeout=20)
        down, up = end.strip().splitlines()[-2:]
        assert int(down.split(" bytes delivered")[0].split()[-1]) > 15_000
        assert int(up.split(" bytes delivered")[0].split()[-1]) > 200
    finally:
        for process in started:
            process.kill()
            process.wait()
