"""A bad line: everything arrives in the end, and what was lost is counted."""

import pytest
from rovercam_hil.suite.bench import SAMPLE_PATH

pytestmark = pytest.mark.cost(20)

SPECS = {
    "ber": "ber=3e-4",
    "slips": "drop=5e-4,insert=5e-4",
    "bursts": "burst=0.15,burst_len=4",
    "gilbert_elliott": "down.ge_in=1e-3,down.ge_out=0.05,down.ge_ber=0.3",
    "heavy_ber": "ber=1e-3",
}


@pytest.mark.parametrize("name", [pytest.param(k, marks=pytest.mark.slow) if k == "heavy_ber" else k for k in SPECS])
def test_a_file_comes_through(unit, ground, line, name, evidence):
    data = unit.sample()
    line.set(SPECS[name])
    began = ground.elapsed
    since = ground.mark()
    ground.queue("downlink_file", path=SAMPLE_PATH)  # its reports may be lost, the file may not
    assert ground.get(SAMPLE_PATH, timeout=240, since=since) == data
    counters = line.counters
    link = ground.station.link(unit.number)
    evidence.value("line", SPECS[name])
    evidence.value(
        "hit",
        f"{counters['corrupted']} corrupted, {counters['dropped']} dropped, {counters['inserted']} inserted bytes",
    )
    evidence.value("symbols corrected so far", link.corrected)
    evidence.value("time", ground.elapsed - began, "s")
    assert counters["corrupted"] + counters["dropped"] + counters["inserted"] > 0


def test_an_outage_delays_and_loses_nothing(unit, ground, line, evidence):
    data = unit.sample()
    since = ground.mark()
    ground.do("downlink_file", path=SAMPLE_PATH)
    line.set("outage=0-8")
    began = ground.elapsed
    assert ground.get(SAMPLE_PATH, since=since, timeout=120) == data
    evidence.value("complete after", ground.elapsed - began, "s of which 8 s were silence")


def test_commands_get_through_a_line_that_loses_most_frames(ground, line):
    before = ground.telemetry("health").values["commands_accepted"]
    line.set("up.ber=2e-3")
    for _ in range(5):
        ground.queue("ping")
    ground.wait(
        "five pings accepted", lambda: ground.telemetry("health").values["commands_accepted"] >= before + 5, 120
    )


def test_one_way_down_keeps_telemetry(ground, line):
    line.set("oneway=down")
    ground.telemetry("health")
