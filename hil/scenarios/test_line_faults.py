"""A bad line: everything arrives in the end, and what was lost is counted."""

import pytest

CONTENT = bytes((11 * k * k + k // 13) & 255 for k in range(12_000))


def bring_down(unit, ground, data):
    """A file that lies on the unit, asked for on a line that may be bad."""
    since = ground.mark()
    ground.queue("downlink_file", path="/t/line.bin")  # its reports may be lost, the file may not
    return ground.get("/t/line.bin", timeout=240, since=since) == data


@pytest.fixture(scope="module")
def on_board():
    """Units that have the file already."""
    return set()


def provide(unit, ground, on_board):
    if id(unit) not in on_board:
        on_board.add(id(unit))
        ground.put(CONTENT[:3000], "/t/line.bin")
    return CONTENT[:3000]


@pytest.mark.parametrize(
    "spec",
    [
        "ber=1e-4",
        "ber=1e-3",
        "drop=5e-4,insert=5e-4",
        "burst=0.02,burst_len=8",
        "down.ge_in=1e-3,down.ge_out=0.05,down.ge_ber=0.3",
    ],
    ids=["ber", "heavy_ber", "slips", "bursts", "gilbert_elliott"],
)
def test_a_file_comes_through(unit, ground, line, on_board, spec, evidence):
    data = provide(unit, ground, on_board)
    line.set(spec)
    began = ground.elapsed
    assert bring_down(unit, ground, data)
    counters = line.counters
    link = ground.station.link(unit.number)
    evidence.value("line", spec)
    evidence.value(
        "bytes hit",
        f"{counters['corrupted']} corrupted, {counters['dropped']} dropped, {counters['inserted']} inserted",
    )
    evidence.value("symbols corrected so far", link.corrected)
    evidence.value("time", ground.elapsed - began, "s")
    assert counters["corrupted"] + counters["dropped"] + counters["inserted"] > 0


def test_an_outage_delays_and_loses_nothing(unit, ground, line, on_board, evidence):
    data = provide(unit, ground, on_board)
    since = ground.mark()
    ground.do("downlink_file", path="/t/line.bin")
    line.set("outage=0-8")
    began = ground.elapsed
    assert ground.get("/t/line.bin", since=since, timeout=120) == data
    evidence.value("complete after", ground.elapsed - began, "s of which 8 s were silence")


def test_commands_get_through_a_line_that_loses_most_frames(unit, ground, line):
    line.set("up.ber=2e-3")
    before = ground.telemetry("health").values["commands_accepted"]
    for _ in range(5):
        ground.queue("ping")
    ground.wait(
        "five pings accepted", lambda: ground.telemetry("health").values["commands_accepted"] >= before + 5, 120
    )


def test_one_way_down_keeps_telemetry(unit, ground, line):
    line.set("oneway=down")
    ground.telemetry("health")
