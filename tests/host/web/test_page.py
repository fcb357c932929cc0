"""What the page's header says of a unit."""

import pytest

pytest.importorskip("nicegui", reason="rovercam[web]")

from rovercam.web.console.page import _heard


@pytest.mark.parametrize(
    ("quiet", "asleep", "kind", "text"),
    [
        (3.0, False, "ok", "heard"),
        (30.0, False, "warn", "silent for 30 s"),
        (30.0, True, "ok", "heard 30 s ago"),
        (90.0, False, "bad", "silent for 90 s"),
        (90.0, True, "warn", "silent for 90 s"),
        (600.0, True, "bad", "silent for 10 min"),
    ],
)
def test_one_that_sleeps_may_be_silent_for_longer(quiet: float, asleep: bool, kind: str, text: str) -> None:
    assert _heard(quiet, asleep) == f"<span class='chip {kind}'>{text}</span>"
