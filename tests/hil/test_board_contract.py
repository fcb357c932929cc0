"""What every board in virtual time promises: the emulated Pico, and the firmware natively."""

from itertools import pairwise

import pytest
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import filesystem

KINDS = ("emulated", "native")


def board_arguments(kind, micropython_image):
    return {"native": True} if kind == "native" else {"image": micropython_image}


@pytest.fixture(scope="module", params=KINDS)
def flight(request, micropython_image, tmp_path_factory):
    if request.param == "native":
        request.getfixturevalue("native_board")
    arguments = board_arguments(request.param, micropython_image)
    with Flight(tmp_path_factory.mktemp("contract"), **arguments) as running:
        yield running


def test_time_passes_as_asked(flight):
    board = flight.unit.board
    for seconds in (1e-6, 0.0123, 0.5, 7.0):
        before = board.time
        board.run(seconds)
        assert before + seconds <= board.time + 1e-9 < before + seconds + 2e-3
    flight.session.elapsed = board.time


def test_bytes_from_the_unit_have_their_times(flight):
    board = flight.unit.board
    board.read_timed()
    before = board.time
    board.run(10.0)
    data, times = board.read_timed()
    assert len(data) == len(times) > 500
    assert before < times[0]
    assert times[-1] <= board.time
    byte = 10 / board.baud
    assert min(b - a for a, b in pairwise(times)) > 0.95 * byte
    assert board.read_timed() == (b"", [])
    flight.session.elapsed = board.time


def test_bytes_and_times_belong_together(flight):
    with pytest.raises(ValueError, match="2 bytes but 1 times"):
        flight.unit.board.write_at(b"ab", [1.0])


def test_a_command_a_picture_and_what_the_sensors_measure(flight):
    board, rig = flight.unit.board, flight.unit.rig
    board.chip_temperature = -41.0
    rig.weather.temperature = -63.5
    assert flight.command("capture", size="size_96x96", downlink=False).state == "done"
    flight.until(
        lambda: abs(flight.telemetry.get("environment", {}).get("air_temperature", 0) + 63.5) < 0.5,
        12,
        "the air's temperature",
    )
    assert flight.telemetry["environment"]["chip_temperature"] == pytest.approx(-41.0, abs=1.0)
    assert flight.health()["products_stored"] == 1


def test_a_silent_sensor_is_named_and_comes_back(flight):
    for fault in ("dead", "stuck"):
        seen = len(flight.events)
        flight.unit.rig.power.inject(fault)
        flight.event("sensor_failed", 12, since=seen)
        flight.unit.rig.power.clear(fault)
        flight.event("sensor_back", 12, since=seen)


def test_servos_and_wheels_move(flight):
    rig = flight.unit.rig
    assert flight.command("point_mast", pan=30.0, tilt=-10.0).state == "done"
    flight.run(1.0)
    assert (rig.pan.angle, rig.tilt.angle) == (pytest.approx(30.0, abs=0.5), pytest.approx(-10.0, abs=0.5))
    assert flight.command("turn", angle=20, timeout=60).state == "done"
    assert sum(rig.chassis.edges) > 20
    assert abs(rig.chassis.body.heading) == pytest.approx(20.0, abs=4.0)


def test_the_three_resets_and_what_outlives_them(flight):
    board = flight.unit.board
    for reset, cause, counted in (
        (board.reset, "power_on", 1),
        (lambda: board.reset(watchdog=True), "watchdog", 1),
        (lambda: (board.power_cut(), board.power_on()), "power_on", 0),
    ):
        boots, seen, resets = flight.health()["boot_count"], len(flight.events), board.resets
        reset()
        assert flight.event("started", 20, since=seen).values == {"boot_count": boots + 1, "cause": cause}
        assert board.resets == resets + counted
        assert flight.health()["products_stored"] == 1
    assert "/config.json" in filesystem.read_all(board.flash_bytes())


def test_power_can_go_inside_a_flash_operation(flight):
    board = flight.unit.board
    seen = len(flight.events)
    board.cut_power_at_flash_op(board.flash_operations + 3, 0.5)
    flight.send("capture", size="size_96x96", downlink=False)
    flight.until(lambda: not board.powered, 20, "the cut")
    lost = board.port.lost_off
    board.write(b"to nobody")
    assert board.port.lost_off == lost + 9
    board.power_on()
    flight.event("started", 20, since=seen)
    assert flight.health()["products_stored"] == 1


def test_a_restart_by_command(flight):
    resets, seen = flight.unit.board.resets, len(flight.events)
    assert flight.command("restart").state == "done"
    flight.event("started", 20, since=seen)
    assert flight.unit.board.resets == resets + 1


@pytest.mark.usefixtures("native_board")
def test_both_boards_code_the_same_picture(micropython_image, tmp_path):
    """From what the sensor gives to the files that go down: the same on both, byte by byte."""
    found = []
    for kind in KINDS:
        with Flight(tmp_path / kind, **board_arguments(kind, micropython_image)) as flight:
            assert (
                flight.command("capture", size="qvga", codec="rate", exposure=500, gain=100, downlink=False).state
                == "done"
            )
            files = filesystem.read_all(flight.unit.board.flash_bytes())
            found.append({path: data for path, data in files.items() if path.startswith("/p/") and path[-1] != "m"})
    assert len(found[0]) >= 2
    assert sum(map(len, found[0].values())) > 5000
    assert found[0] == found[1]
