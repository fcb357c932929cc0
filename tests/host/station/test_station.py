"""The station against the firmware's link in MicroPython: commands, telemetry, events, ports, a full disk."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from rovercam.archive import ArchiveFull
from rovercam.dictionary import UnknownName, ValueRefused
from rovercam.station.core import StationError
from rovercam.station.updates import (
    CommandChanged,
    EventReceived,
    Notice,
    Telemetry,
    TransferChanged,
    UnitHeard,
    Update,
    from_json,
)
from rovercam_hil.micropython.station_unit import DICTIONARY
from rovercam_hil.micropython.worker import Worker

from .conftest import PORT, START, Bench


def test_a_command_goes_through_all_stages(bench: Bench) -> None:
    bench.step()
    sent = bench.station.command(1, "ping", now=bench.now, sender="tester")
    assert sent.state == "queued"
    bench.run()
    last = bench.told(CommandChanged)[-1]
    assert last.state == "done"
    assert [s.stage for s in last.stages] == ["sent", "received", "acceptance", "start", "completion"]
    assert len(bench.unit.commands) == 1
    (row,) = bench.archive.commands()
    assert (row["name"], row["sender"], row["state"]) == ("ping", "tester", "done")
    assert [s["stage"] for s in row["stages"]] == [s.stage for s in last.stages]


def test_a_command_given_before_the_unit_is_heard_waits(bench: Bench) -> None:
    bench.station.command(1, "ping", now=bench.now)
    bench.station.transmit(PORT, bench.now)
    assert [u.state for u in bench.told(CommandChanged)] == ["queued"]
    bench.run()
    assert bench.told(CommandChanged)[-1].state == "done"


def test_a_unit_that_sleeps_is_called(bench: Bench) -> None:
    """It sends nothing by itself; what it says depends on its control word alone."""
    while bench.unit.frames(False, bench.most):
        pass
    for _ in range(20):
        bench.step(idle=False)
    assert bench.station.units() == []
    bench.station.command(1, "ping", now=bench.now)
    for _ in range(20):
        bench.step(idle=False)
    assert bench.told(CommandChanged)[-1].state == "done"


def test_a_unit_nobody_commands_is_called_once_a_call(bench: Bench) -> None:
    while bench.unit.frames(False, bench.most):
        pass
    bench.station.hail(None, bench.now)
    calls = [bench.station.transmit(PORT, bench.now + i) for i in range(60)]
    assert calls[0]
    assert not any(calls[1:])
    bench.station.hail(1, bench.now)
    bench.step(idle=False)
    bench.step(idle=False)
    assert bench.station.units() == [1]
    bench.station.hail(1, bench.now)
    assert not bench.station.transmit(PORT, bench.now)


@pytest.mark.parametrize(
    ("failure", "reason", "stages"),
    [
        ((2, 3, 0), "out_of_range (argument profile = 3)", ["acceptance"]),
        ((4, 5, 0), "busy", ["acceptance", "start"]),
        ((8, 12, 7), "camera_failed (7)", ["acceptance", "completion"]),
    ],
)
def test_failure_codes_are_named(bench: Bench, failure: tuple[int, int, int], reason: str, stages: list[str]) -> None:
    bench.unit.failure = failure
    bench.station.command(1, "set_profile", {"profile": 3}, bench.now)
    bench.run()
    last = bench.told(CommandChanged)[-1]
    assert last.state == "failed"
    assert last.reason == reason
    assert [s.stage for s in last.stages][2:] == stages


def test_bad_commands_are_refused_on_the_ground(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="did you mean capture"):
        bench.station.command(1, "captur", now=bench.now)
    with pytest.raises(ValueRefused, match="0 to 15"):
        bench.station.command(1, "set_profile", {"profile": 16}, bench.now)
    with pytest.raises(ValueRefused, match="mast"):
        bench.station.command(1, "capture", {"camera": "telescope"}, bench.now)
    with pytest.raises(StationError, match="keys import 2"):
        bench.station.command(2, "ping", now=bench.now)
    bench.run()
    assert bench.unit.commands == []
    assert bench.archive.commands() == []


def test_telemetry_with_limits(bench: Bench) -> None:
    bench.unit.housekeeping(1, START, uptime=17, heap_free=15000)
    bench.step()
    (told,) = bench.told(Telemetry)
    assert told.values["uptime"] == 17
    assert told.alarms["heap_free"] == "red"
    bench.station.commit(bench.now)
    assert bench.archive.latest_values(1)["uptime"] == (START, 17.0)
    assert from_json(told.as_json()) == told


def test_events_with_severity(bench: Bench) -> None:
    bench.unit.report(5, 3, b"\3" + bytes([0, 4]), START)
    bench.step()
    told = bench.told(EventReceived)[-1]
    assert (told.name, told.severity, told.text) == ("camera_failed", "medium", "Camera mast failed, error 4")
    assert bench.archive.events(severities=["medium"])[0]["text"] == told.text


@pytest.mark.parametrize(("step", "said"), [(-3, "-3"), ((1 << 31) - 1, "more than 24 days in")])
def test_a_saturated_value_is_said_to_be_one(bench: Bench, step: int, said: str) -> None:
    bench.unit.report(5, 1, b"\x0c" + step.to_bytes(4, "big", signed=True), START)
    bench.step()
    assert bench.told(EventReceived)[-1].text == f"Clock set, step {said} ms"


def test_another_dictionary_is_said_plainly_once(bench: Bench) -> None:
    for i in range(3):
        bench.unit.housekeeping(1, START + i, dictionary_hash=0x12345678)
        bench.step()
    notices = [n.text for n in bench.told(Notice)]
    assert len(notices) == 1
    assert "12345678" in notices[0]
    assert f"{DICTIONARY.hash:08x}" in notices[0]
    assert "flash the unit" in notices[0]


def test_packets_that_make_no_sense_are_kept_and_counted(bench: Bench) -> None:
    bench.unit.report(3, 25, b"\1short", START)
    bench.unit.report(99, 1, b"", START)
    bench.unit.report(5, 1, b"\xfe??", START)
    bench.step()
    assert bench.told(EventReceived)[-1].name == "event_254"
    bench.station.commit(bench.now)
    assert len(bench.archive.packets()) == 3


def test_an_unset_clock_is_set_once_and_its_times_are_placed(bench: Bench) -> None:
    bench.kill()
    bench.open(set_clocks=True)
    for i in range(4):
        bench.unit.housekeeping(1, 100.0 + i / 10, synchronised=False, uptime=i)
        bench.step()
    bench.run(0.5)
    assert {(u.id, u.name) for u in bench.told(CommandChanged) if u.state == "done"} == {(1, "set_time")}
    (packet,) = bench.unit.commands
    assert struct.unpack_from(">I", packet, 11)[0] == int(START)
    bench.station.commit(bench.now)
    times = bench.archive.history(1, "uptime").times
    assert np.diff(times) == pytest.approx(0.1, abs=1e-4)
    assert times[0] == pytest.approx(START + 0.1, abs=0.01)


def test_the_time_is_that_of_the_transmission_that_arrives(bench: Bench) -> None:
    """Behind commands that are lost, and lost itself, for 12 seconds: the time that is set is not older than a step."""
    bench.kill()
    bench.open(set_clocks=True)
    bench.unit.housekeeping(1, START)
    bench.run(1)
    shut = [True]
    feed = bench.unit.feed
    bench.unit.feed = lambda data, now: None if shut[0] else feed(data, now)  # type: ignore[method-assign]
    for _ in range(3):
        bench.station.command(1, "ping", now=bench.now)
    bench.unit.housekeeping(1, 5.0, synchronised=False)
    bench.run(12)
    shut[0] = False
    arrived = 0.0
    for _ in range(400):
        bench.step()
        if len(bench.unit.commands) == 4 and not arrived:
            arrived = bench.now
    assert [c[7:9] for c in bench.unit.commands] == [b"\x11\x01"] * 3 + [b"\x09\x80"]
    seconds, fraction = struct.unpack_from(">IH", bench.unit.commands[-1], 11)
    assert arrived > START + 12
    assert seconds + fraction / 65536 == pytest.approx(arrived, abs=0.11)
    (logged,) = [c for c in bench.archive.commands() if c["name"] == "set_time"]
    assert logged["data"] == bench.unit.commands[-1], "the log has what the unit got"
    assert logged["arguments"]["seconds"] == seconds
    assert logged["state"] == "done"


def test_a_unit_that_starts_anew_gets_the_time_at_once(bench: Bench) -> None:
    bench.kill()
    bench.open(set_clocks=True)
    started = bytes([1, 0, 1, 1])
    for count in (1, 2):
        bench.unit.report(5, 1, started, 0.0, synchronised=False)
        bench.step()
        bench.unit.housekeeping(1, 1.0, synchronised=False)
        bench.run(2)
        assert len(bench.unit.commands) == count, "within the time in which an unset clock is not asked about again"


def test_a_scheduled_command_is_in_the_log_and_ends_when_it_has_run(bench: Bench) -> None:
    bench.unit.housekeeping(1, START)
    bench.step()
    waiting, bringing = bench.station.schedule(1, int(START) + 600, "point_mast", {"pan": 10}, bench.now, sender="A")
    bench.run(1)
    states = {u.id: u for u in bench.told(CommandChanged)}
    assert (states[bringing.id].name, states[bringing.id].state) == ("insert_schedule", "done")
    assert (states[waiting.id].state, states[waiting.id].sender) == ("queued", "A")
    assert states[waiting.id].stages[0].stage == "scheduled"
    (packet,) = bench.unit.commands
    seconds, length = struct.unpack_from(">IB", packet, 11)
    assert (seconds, length) == (int(START) + 600, len(packet) - 16)
    scheduled = packet[16:]
    for subtype in (1, 3, 7):
        bench.unit.report(1, subtype, scheduled[:4], bench.now)
    bench.step()
    assert {u.id: u for u in bench.told(CommandChanged)}[waiting.id].state == "done"
    with pytest.raises(StationError, match="cannot be scheduled"):
        bench.station.schedule(1, 1, "insert_schedule", {}, bench.now)


def test_a_unit_with_a_higher_floor_is_reached(bench: Bench, worker: Worker) -> None:
    """Another station, or a lost archive: telemetry and the control word tell, no person has to."""
    worker.run("up.security.floor = 5000")
    bench.unit.housekeeping(3, START, uplink_floor=5000)
    bench.step()
    bench.station.command(1, "ping", now=bench.now)
    bench.unit.housekeeping(3, START, uplink_floor=5000)
    bench.run(20)
    assert bench.told(CommandChanged)[-1].state == "done"


def test_numbers_of_authentication_never_come_twice(bench: Bench, worker: Worker) -> None:
    """A killed station goes on with higher ones, so its first command is taken."""
    for _ in range(4):
        bench.step()
        bench.station.command(1, "ping", now=bench.now)
        bench.run(0.5)
        bench.kill()
        bench.open()
    assert len(bench.unit.commands) == 4
    assert worker.eval("up.replayed") == 0


def test_two_ports_hearing_one_unit_give_one_of_everything(bench: Bench) -> None:
    bench.station.attach("other", bench.now)
    bench.unit.housekeeping(1, START, uptime=1)
    data = bench.unit.frames(True)
    bench.station.receive(PORT, data, bench.now)
    bench.station.receive("other", data, bench.now + 0.1)
    bench.station.detach("other", bench.now + 1)
    bench.station.commit(bench.now)
    assert len(bench.archive.packets()) == 1
    assert bench.station.link(1).duplicates >= 1
    assert [u.port for u in bench.told(UnitHeard)] == [PORT]


def test_a_full_disk_acknowledges_nothing_and_recovers(bench: Bench) -> None:
    """What could not be stored is asked for again when there is room."""
    data = random.Random(3).randbytes(60000)
    (bench.folder / "t" / "f").write_bytes(data)
    bench.unit.worker.call("put", str(bench.folder / "t" / "f"), 3)
    for _ in range(3):
        bench.step()
    bench.station.commit(bench.now)
    (pages,) = bench.archive.db.execute("PRAGMA page_count").fetchone()
    bench.archive.db.execute(f"PRAGMA max_page_count={pages + 2}")
    failures = 0
    for _ in range(40):
        try:
            bench.step()
        except ArchiveFull:
            failures += 1
    assert failures
    bench.archive.db.execute("PRAGMA max_page_count=1000000")
    for _ in range(600):
        bench.step()
        if any(t.status == "finished" for t in bench.told(TransferChanged)):
            break
    (transfer,) = bench.archive.transfers(status="finished")
    assert bench.archive.content(transfer["id"]) == data


def test_every_byte_is_accounted_for(bench: Bench) -> None:
    noise = random.Random(5)
    for i in range(30):
        bench.unit.housekeeping(1, START + i, uptime=i)
        junk = noise.randbytes(noise.randrange(40)) if i % 5 == 0 else b""
        bench.station.receive(PORT, junk + bench.unit.frames(True), bench.now + i)
    counters = bench.station._ports[PORT].receiver.counters
    held = bench.station._ports[PORT].receiver.held
    assert counters.received == counters.framed + counters.discarded_total + held
    assert counters.discarded_total > 0
    bench.station.commit(bench.now + 31)
    assert len(bench.archive.history(1, "uptime")) >= 25


def test_a_subscriber_can_leave(bench: Bench) -> None:
    heard: list[Update] = []
    end = bench.station.subscribe(heard.append)
    bench.step()
    assert heard
    end()
    count = len(heard)
    bench.unit.housekeeping(1, START)
    bench.step()
    assert len(heard) == count


def test_deadline_lets_a_caller_sleep(bench: Bench) -> None:
    """Calling only when data come or the deadline says so is enough for a command to be done."""
    bench.step()
    bench.station.command(1, "ping", now=bench.now)
    for _ in range(20):
        due = bench.station.deadline()
        bench.now = bench.now + 0.5 if due is None else max(bench.now, min(due, bench.now + 0.5))
        bench.station.poll(bench.now)
        bench.unit.feed(bench.station.transmit(PORT, bench.now), bench.now)
        if data := bench.unit.frames(True, 2):
            bench.station.receive(PORT, data, bench.now)
    assert bench.told(CommandChanged)[-1].state == "done"
