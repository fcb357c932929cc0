"""The firmware's budget: what is 10 % beyond it fails, and says by how much."""

from rovercam_hil.bench.firmware import BUDGET, Figure, compare, read_budget

BUDGET_OF_TEST = {"command": 1000, "heap free after start": 70_000}


def figures(command, heap):
    return [
        Figure("command", command, "cycles"),
        Figure("heap free after start", heap, "bytes"),
        Figure("new", 5, "cycles"),
    ]


def test_within_ten_percent_is_fine():
    assert compare(figures(1099, 63_100), BUDGET_OF_TEST) == []


def test_beyond_is_named_with_its_change():
    assert compare(figures(1101, 70_000), BUDGET_OF_TEST) == ["command: 1101 cycles, budget 1000 (+10 %)"]
    assert compare(figures(1000, 62_000), BUDGET_OF_TEST) == [
        "heap free after start: 62000 bytes, budget 70000 (-11 %)"
    ]


def test_a_figure_that_vanished_is_named():
    assert compare(figures(1000, 70_000)[1:], BUDGET_OF_TEST) == ["command: in the budget, but no longer measured"]


def test_there_is_a_budget():
    assert len(read_budget(BUDGET)) >= 10
