"""The rover drives: real firmware, PWM, direction lines, encoder edges and MPU-6050 against a model with slip; one unit for all.

All of it: pytest tests/hil/test_vehicle.py -m "slow or not slow"."""

import math

import pytest
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.devices.vehicle import FlatRover, Ground

GROUND = Ground(slip=0.05, skid=1.3)


@pytest.fixture(scope="module")
def flight(micropython_image, tmp_path_factory):
    unit = make_unit(image=micropython_image)
    # Seven times as quick as the real one, to spare time; with the faults of a real sensor.
    unit.rig.chassis.body = FlatRover(GROUND, top_speed=0.4, lag=0.08, gyro_bias=0.6, noise=0.15)
    with Flight(tmp_path_factory.mktemp("vehicle"), unit=unit) as running:
        yield running


@pytest.fixture
def rover(flight):
    body = flight.unit.rig.chassis.body
    body.ground = GROUND
    yield body
    for motor in flight.unit.rig.chassis.motors:
        motor.clear()
    assert body.duty == [0.0] * 6, "the wheels are driven after the command's end"


def move(flight, name, **arguments):
    """The command's end, and the event that tells how it went."""
    seen = len(flight.events)
    done = flight.command(name, timeout=200, **arguments)
    event = flight.event("drive_ended" if done.state == "done" else "drive_stopped", since=seen)
    flight.run(0.5)  # the model sees that the lines are quiet
    return done, event.values


def vehicle(flight):
    flight.telemetry.pop("vehicle", None)
    flight.command("report_housekeeping", structure=4)
    flight.until(lambda: "vehicle" in flight.telemetry, 10, "the vehicle report")
    return flight.telemetry["vehicle"]


def test_drives_two_metres_straight_and_keeps_account(flight, rover):
    before, x, y = vehicle(flight), rover.x, rover.y
    rover.ground = Ground(slip=0.05, drift=4.0)  # the ground would turn it by some 20 degrees
    seen = flight.reports
    done, end = move(flight, "drive", distance=2.0)
    assert [s.stage for s in done.stages].count("progress") == 3
    assert end["forward"] == pytest.approx(2.0, abs=0.05)
    assert math.hypot(rover.x - x, rover.y - y) == pytest.approx(2.0 * 0.95, abs=0.08)  # slip alike on both sides stays
    assert abs(rover.heading) < 4  # about 20 without the correction
    after = vehicle(flight)
    assert after["odometer"] - before["odometer"] == pytest.approx(2.0, abs=0.05)
    assert after["position_x"] - before["position_x"] == pytest.approx(2.0, abs=0.05)
    assert after["heading"] == pytest.approx(math.remainder(rover.heading, 360), abs=1)
    assert after["drive_state"] == "idle"
    assert flight.reports - seen >= 5  # once a second on the way


def test_turns_by_ninety_degrees_and_tells_the_skid(flight, rover):
    heading = rover.heading
    _, end = move(flight, "turn", angle=90)
    assert rover.heading - heading == pytest.approx(90, abs=3)
    assert end["turned"] == pytest.approx(90, abs=2)
    # What slips while it starts and stops is in the account, too.
    assert end["slip"] == pytest.approx(100 * (1 - 1 / 1.3), abs=7)
    _, end = move(flight, "turn", angle=-30, speed=50)
    assert rover.heading - heading == pytest.approx(60, abs=5)


def test_crabs_aslant_without_turning_and_drives_backwards(flight, rover):
    heading, x, y = rover.heading, rover.x, rover.y
    _, end = move(flight, "crab", distance=0.5, direction=60)
    assert rover.heading == pytest.approx(heading, abs=1.5)
    way = math.degrees(math.atan2(rover.y - y, rover.x - x))
    assert math.remainder(way - heading - 60, 360) == pytest.approx(0, abs=3)
    assert end["forward"] == pytest.approx(0.5, abs=0.05)
    x, y = rover.x, rover.y
    _, end = move(flight, "drive", distance=-0.4)
    assert end["forward"] == pytest.approx(-0.4, abs=0.05)
    back = (rover.x - x) * math.cos(math.radians(heading)) + (rover.y - y) * math.sin(math.radians(heading))
    assert back == pytest.approx(-0.4 * 0.95, abs=0.05)


def test_a_wheel_that_stands_stops_all(flight, rover):
    flight.unit.rig.chassis.motors[4].inject("stalled")
    done, end = move(flight, "drive", distance=2.0)
    assert (done.state, done.reason) == ("failed", "stalled")
    assert end["reason"] == "stall"
    assert abs(end["forward"]) < 0.9  # 3 s of one side


def test_wheels_that_turn_without_the_rover_are_slip(flight, rover):
    flight.command("set_parameter", parameter="slip_limit", value=60)
    rover.ground = Ground(slip=0.9, skid=8.0)
    done, end = move(flight, "turn", angle=90)
    assert (done.reason, end["reason"]) == ("slipping", "slip")
    assert end["slip"] > 60
    assert end["turned"] < 30
    assert vehicle(flight)["drive_slip"] == end["slip"]


def test_a_slope_beyond_the_limit_stops_it(flight, rover):
    start = rover.x, rover.y
    flight.command("set_parameter", parameter="tilt_limit", value=20)

    def slope(x, y, heading):
        return Ground(pitch=25.0 if math.dist(start, (x, y)) > 0.3 else 3.0, roll=-4.0)

    rover.ground = slope
    done, end = move(flight, "drive", distance=2.0)
    assert (done.reason, end["reason"]) == ("tilted", "tilt")
    assert 0.3 < end["forward"] < 1.2
    state = vehicle(flight)
    assert state["pitch"] == pytest.approx(25, abs=1)
    assert state["roll"] == pytest.approx(-4.0, abs=1)


@pytest.mark.slow
def test_way_time_command_and_mode_stop_it(flight, rover):
    done, end = move(flight, "drive", distance=25.0)
    assert (done.reason, end["reason"], end["forward"]) == ("too_far", "distance", 0)
    rover.ground = Ground(skid=6.0)  # five sixths of what the wheels turn are lost
    done, end = move(flight, "turn", angle=90)
    assert (done.state, end["reason"]) == ("failed", "slip")
    assert end["slip"] > 60
    flight.command("set_parameter", parameter="slip_limit", value=255)
    flight.command("set_parameter", parameter="drive_limit", value=0.5)
    done, end = move(flight, "turn", angle=90)  # would need several metres of rim
    assert (done.reason, end["reason"]) == ("too_far", "distance")
    flight.command("set_parameter", parameter="slip_limit", value=70)
    flight.command("set_parameter", parameter="drive_limit", value=20)
    flight.command("set_parameter", parameter="drive_timeout", value=5)
    done, end = move(flight, "drive", distance=3.0)
    assert (done.reason, end["reason"]) == ("timed_out", "timeout")
    flight.command("set_parameter", parameter="drive_timeout", value=600)
    for stop, argument, reason in (("stop_drive", {}, "stopped"), ("set_mode", {"mode": "safe"}, "mode_changed")):
        number = flight.send("drive", distance=3.0)
        flight.until(lambda n=number: flight.commands[n].state == "started", 20, "the start")
        flight.run(2.0)
        assert flight.command("turn", angle=5).reason == "busy"
        assert flight.command(stop, **argument).state == "done"
        flight.until(lambda n=number: flight.commands[n].ended, 20, "the stop")
        assert flight.commands[number].reason == reason
    assert flight.command("drive", distance=0.1).reason == "wrong_mode"
    assert flight.command("set_mode", mode="normal").state == "done"
    flight.run(1)


def test_without_its_attitude_it_does_not_drive(flight, rover):
    attitude = flight.unit.rig.attitude
    attitude.inject("dead")
    done, end = move(flight, "drive", distance=0.3)
    attitude.clear()
    assert (done.reason, end["reason"]) == ("no_attitude", "attitude")


@pytest.mark.slow
def test_the_pose_is_kept_over_a_power_cut_and_can_be_set(flight, rover):
    assert flight.command("set_pose", x=-12.5, y=34.0, heading=-90.0).state == "done"
    before = vehicle(flight)
    assert (before["position_x"], before["position_y"], before["heading"]) == (-12.5, 34.0, -90.0)
    move(flight, "drive", distance=0.2)
    kept = vehicle(flight)
    assert kept["position_y"] == pytest.approx(33.8, abs=0.07)
    flight.unit.board.power_cut()
    flight.start()
    after = vehicle(flight)
    for name in ("odometer", "position_x", "position_y", "heading"):
        assert after[name] == kept[name], name
    assert "/t/odometer.0" in filesystem.read_all(flight.unit.board.flash_bytes())


@pytest.mark.slow
def test_a_reset_on_the_way_stops_the_wheels(flight, rover):
    flight.send("drive", distance=3.0)
    flight.until(lambda: rover.duty[0] > 0.5, 20, "turning wheels")
    seen = len(flight.events)
    flight.unit.board.reset()
    flight.event("started", 20, since=seen)
    flight.run(1)
    assert max(rover.rim) < 1e-3
