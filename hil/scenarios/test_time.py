"""Time: set once, true afterwards; commands at their time."""

import pytest
from rovercam.protocol import pus


def test_the_clock_is_set_and_runs_true(ground, evidence):
    # The station gives the time to a unit that has just started.
    ground.wait("a clock that is set", lambda: ground.telemetry("health").values["time_status"] == "synchronised", 20)
    report = ground.answer("time_report", "report_time")
    assert report["status"] == "synchronised"
    first = report["seconds"] + report["fraction"] - ground.now
    ground.run(60.0)
    report = ground.answer("time_report", "report_time")
    second = report["seconds"] + report["fraction"] - ground.now
    evidence.value("clock against the ground's, then 60 s later", f"{first * 1e3:.1f} ms, {second * 1e3:.1f} ms")
    assert abs(first) < 0.5
    assert abs(second - first) < 0.1


def test_a_step_is_told(ground):
    since = ground.mark()
    ground.do("set_time", seconds=int(ground.now) + 100, fraction=0.0)
    assert ground.event("time_set", since).values["step"] == pytest.approx(100_000, abs=1200)
    ground.do("set_time", seconds=int(ground.now), fraction=0.0)


def test_a_scheduled_command_runs_at_its_time(unit, ground, evidence):
    station = ground.station
    apid = station.dictionary.apid(unit.number)
    ping = station.dictionary.commands["ping"]
    packet = pus.build_command(apid, 77, ping.service, ping.subtype, b"")
    ground.do("enable_schedule")
    from rovercam.station import updates

    due = int(ground.now) + 6
    ground.do("insert_schedule", seconds=due, packet=packet)
    since = ground.mark()
    ground.expect(updates.AnswerReceived, since, 15.0, name="connection_test")
    late = ground.now - due
    evidence.value("late", late, "s")
    assert -0.6 < late < 1.5
    ground.do("reset_schedule")
