"""Resets and power cuts at any moment: the unit always comes back, and what was whole stays whole."""

import pytest
from rovercam.station import updates
from rovercam_hil.suite.bench import SAMPLE_PATH

pytestmark = pytest.mark.cost(45)


def settled(unit, ground):
    """The unit is up, commandable, and its products are whole."""
    unit.wait_started(60.0)
    health = ground.telemetry("health", 30.0).values
    assert health["mode"] == "normal"
    return health


def test_power_cuts_during_capture_and_downlink(unit, ground, power, chance, evidence):
    """Cut inside a flash write, at an operation drawn by chance, while a picture is stored and sent."""
    cuts = 2
    for _ in range(cuts):
        ground.queue("capture", size="size_96x96", codec="rate", rate=1.0)
        power.cut_in_flash_write(chance.randrange(1, 40), chance.random())
        try:
            ground.wait("the cut", lambda: not unit.board.powered, 5.0)  # the picture is down after two seconds
        except AssertionError:
            power.cut()
        ground.run(chance.random())
        since = ground.mark()
        unit.mend()
        settled(unit, ground)
        ground.event("started", since, 30.0)
    evidence.value("cuts survived", cuts)
    picture = ground.shoot(size="size_96x96", codec="raw", width=64, height=16)
    assert picture.complete


def test_resets_at_random_moments(unit, ground, power, chance):
    for _ in range(2):
        ground.queue("ping")
        ground.run(chance.uniform(0.0, 1.2))
        power.reset()
        settled(unit, ground)


def test_a_transfer_goes_on_after_a_power_cut(unit, ground, power):
    data = unit.sample()
    since = ground.mark()
    ground.do("downlink_file", path=SAMPLE_PATH)
    ground.wait(
        "some of the file", lambda: any(t.received > 2000 for t in ground.found(updates.TransferChanged, since)), 60
    )
    power.cycle()
    assert ground.get(SAMPLE_PATH, since=since, timeout=120) == data


def test_a_cut_supply_and_back(unit, ground, power):
    """What a real board can do too, with --power-command."""
    since = ground.mark()
    power.cycle(0.5)
    assert ground.event("started", since, 30.0).values["cause"] == "power_on"
