"""Cameras and sensors that fail: named in an event, nothing else is disturbed, and they come back."""

import pytest
from rovercam.station import updates

pytestmark = pytest.mark.cost(40)

SENSORS = {"weather": 2, "power": 4, "attitude": 8}


def present(ground):
    """All sensors have been read once: what never answered is not fitted, and does not fail."""
    everything = sum(SENSORS.values())
    ground.expect(
        updates.Telemetry,
        0,
        15.0,
        lambda t: t.values["sensors_present"] & everything == everything,
        structure="environment",
    )


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [("dead", True, "camera_absent"), ("wrong_id", 0x33, "camera_failed"), ("busy", True, "camera_failed"),
     ("never_ready", True, "camera_failed"), ("length", 77, "camera_failed")],
    ids=["dead", "wrong_id", "busy", "never_ready", "length"],
)  # fmt: skip
def test_a_camera_fails_and_comes_back(unit, ground, fault, value, reason):
    camera = unit.models.camera
    camera.inject(fault, value)
    since = ground.mark()
    assert reason in ground.refused("capture", camera="mast", size="size_96x96", codec="raw", timeout=60)
    assert ground.event("camera_failed", since).values["camera"] == "mast"
    camera.clear()
    picture = ground.shoot(camera="mast", size="size_96x96", codec="raw", width=32, height=8)
    assert picture.complete


def test_a_corrupted_fifo_disturbs_only_the_picture(unit, ground, evidence):
    unit.models.camera.inject("corrupted_fifo", 0.02)
    picture = ground.shoot(size="size_96x96", codec="raw")
    evidence.picture("2 % of the camera's bytes wrong", picture.pixels)
    assert picture.complete


@pytest.mark.parametrize("name", list(SENSORS))
@pytest.mark.parametrize("fault", ["dead", "nack_data"])
def test_a_sensor_fails_and_comes_back(unit, ground, name, fault):
    device = getattr(unit.models, name)
    present(ground)
    since = ground.mark()
    device.inject(fault)
    assert ground.event("sensor_failed", since).values["sensor"] == SENSORS[name]
    since = ground.mark()
    device.clear()
    assert ground.event("sensor_back", since).values["sensor"] == SENSORS[name]


def test_a_stuck_bus_does_not_stop_the_unit(unit, ground):
    present(ground)
    since = ground.mark()
    unit.models.weather.inject("stuck")
    ground.event("sensor_failed", since)
    unit.commandable()
    unit.models.weather.clear()
    since = ground.mark()
    ground.event("sensor_back", since, 30.0)


def test_clock_stretching_is_waited_for(unit, ground):
    unit.models.power.inject("stretch", 200)
    unit.models.power.voltage = 4.9
    assert ground.telemetry("environment").values["bus_voltage"] == pytest.approx(4.9, abs=0.004)
