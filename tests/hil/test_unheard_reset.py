"""A unit that is reset while nobody hears it, with the station's commands on the way: on the emulated Pico."""

from __future__ import annotations

import pytest
from rovercam_hil.bench.flight import Flight
from rovercam_hil.clock.session import Gate


def test_commands_after_an_unheard_reset_are_executed_once(micropython_image, tmp_path):
    """They were numbered for the unit before its reset; the station hears that by the next health report, and sends them again."""
    down = Gate()
    with Flight(tmp_path, image=micropython_image, down=down) as flight:
        assert flight.command("ping").state == "done"
        flight.until(lambda: "health" in flight.telemetry, 12, "a health report: the station knows which start this is")
        down.open = False
        flight.unit.board.reset()
        flight.run(9)
        pings = [flight.send("ping") for _ in range(2)]
        flight.run(2)
        events = len(flight.events)
        down.open = True
        flight.until(lambda: all(flight.commands[n].ended for n in pings), 60, "the end of both")
        assert [flight.commands[n].state for n in pings] == ["done", "done"]
        for n in pings:
            assert [s.stage for s in flight.commands[n].stages] == [
                "sent",
                "received",
                "acceptance",
                "start",
                "completion",
            ]
        assert "2 telecommands that came too early are sent again" in " ".join(e.text for e in flight.events[events:])


@pytest.mark.slow
def test_the_time_is_that_of_its_arrival(micropython_image, tmp_path):
    """The unit asks for it after a reset, with the line to it shut for longer than a retransmission takes:
    pytest tests/hil/test_unheard_reset.py -m slow"""
    up = Gate()
    with Flight(tmp_path, image=micropython_image, up=up) as flight:
        assert flight.command("ping").state == "done"
        up.open = False
        flight.unit.board.reset()
        flight.event("started", 20, since=len(flight.events))
        flight.run(8)
        up.open = True
        flight.until(lambda: flight.telemetry["health"]["time_status"] == "synchronised", 60, "the clock's being set")
        seen = len(flight.answers)
        assert flight.command("report_time").state == "done"
        told = flight.answer("time_report", since=seen)
        assert told.values["seconds"] + told.values["fraction"] == pytest.approx(flight.session.now, abs=0.4)
