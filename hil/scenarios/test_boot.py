"""The unit starts, says what it is, and finds what is attached to it."""

import pytest
from rovercam.station import updates

pytestmark = pytest.mark.cost(20)


@pytest.mark.wires("uart", "usb")
@pytest.mark.fresh(start=False)
def test_a_unit_starts_and_tells_its_state(unit, ground, evidence):
    unit.board.power_on()
    began = ground.elapsed
    if unit.rig is None:  # a real board runs already
        unit.wait_started()
        since, began = ground.mark(), ground.elapsed
        ground.do("restart")
        started = ground.event("started", since, 20.0)
    else:
        started = ground.event("started", 0, 20.0)
    evidence.value("first report", ground.elapsed - began, "s after power-on")
    assert started.values["boot_count"] >= 1
    health = ground.expect(updates.Telemetry, 0, structure="health").values
    assert health["errors"] == 0
    assert health["dictionary_hash"] == ground.station.dictionary.hash
    assert health["heap_free"] > 60_000
    evidence.value("heap free after start", health["heap_free"], "bytes")
    assert health["flash_free"] > 100
    unit.commandable()


def test_everything_attached_is_found(unit, ground):
    assert unit.models
    assert ground.telemetry("environment").values["sensors_present"] & 0b1110 == 0b1110


@pytest.mark.fresh(bare=True)
def test_a_bare_board_works(ground, evidence):
    """No camera, no sensor: a test pattern, the chip's own temperature, and no error."""
    picture = ground.shoot(size="size_96x96", codec="raw")
    evidence.picture("the board's own test pattern", picture.pixels)
    assert picture.fields["camera"] == "pattern"
    # As rover/camera/pattern.py describes it: ramp, steps, cross and checked corner.
    assert (picture.pixels[48] == 255).all()
    assert (picture.pixels[:, 48] == 255).all()
    assert picture.pixels[0, 8] != picture.pixels[0, 0]
    assert picture.pixels[80, 95] == ((95 * (65536 * 255 // 95) >> 16) + 8 * (80 // 8 % 32)) % 256
    environment = ground.telemetry("environment").values
    assert environment["sensors_present"] & 0b1110 == 0
    assert -20 < environment["chip_temperature"] < 60
    assert "task_failed" not in ground.events()


def test_an_ordered_restart_comes_back(unit, ground):
    since = ground.mark()
    before = ground.telemetry("health").values["boot_count"]
    unit.disturbed = True
    ground.do("restart")
    assert ground.event("started", since, 20.0).values["boot_count"] == before + 1
    unit.commandable()
