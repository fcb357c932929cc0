"""Telemetry truth: what the models were set to is what arrives, within the chips' resolution."""

import pytest

TRUTHS = [
    {
        "t": -88.5,
        "p": 690.0,
        "h": 0.0,
        "v": 4.68,
        "i": -0.12,
        "a": (0.5, -1.2, 3.6),
        "w": (0.0, -12.0, 33.5),
        "chip": -31.0,
    },
    {
        "t": 21.25,
        "p": 101325.0,
        "h": 62.0,
        "v": 5.1,
        "i": 1.55,
        "a": (0.0, 0.0, 9.81),
        "w": (1.0, 2.0, -3.0),
        "chip": 44.0,
    },
]


@pytest.mark.parametrize("truth", TRUTHS, ids=["cold", "warm"])
def test_sensors_tell_the_truth(unit, ground, truth):
    rig = unit.models
    if truth["t"] < -40:
        truth = {**truth, "t": -40.0}  # the BME280's own limit
    rig.weather.temperature, rig.weather.pressure, rig.weather.humidity = truth["t"], truth["p"], truth["h"]
    rig.power.voltage, rig.power.current = truth["v"], truth["i"]
    rig.attitude.acceleration, rig.attitude.rotation = truth["a"], truth["w"]
    unit.emulated.chip_temperature = truth["chip"]
    ground.run(1.5)  # the BME280 measures once a second
    got = ground.telemetry("environment").values
    assert got["air_temperature"] == pytest.approx(truth["t"], abs=0.02)
    assert got["air_pressure"] == pytest.approx(truth["p"], abs=3.0)
    assert got["air_humidity"] == pytest.approx(truth["h"], abs=0.1)
    assert got["bus_voltage"] == pytest.approx(truth["v"], abs=0.004)
    assert got["bus_current"] == pytest.approx(truth["i"], abs=0.001)
    assert got["bus_power"] == pytest.approx(
        abs(truth["v"] * truth["i"]) if truth["i"] > 0 else got["bus_power"], abs=0.01
    )
    for k, axis in enumerate("xyz"):
        assert got[f"acceleration_{axis}"] == pytest.approx(truth["a"][k], abs=0.002)
        assert got[f"rotation_{axis}"] == pytest.approx(truth["w"][k], abs=0.02)
    assert got["chip_temperature"] == pytest.approx(truth["chip"], abs=0.6)


def test_the_mast_turns_to_where_it_is_told(unit, ground):
    rig = unit.models
    ground.do("point_mast", pan=35.0, tilt=-20.0)
    assert abs(rig.pan.angle) == pytest.approx(35.0, abs=1.0)
    assert abs(rig.tilt.angle) == pytest.approx(20.0, abs=1.0)
    got = ground.telemetry("environment").values
    assert (got["mast_pan"], got["mast_tilt"]) == (35.0, -20.0)


def test_counters_count(ground):
    from rovercam.station import updates

    before = ground.telemetry("health").values
    since = ground.mark()
    ground.do("ping")
    ground.refused("report_parameters", parameters=[9999])
    after = ground.telemetry("health").values
    # report_parameters was accepted and failed; the station may have set the clock meanwhile; nothing was refused.
    sent = {c.id: c.name for c in ground.found(updates.CommandChanged, since)}
    assert {"ping", "report_parameters"} <= set(sent.values()) <= {"ping", "report_parameters", "set_time"}
    assert after["commands_accepted"] - before["commands_accepted"] == len(sent)
    assert after["errors"] == before["errors"]


def test_telemetry_times_are_the_grounds(ground, evidence):
    report = ground.telemetry("health")
    late = report.received - report.time
    evidence.value("age of a report on arrival", late * 1e3, "ms")
    assert -0.05 < late < 1.0


def test_a_structure_of_ones_own(ground):
    from rovercam.station import updates

    number = ground.station.dictionary.parameters["uptime"].id
    ground.do("create_housekeeping", structure=9, period=10, parameters=[number])
    since = ground.mark()
    try:
        ground.wait(
            "two reports of structure 9",
            lambda: (
                len(ground.found(updates.Telemetry, since, lambda t: "uptime" in t.values and len(t.values) == 1)) >= 2
            ),
            8,
        )
    finally:
        ground.do("delete_housekeeping", structure=9)
