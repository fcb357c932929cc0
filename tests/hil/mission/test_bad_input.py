"""What cannot be flown is said before anything starts, with the reason: the command line of `rovercam demo`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("embreex")

PASS = '[[contact]]\nsource = "rover"\ntarget = "orbiter"\nstart = 2021-06-01T10:00:00Z\nend = 2021-06-01T10:15:00Z\nrate = 32000\n'


def demo(*arguments: str) -> tuple[int, str]:
    import typer
    from rovercam_hil.cli.demo import register

    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["--headless", *arguments])
    return done.exit_code, done.output


@pytest.mark.parametrize("distance", ["3", "40"])
def test_a_release_point_from_which_nothing_can_be_framed(tmp_path: Path, distance: str) -> None:
    code, said = demo("--out", str(tmp_path / "out"), "--distance", distance)
    assert code == 1
    assert f"a release point {distance} m from the platform is impossible" in said
    assert not (tmp_path / "out").exists(), "something was begun"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file"),
        ("this is not toml", "contact plan"),
        ("[other]\n", "expected tables [[contact]]"),
        (PASS.replace("10:15", "09:15"), "it ends at"),
        (PASS.replace('"orbiter"', '"moon"'), "unknown node moon"),
        (PASS.replace("rate = 32000", "rate = 0"), "carries nothing"),
        (PASS.replace("rate", "speed"), "no field speed"),
        (PASS.replace("rate = 32000\n", ""), "rate is missing"),
        (PASS + PASS, "overlap"),
    ],
)
def test_an_impossible_contact_plan(tmp_path: Path, text: str | None, says: str) -> None:
    plan = tmp_path / "plan.toml"
    if text is not None:
        plan.write_text(text, encoding="utf-8")
    code, said = demo("--out", str(tmp_path / "out"), "--contacts", str(plan))
    assert code == 1
    assert says in said
    assert not (tmp_path / "out").exists(), "something was begun"


def test_a_plan_of_ones_own_is_taken(tmp_path: Path) -> None:
    from rovercam_hil.relay.contacts import load

    (tmp_path / "plan.toml").write_text(PASS, encoding="utf-8")
    (contact,) = load(tmp_path / "plan.toml", {"rover", "orbiter"}).contacts
    assert contact.end - contact.start == 900.0
    assert contact.capacity == 900 * 32000 // 8
