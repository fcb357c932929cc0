"""Watchdog, safe mode, sleep, kept tables and tracebacks: real firmware on the emulated Pico, one unit for all."""

import shutil

import pytest
from rovercam import places
from rovercam_hil.bench.flight import Flight
from rovercam_hil.boards import filesystem

# A command that kills the task of file transfers, and one that fails in a way nobody expects.
BROKEN = """
from rover import dictionary as d
def execute(app, key, args):
    if app.pool.get(d.P_GROUND_SILENCE) == 121:
        raise ValueError("odd")
    app._tasks[5].cancel()
"""


@pytest.fixture(scope="module")
def flight(micropython_image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("health")
    firmware = folder / "firmware"
    shutil.copytree(places.firmware_dir(), firmware)
    (firmware / "rover" / "services" / "test.py").write_text(BROKEN)
    with Flight(folder, image=micropython_image, firmware=firmware) as running:
        yield running


def test_watchdog_resets_when_a_task_dies_and_three_times_lead_into_safe_mode(flight):
    for number in (1, 2, 3):
        seen = len(flight.events)
        resets = flight.unit.board.resets
        assert flight.command("ping").state == "done"
        flight.until(lambda r=resets: flight.unit.board.resets > r, 12, "the watchdog's reset")
        assert flight.event("started", since=seen).values["cause"] == "watchdog"
        assert flight.health()["failed_starts"] == number
    assert flight.event("mode_changed", since=seen).values == {"mode": "safe", "reason": "resets"}


def test_safe_mode_refuses_what_moves_or_draws_power_and_takes_everything_else(flight):
    for name, arguments in (("capture", {}), ("point_mast", {"pan": 1.0})):
        failed = flight.command(name, **arguments)
        assert (failed.state, failed.reason) == ("failed", "wrong_mode")
    assert flight.command("report_time").state == "done"
    assert flight.command("set_parameter", parameter="keep_alive_period", value=3).state == "done"
    flight.run(62)
    assert flight.health()["mode"] == "safe"
    assert flight.command("set_mode", mode="normal").state == "done"
    assert flight.health()["failed_starts"] == 0
    assert flight.command("point_mast", pan=1.0).state == "done"


def test_unexpected_error_leaves_its_traceback_and_says_so_at_the_next_start(flight):
    seen = len(flight.events)
    flight.command("set_parameter", parameter="ground_silence", value=121)
    assert flight.command("ping").reason == "internal_error"
    assert flight.event("task_failed", since=seen).values["error"] == "ValueError('odd',)"
    assert b"ValueError: odd" in filesystem.read_all(flight.unit.board.flash_bytes())["/t/exception"]


def test_asked_for_restart_keeps_time_and_parameters_and_is_no_failure(flight):
    seen = len(flight.events)
    assert flight.command("restart").state == "done"
    flight.event("started", since=seen)
    flight.event("exception_stored", since=seen)
    step = flight.event("time_set", 100, since=seen).values["step"]
    assert abs(step) < 10_000  # milliseconds: the time was kept over the reset
    health = flight.health()
    assert (health["failed_starts"], health["mode"]) == (0, "normal")
    assert flight.command("report_parameters", parameters=["keep_alive_period"]).state == "done"
    assert flight.answer("parameter_values").values


def test_resets_that_nobody_hears_do_not_lose_the_time(flight):
    """Each start goes on from what the one before it kept, though the ground has not set the clock between."""
    board = flight.unit.board
    for _ in range(2):
        board.run(100)
        board.reset(watchdog=True)
    board.run(20)
    board.read()
    flight.session.elapsed = board.time
    seen = len(flight.events)
    assert abs(flight.event("time_set", 100, since=seen).values["step"]) < 2 * 7_000


def test_dormancy_sleeps_at_night_and_wakes_above_both_limits(flight):
    board, rig = flight.unit.board, flight.unit.rig
    rig.power.voltage, rig.power.current, rig.weather.temperature = 25.0, 3.0, -80.0
    flight.command("set_parameter", parameter="wake_power", value=50.0)
    seen = len(flight.events)
    flight.command("set_parameter", parameter="dormancy", value=1)
    assert flight.event("mode_changed", 40, since=seen).values == {"mode": "sleep", "reason": "power"}
    board.run(0)
    reports = flight.reports
    flight.run(300)
    assert 5 * 3 - 3 <= flight.reports - reports <= 7 * 3  # a round may have been under way
    assert flight.command("capture").reason == "wrong_mode"  # commanding works all night
    rig.weather.temperature = -10.0
    seen = len(flight.events)
    assert flight.event("mode_changed", 400, since=seen).values["mode"] == "normal"
    flight.command("set_parameter", parameter="dormancy", value=0)


def test_damaged_table_is_replaced_by_its_second_copy(flight):
    board = flight.unit.board
    flight.command("set_parameter", parameter="keep_alive_period", value=4)
    flight.command("set_parameter", parameter="ground_silence", value=300)
    files = filesystem.read_all(board.flash_bytes())
    copies = {n: files[n] for n in ("/t/parameters.0", "/t/parameters.1")}
    newest = max(copies, key=lambda n: copies[n][:2])
    flipped = bytearray(copies[newest])
    flipped[-4] ^= 0x10
    board.power_off()
    board._flash[filesystem.OFFSET :] = filesystem.with_files(board.flash_bytes(), {newest: bytes(flipped)})
    seen = len(flight.events)
    flight.start()
    assert flight.event("table_damaged", since=seen).values == {"table": "parameters", "copies": 1}
    flight.run(1)
    now = filesystem.read_all(board.flash_bytes())
    assert now[newest] != bytes(flipped)
    assert flight.health()["tables_damaged"] == 1
    # the second copy is one change behind
    flight.command("report_parameters", parameters=["keep_alive_period", "ground_silence"])
    values = flight.answer("parameter_values", since=len(flight.answers) - 1).values
    assert "4" in str(values)


def test_the_prompt_is_not_bitten_by_the_watchdog(flight):
    board = flight.unit.board
    resets = board.resets
    assert board.exec("print(6 * 7)") == "42\n"  # Control-C into the running application
    board.run(20)
    assert board.resets == resets
    assert board.exec("print(6 * 7)") == "42\n"
