"""Monitoring, event-action, on-board store, sequences, files, progress: real firmware on the emulated Pico, one unit for all."""

import pytest
from rovercam.dictionary import encode_command, load
from rovercam.protocol import pus, sequences
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import filesystem
from rovercam_hil.clock.session import Gate

D = load()
SEQUENCE = """
# three pings, the last one late
2   ping
4   point_mast pan=12.5
500 ping
"""


def packet(name, **arguments):
    command = D.commands[name]
    return pus.build_command(D.apid(1), 7, command.service, command.subtype, encode_command(command, arguments, D))


@pytest.fixture(scope="module")
def flight(micropython_image, tmp_path_factory):
    extra = {"/q/test": sequences.pack(SEQUENCE, D, 1), "/q/bad": sequences.pack(SEQUENCE, D, 1)[:-1] + b"?"}
    down, up = Gate(), Gate()
    with Flight(tmp_path_factory.mktemp("services"), image=micropython_image, extra=extra, down=down, up=up) as running:
        running.gates = (down, up)
        yield running


def test_monitor_reports_a_violation_and_its_end_and_an_action_follows(flight):
    rig = flight.unit.rig
    parameter = D.parameters["bus_voltage"].id
    packed = packet("set_mode", mode="safe")
    assert flight.command("add_monitor", monitor=3, parameter=parameter, repeats=2, low=4500, high=6000).state == "done"
    assert flight.command("add_action", event=D_EVENT["monitor_out"], detail=3, packet=packed).state == "done"
    seen = len(flight.events)
    rig.power.voltage = 3.9
    out = flight.event("monitor_out", 20, since=seen)
    assert out.values["monitor"] == 3
    assert out.values["state"] == "below"
    assert flight.event("mode_changed", since=seen).values["mode"] == "safe"
    rig.power.voltage = 5.0
    assert flight.event("monitor_back", 20, since=seen).values["parameter"] == parameter
    seen = len(flight.answers)
    assert flight.command("list_monitors").state == "done"
    assert flight.answer("monitor_list", since=seen).values["last"]
    assert flight.command("list_actions").state == "done"
    assert flight.command("set_mode", mode="normal").state == "done"


def test_definitions_survive_a_reset_and_can_be_deleted(flight):
    seen = len(flight.events)
    flight.unit.board.reset()
    flight.event("started", since=seen)
    flight.unit.rig.power.voltage = 3.9
    assert flight.event("monitor_out", 30, since=seen).values["monitor"] == 3
    flight.unit.rig.power.voltage = 5.0
    flight.event("monitor_back", 30, since=seen)
    assert flight.command("delete_monitor", monitor=3).state == "done"
    assert flight.command("delete_monitor", monitor=3).reason == "out_of_range"
    assert flight.command("delete_action", event=D_EVENT["monitor_out"], detail=3).state == "done"
    flight.command("set_mode", mode="normal")


def test_sequence_runs_at_its_times_through_the_schedule(flight):
    flight.until(lambda: flight.health()["time_status"] == "synchronised", 60, "the time")
    assert flight.command("run_sequence", sequence="bad").reason == "damaged"
    assert flight.command("run_sequence", sequence="none").reason == "unknown_file"
    seen = len(flight.answers)
    assert flight.command("run_sequence", sequence="test").state == "done"
    flight.answer("connection_test", 10, since=seen)
    flight.run(3)
    assert flight.unit.rig.pan.angle == pytest.approx(12.5, abs=1)
    seen = len(flight.answers)
    assert flight.command("list_schedule").state == "done"
    entry = entries(flight.answer("schedule", since=seen))[0]
    assert flight.command("shift_entry", entry=entry["entry"], shift=-480).state == "done"
    flight.answer("connection_test", 40, since=seen)


def test_a_sequence_is_aborted_and_what_else_is_scheduled_stays(flight):
    assert flight.command("abort_sequence", sequence="test").reason == "out_of_range"
    other, bringing = flight.station.schedule(
        1, int(flight.session.now) + 8, "point_mast", {"pan": -9}, flight.session.now
    )
    assert flight.command("run_sequence", sequence="test").state == "done"
    flight.run(3)
    assert flight.command("abort_sequence", sequence="test").state == "done"
    flight.until(lambda: flight.commands[other.id].state == "done", 20, "the scheduled command")
    assert flight.commands[bringing.id].state == "done"
    assert flight.unit.rig.pan.angle == pytest.approx(-9, abs=1)
    seen = len(flight.answers)
    assert flight.command("list_schedule").state == "done"
    assert not flight.answer("schedule", since=seen).values["items"]


def entries(answer):
    return next(v for v in answer.values.values() if isinstance(v, (list, tuple)))


def test_reports_are_recorded_in_silence_and_retrieved_by_time(flight):
    assert flight.command("set_parameter", parameter="store_after", value=20).state == "done"
    start = flight.session.now
    for gate in flight.gates:
        gate.open = False
    flight.run(100)
    for gate in flight.gates:
        gate.open = True
    seen = len(flight.answers)
    assert flight.command("report_store", timeout=60).state == "done"
    held = flight.answer("store_summary", since=seen).values
    assert start + 15 <= held["oldest"] <= start + 35  # 20 s after the last word of the ground
    assert held["packets"] >= 3 * 100 / 5 - 3 * 7 - 3
    reports = flight.reports
    assert flight.command("retrieve_store", first=int(start + 50), last=int(start + 89), timeout=120).state == "done"
    retrieved = flight.answer("store_retrieved", since=seen).values["packets"]
    assert 3 * 7 <= retrieved <= 3 * 9
    assert flight.reports - reports >= retrieved
    # A reset while nobody is there: what happened just before it is on flash, and recorded from the first report after it on.
    moved, bringing = flight.station.schedule(
        1, int(flight.session.now) + 37, "point_mast", {"pan": 11}, flight.session.now
    )
    flight.until(lambda: flight.commands[bringing.id].state == "done", 20, "the scheduling")
    for gate in flight.gates:
        gate.open = False
    flight.run(40)
    assert flight.unit.rig.pan.angle == pytest.approx(11, abs=1)
    flight.unit.board.reset(watchdog=True)
    flight.run(30)
    for gate in flight.gates:
        gate.open = True
    heard = flight.reports
    flight.until(lambda: flight.reports > heard, 60, "a report: the station sees that the unit was reset")
    events = len(flight.events)
    assert flight.command("retrieve_store", timeout=120).state == "done"
    assert "started" in [e.name for e in flight.events[events:]]
    assert flight.commands[moved.id].state == "done"
    seen = len(flight.answers)
    assert flight.command("report_store", timeout=60).state == "done"
    before = flight.answer("store_summary", since=seen).values["packets"]
    flight.run(15)  # less than store_after: it would record again
    seen = len(flight.answers)
    assert flight.command("report_store", timeout=60).state == "done"
    assert flight.answer("store_summary", since=seen).values["packets"] == before  # the ground is there again
    assert flight.command("delete_store").state == "done"
    assert not [n for n in filesystem.read_all(flight.unit.board.flash_bytes()) if n.startswith("/s/")]


def test_files_are_copied_protected_and_released(flight):
    assert flight.command("copy_file", path="/q/test", target="/q/copy").state == "done"
    files = filesystem.read_all(flight.unit.board.flash_bytes())
    assert files["/q/copy"] == files["/q/test"]
    assert flight.command("protect_file", path="/q/copy").state == "done"
    assert flight.command("delete_file", path="/q/copy").reason == "protected"
    assert flight.command("copy_file", path="/q/test", target="/q/copy").reason == "protected"
    assert flight.command("release_file", path="/q/copy").state == "done"
    assert flight.command("delete_file", path="/q/copy").state == "done"
    for path in ("/key.bin", "/main.py"):
        assert flight.command("delete_file", path=path).reason == "protected"
    assert flight.command("copy_file", path="/key.bin", target="/q/key").reason == "unknown_file"


def test_capture_reports_progress_and_diagnostics_come_ten_times_a_second(flight):
    done = flight.command("capture", camera="pattern", size="qqvga", codec="raw", downlink=False)
    assert "progress" in [s.stage for s in done.stages]
    ids = [D.parameters[n].id for n in ("uptime", "rotation_x", "rotation_y")]
    assert flight.command("create_housekeeping", structure=9, period=1, parameters=ids).state == "done"
    before = flight.unit.board.time
    count = flight.archive.db.execute("select count(*) from packet").fetchone()[0]
    flight.run(3)
    count = flight.archive.db.execute("select count(*) from packet").fetchone()[0] - count
    assert count / (flight.unit.board.time - before) == pytest.approx(10, abs=2)
    assert flight.command("delete_housekeeping", structure=9).state == "done"


D_EVENT = {e.name: e.id for e in D.events.values()}
