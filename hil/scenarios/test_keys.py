"""A unit's key is changed over the line; interrupted anywhere, one key still commands the unit, and the old one does not come back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rovercam.archive import Archive
from rovercam.keys import NONCE_BYTES, Key, KeyStore
from rovercam.protocol import pus, tc
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.line import LineSpec, Link

pytestmark = pytest.mark.cost(35)


class Pair:
    """A unit and its ground, which can be killed."""

    def __init__(self, folder: Path, options: Any, insecure: bool = False, ground_insecure: bool = False):
        self.folder = folder
        self.ground_insecure = ground_insecure
        self.unit = make_unit(
            unit=1, seed=options.seed, bare=True, image=options.image, firmware=options.firmware,
            config={"insecure": True} if insecure else {},
        )  # fmt: skip
        self.keys = KeyStore(folder / "keys")
        self.keys.put(1, self.unit.key)
        self.session = Session(None)  # type: ignore[arg-type]  # the station needs the session's time
        self.told: list[updates.Update] = []
        self._start()
        line = Link(LineSpec.parse("", seed=options.seed))
        self.session.add(self.unit.board, "unit", line.down, line.up)
        self.unit.board.power_on()
        self.session.run(3)

    def _start(self) -> None:
        self.archive = Archive(self.folder / "archive.db")
        self.station = self.session.station = Station(
            self.archive, self.keys, now=self.session.now, set_clocks=True, insecure=self.ground_insecure
        )
        self.station.subscribe(self.told.append)

    def kill_ground(self) -> None:
        """As a kill -9: what was not committed is gone."""
        self.archive.rollback()
        self.archive.close()
        self._start()
        self.station.attach("unit", self.session.now, 115200)

    def do(self, name: str, timeout: float = 40.0, **arguments: Any) -> None:
        self.session.run_until(lambda: bool(self.station.units()), timeout, "the unit is heard")
        number = self.station.command(1, name, arguments, self.session.now).id
        self.session.run_until(lambda: self._ended(number) == "done", timeout, f"{name} is done")

    def _ended(self, number: int) -> str | None:
        ended = [u for u in self.told if isinstance(u, updates.CommandChanged) and u.id == number and u.ended]
        return ended[-1].state if ended else None

    def forged(self, key: Key, number: int) -> int:
        """A ping under a key, past the station; how many answers it got."""
        packet = pus.build_command(self.station.dictionary.apid(1), 0x3FF, 17, 1, b"", acks=0)
        frame = tc.frame(
            self.station.dictionary.scid(1), packet, bypass=True, key=key.value, number=number, spi=key.index
        )
        before = self._answers()
        self.unit.board.write(tc.cltu(frame))
        self.session.run(2.0)
        return self._answers() - before

    def _answers(self) -> int:
        return sum(isinstance(u, updates.AnswerReceived) and u.name == "connection_test" for u in self.told)

    def close(self) -> None:
        self.unit.board.close()
        self.archive.close()


@pytest.fixture
def pair(bench: Any, tmp_path: Path) -> Iterator[Any]:
    if not bench.options.emulated:
        pytest.skip("needs an emulated board: its key is changed for good")
    made: list[Pair] = []

    def make(**more: bool) -> Pair:
        made.append(Pair(tmp_path, bench.options, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def nonce(seed: int) -> str:
    return random.Random(seed).randbytes(NONCE_BYTES).hex()


def test_new_key_is_taken_and_old_one_refused(pair):
    both = pair()
    old = both.keys.keys(1)[0]
    assert both.forged(old, 5000) == 1
    both.do("rotate_key", nonce=nonce(1))
    both.do("ping")
    new = both.keys.keys(1)
    assert new == [old.next(bytes.fromhex(nonce(1)))]
    assert both.forged(old, 90000) == 0
    both.unit.board.reset()
    both.session.run(3)
    assert both.forged(old, 90001) == 0
    both.do("ping")
    both.do("rotate_key", nonce=nonce(2))
    both.do("ping")
    assert both.keys.keys(1)[0].index == 3


@pytest.mark.parametrize(("who", "after"), [("both", 0.06)])
def test_interrupted(pair, who, after):
    interrupted(pair(), who, after)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.02, 0.04, 0.08, 0.2])
@pytest.mark.parametrize("who", ["ground", "unit", "both"])
def test_interrupted_anywhere(pair, who, after):
    """`pytest hil/scenarios/test_keys.py -m slow`"""
    interrupted(pair(), who, after)


def interrupted(both: Pair, who: str, after: float) -> None:
    """So many seconds after the command was given, the ground is killed, the unit loses power, or both."""
    old = both.keys.keys(1)[0]
    both.do("ping")
    both.station.command(1, "rotate_key", {"nonce": nonce(3)}, both.session.now)
    if after:
        both.session.run(after)
    if who in ("unit", "both"):
        both.unit.board.power_cut()
        both.unit.board.power_on()
    if who in ("ground", "both"):
        both.kill_ground()
    both.session.run(3)
    both.do("ping")
    both.do("rotate_key", nonce=nonce(4))
    both.do("ping")
    (now,) = both.keys.keys(1)
    assert now != old
    assert both.forged(old, 900_000) == 0


def test_insecure_is_seen_in_every_housekeeping_packet(pair):
    """Asked for on both ends, it works, and says so; each structure carries it."""
    both = pair(insecure=True, ground_insecure=True)
    both.do("ping")
    both.session.run(30)
    kept = [u for u in both.told if isinstance(u, updates.Telemetry)]
    assert kept
    assert all(u.values["link_insecure"] for u in kept)
    assert both.station.link(1).insecure
    assert all(s.parameters[0].name == "link_insecure" for s in both.station.dictionary.structures.values())


@pytest.mark.parametrize("which", ["unit", "ground"])
def test_insecure_on_one_end_only_commands_nothing(pair, which):
    both = pair(insecure=which == "unit", ground_insecure=which == "ground")
    both.session.run_until(lambda: bool(both.station.units()), 20.0, "the unit is heard")
    both.station.command(1, "ping", {}, both.session.now)
    both.session.run(10)
    assert both._answers() == 0
    notices = [u.text for u in both.told if isinstance(u, updates.Notice)]
    assert any("insecure" in text for text in notices)
