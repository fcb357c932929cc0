"""Several faults at once, drawn by chance: the unit always comes back, and every fault that shows is named in an event."""

import pytest
from rovercam_hil.suite.randomfaults import run_scenario

pytestmark = pytest.mark.cost(35)


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        count = metafunc.config.getoption("--fault-scenarios")
        metafunc.parametrize("scenario", range(count))


def test_random_faults(unit, ground, power, scenario, request, evidence):
    seed = request.config.getoption("--seed")
    plan = run_scenario(unit, ground, power, f"{seed}/{scenario}")
    evidence.value("faults", ", ".join(plan))
