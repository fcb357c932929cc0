"""Blind passes: nothing goes up any more, most of what comes down is noise, and the picture comes in the end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rovercam.archive import Archive
from rovercam.dictionary import encode_command, find
from rovercam.keys import KeyStore
from rovercam.protocol import pus
from rovercam.protocol.downlink import Receiver
from rovercam.protocol.events import PacketReceived
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.pictures import NoPicture, Rendered, render
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.devices import sensor
from rovercam_hil.line import LineSpec, Link
from rovercam_hil.suite.bench import View

PASSES = 5
GOOD = 3  # the pass that is only a little disturbed
REPAIR = 100  # percent of the blocks, as repair blocks, in each pass
LIGHT, HEAVY = "down.burst=0.25,down.burst_len=30", "down.burst=0.9,down.burst_len=300"
SHORT_FRAMES = 2  # the profile for such a line: 259 bytes, no correction: a burst leaves nothing to correct
LAYER = "/p/0001.1"
BASE = 2  # confidence of pixels in base quality; the thumbnail is 1
RELEASE = 12  # seconds from its command to the first pass, by the unit's schedule


class Passes:
    """The downlink: bytes of each pass over the picture's file through the line that this pass has."""

    def __init__(self, apid: int, seed: int) -> None:
        self._apid = apid
        self._receiver = Receiver()
        self._lines = {good: Link(LineSpec.parse(LIGHT if good else HEAVY, seed=seed)).down for good in (False, True)}
        self.clear = True  # before the passes begin
        self.number = 0
        self._clear: tuple[bytearray, list[float]] = bytearray(), []

    def push(self, data: bytes, times: list[float]) -> None:
        for event in self._receiver.feed(data, times[-1]):
            if isinstance(event, PacketReceived) and event.apid == self._apid and event.packet[6] & 0x14 == 0x14:
                self.number += event.packet[14:18] == bytes(4)  # whatever the order, the first byte is the first sent
        if self.clear:
            self._clear[0].extend(data)
            self._clear[1].extend(times)
        else:
            self._lines[self.number == GOOD].push(data, times)

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        found: list[tuple[bytes | bytearray, list[float]]] = [self._clear]
        self._clear = bytearray(), []
        found += [line.pull(until) for line in self._lines.values()]
        bytes_ = sorted((t, b) for data, times in found for b, t in zip(data, times, strict=True))
        return bytes(b for _, b in bytes_), [t for t, _ in bytes_]

    @property
    def corrupted(self) -> float:
        """Share of the bytes of the bad passes that came wrong."""
        counters = self._lines[False].line.counters
        return counters.corrupted / counters.offered


class Up:
    """The uplink, until it is cut."""

    def __init__(self) -> None:
        self.inner = Link(LineSpec.parse("")).up
        self.open = True

    def push(self, data: bytes, times: Any) -> None:
        if self.open:
            self.inner.push(data, times)

    def pull(self, until: float) -> tuple[bytes, list[float]]:
        return self.inner.pull(until)


class Blind:
    """A unit that has taken a picture and not sent it, and its station."""

    def __init__(self, folder: Path, options: Any) -> None:
        self.view = View()
        self.unit = make_unit(
            unit=1, seed=options.seed, image=options.image, firmware=options.firmware, scene=self.view
        )
        keys = KeyStore(folder / "keys")
        keys.put(1, self.unit.key)
        self.session = Session(None)  # type: ignore[arg-type]  # the station needs the session's time
        self.archive = Archive(folder / "archive.db")
        self.station = self.session.station = Station(self.archive, keys, now=self.session.now, set_clocks=True)
        self.told: list[updates.Update] = []
        self.station.subscribe(self.told.append)
        self.down = Passes(self.station.dictionary.apid(1, "cfdp"), options.seed)
        self.up = Up()
        self.session.add(self.unit.board, "unit", self.down, self.up)
        self.unit.board.power_on()
        self.session.run_until(lambda: bool(self.station.units()), 20.0, "the unit is heard")

    def do(self, name: str, timeout: float = 120.0, **arguments: Any) -> None:
        number = self.station.command(1, name, arguments, self.session.now).id
        done = lambda: any(isinstance(u, updates.CommandChanged) and u.id == number and u.ended for u in self.told)  # noqa: E731
        self.session.run_until(done, timeout, f"{name} has ended")

    def schedule(self, name: str, arguments: dict[str, Any], seconds: int) -> None:
        """The unit's own clock starts it."""
        dictionary = self.station.dictionary
        definition = find(dictionary.commands, name, "command")
        data = encode_command(definition, arguments, dictionary)
        packet = pus.build_command(dictionary.apid(1), 1, definition.service, definition.subtype, data, acks=0)
        self.do("insert_schedule", seconds=int(self.session.now) + seconds, packet=packet)

    def finished(self, name: str) -> bool:
        return any(
            isinstance(u, updates.TransferChanged) and u.name == name and u.status == "finished" for u in self.told
        )

    def shown(self) -> Rendered | None:
        """The picture as the station shows it now."""
        product = self.archive.find_product(1, 1)
        try:
            return render(self.archive, product["id"]) if product else None
        except NoPicture:
            return None

    def close(self) -> None:
        self.unit.board.close()
        self.archive.close()


@pytest.fixture
def blind(bench: Any, tmp_path: Path) -> Iterator[Blind]:
    if not bench.options.emulated:
        pytest.skip("needs an emulated board: the line in between is the bench's")
    made = Blind(tmp_path, bench.options)
    yield made
    made.close()


@pytest.mark.slow
def test_a_picture_from_five_passes_of_which_four_are_90_percent_noise(blind: Blind, evidence: Any) -> None:
    """`pytest hil/scenarios/test_blind.py -m slow`: no pass alone is enough; what came is shown before the file is whole."""
    blind.do("set_profile", profile=SHORT_FRAMES)
    blind.do("capture", size="size_96x96", codec="rate", rate=5.0, downlink=False)
    for name in ("/p/0001.m", "/p/0001.0"):  # what the picture is, and its thumbnail, while there is contact
        blind.do("downlink_file", path=name)
        blind.session.run_until(partial(blind.finished, name), 30.0, name)
    # Begun by the unit itself when nobody is heard any more.
    arguments = {"path": LAYER, "cls": "unacknowledged", "repair": REPAIR, "passes": PASSES}
    blind.schedule("downlink_file", arguments, RELEASE)
    blind.up.open = False
    blind.down.clear = False
    shares: dict[int, float] = {}
    parts_shown = 0
    while not blind.finished(LAYER) and blind.down.number <= PASSES and blind.session.elapsed < 60:
        blind.session.run(0.1)
        picture = blind.shown()
        assert picture is not None
        shares[blind.down.number] = float((picture.confidence >= BASE).mean())
        parts_shown += shares[blind.down.number] > 0 and not picture.complete
    for number, share in shares.items():
        evidence.value(f"shown in pass {number}", 100 * share, "% of the picture")
    evidence.value("wrong bytes in the bad passes", 100 * blind.down.corrupted, "%")
    assert blind.finished(LAYER)
    assert blind.down.number >= GOOD, "the bad passes were enough"
    assert blind.down.corrupted > 0.85
    assert parts_shown > 0, "nothing was shown before the file was whole"
    picture = blind.shown()
    assert picture is not None
    assert picture.complete
    truth = sensor.to_yuv(blind.view.picture(0, 96, 96), sensor.Settings())[0]
    error = np.mean((picture.pixels.astype(float) - truth) ** 2)
    assert 10 * np.log10(255**2 / max(float(error), 1e-9)) > 40
