"""A second unit behind a rover's short-range radio: real firmware on two emulated boards, one station, one virtual clock.

All of it: pytest tests/hil/test_radio.py -m "slow or not slow"
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from pathlib import Path

import pytest
from rovercam.archive import Archive
from rovercam.keys import KeyStore
from rovercam.protocol.codeblock import pseudo_random
from rovercam.station import updates
from rovercam.station.core import Station
from rovercam.station.relayed import FRAME, RadioPort
from rovercam_hil.boards import filesystem
from rovercam_hil.boards.unit import make_unit
from rovercam_hil.clock.session import Session
from rovercam_hil.devices.radio import RadioBridge
from rovercam_hil.line import LineSpec, Link
from rovercam_hil.mission.remote import AIR_BAUD, CONFIG, Gate, in_rover_store
from rovercam_hil.relay.contacts import Contact, Plan

ROVER, REMOTE = 1, 2


class Pair:
    """Rover and remote, both awake, the radio on."""

    def __init__(self, folder: Path, image: Path, air: str = "") -> None:
        self.rover = make_unit(unit=ROVER, image=image)
        self.remote = make_unit(unit=REMOTE, image=image, baud=AIR_BAUD, config=CONFIG)
        keys = KeyStore(folder / "keys")
        for unit in (self.rover, self.remote):
            keys.put(unit.number, unit.key)
        self.archive = Archive(folder / "archive.db")
        self.station = Station(self.archive, keys, now=1.6e9, set_clocks=True)
        self.session = Session(self.station, start=1.6e9)
        self.gates = [Gate(lambda: self.session.start) for _ in range(2)]
        self.session.add(self.rover.board, "line", *self.gates)
        self.air = Link(LineSpec.parse(air, baud=AIR_BAUD))
        assert self.rover.rig is not None
        self.session.join(self.rover.rig.radio, self.remote.board, self.air.down, self.air.up)
        self.heard: list[updates.Update] = []
        self.station.subscribe(self.heard.append)
        self.rover.board.power_on()
        self.telemetry(ROVER)
        self.command(ROVER, "set_profile", profile=11)
        self.command(ROVER, "start_radio")
        self.remote.board.power_on()
        self.telemetry(REMOTE)

    def telemetry(self, unit: int) -> None:
        self.heard.clear()
        self.session.run_until(
            lambda: any(isinstance(u, updates.Telemetry) and u.unit == unit for u in self.heard), 60, "telemetry"
        )

    def send(self, unit: int, name: str, **arguments: object) -> int:
        return self.station.command(unit, name, arguments, self.session.now).id

    def command(self, unit: int, name: str, **arguments: object) -> updates.CommandChanged:
        number = self.send(unit, name, **arguments)

        def end() -> updates.CommandChanged | None:
            found = (u for u in self.heard if isinstance(u, updates.CommandChanged) and u.id == number and u.ended)
            return next(found, None)

        self.session.run_until(lambda: end() is not None, 60, name)
        ended = end()
        assert ended is not None
        assert ended.state == "done", ended
        return ended

    def picture_down(self, timeout: float = 200.0) -> updates.PictureChanged:
        def down() -> updates.PictureChanged | None:
            found = (u for u in self.heard if isinstance(u, updates.PictureChanged) and u.unit == REMOTE)
            return next((u for u in found if u.state == "down"), None)

        self.session.run_until(lambda: down() is not None, timeout, "the picture")
        found = down()
        assert found is not None
        return found

    def bit_exact(self, picture: updates.PictureChanged) -> bool:
        """What the ground has against what lies on the remote unit's flash."""
        on_board = filesystem.read_all(self.remote.board.flash_bytes())
        layers = [la for la in self.archive.layers(picture.product) if la["layer"] >= 0]
        return bool(layers) and all(
            self.archive.content(la["transfer"]) == on_board[f"/p/{picture.number:04d}.{la['layer']}"] for la in layers
        )

    def store_empties(self) -> bool:
        """Within a minute nothing is left in the rover's store."""
        for _ in range(60):
            self.session.run(1.0)
            if in_rover_store(self.rover) == 0:
                return True
        return False

    def close(self) -> None:
        self.rover.board.close()
        self.remote.board.close()
        self.archive.close()


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path, micropython_image: Path) -> Iterator[Pair]:
    made = Pair(tmp_path, micropython_image, getattr(request, "param", ""))
    yield made
    made.close()


@pytest.mark.parametrize("pair", ["ber=1e-4,seed=3"], indirect=True)
def test_a_picture_of_the_remote_arrives_bit_exact_over_a_noisy_radio(pair: Pair) -> None:
    assert pair.station.link(REMOTE).port == "radio of unit 1"
    part = {"format": "grey", "codec": "raw", "x": 80, "y": 60, "width": 96, "height": 96}
    pair.send(REMOTE, "capture", camera="mast", size="qvga", **part)
    picture = pair.picture_down()
    assert picture.unit == REMOTE
    assert pair.bit_exact(picture)
    assert pair.store_empties(), "what is down is deleted"
    assert pair.air.down.line.counters.corrupted > 0


@pytest.mark.slow
def test_contact_lost_in_the_middle_the_rest_waits_in_the_rover(pair: Pair) -> None:
    store_after = pair.station.dictionary.parameters["store_after"].id
    pair.command(ROVER, "set_parameter", parameter=store_after, value=5)
    start = pair.session.now
    passes = [Contact(source="r", target="g", start=start + a, end=start + b, rate=8e4) for a, b in ((0, 4), (40, 400))]
    for gate in pair.gates:
        gate.plan = Plan(passes)
    pair.send(REMOTE, "capture", camera="mast", size="vga", format="jpeg")
    pair.session.run(39.0)
    assert in_rover_store(pair.rover) > 10_000
    assert not any(isinstance(u, updates.PictureChanged) and u.state == "down" for u in pair.heard)
    assert pair.bit_exact(pair.picture_down())
    assert pair.gates[0].lost > 0, "the line was not shut"


@pytest.mark.slow
@pytest.mark.parametrize("after", [2.0, 4.5, 6.0, 8.0])
def test_the_rover_is_reset_in_the_middle(pair: Pair, after: float) -> None:
    pair.send(REMOTE, "capture", camera="mast", size="vga", format="jpeg")
    pair.session.run(after)
    pair.rover.board.reset()
    assert pair.bit_exact(pair.picture_down(400.0))
    assert pair.store_empties()


def test_a_rover_without_the_radios_bridge_says_so(tmp_path: Path, micropython_image: Path) -> None:
    from rovercam_hil.bench.flight import Flight

    unit = make_unit(image=micropython_image)
    assert unit.rig is not None
    unit.rig.radio.inject("absent")
    with Flight(tmp_path, unit=unit) as flight:
        ended = flight.command("start_radio")
    assert (ended.state, "unsupported" in ended.reason) == ("failed", True), ended


# ------------------------------------------------------------------------------------------------------------ the parts
def frame(unit: int, channel: int, count: int) -> bytes:
    """A TM frame of 255 bytes with an idle packet, built here by 132.0-B and 133.0-B."""
    word = (0x100 + unit) << 4 | channel << 1
    body = word.to_bytes(2) + bytes([count, count, 0x18, 0]) + b"\x07\xff\xc0\x00" + (FRAME - 8 - 7).to_bytes(2)
    body += bytes(FRAME - 2 - len(body))
    return body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2)


def test_the_stations_port_takes_good_frames_and_counts_the_rest() -> None:
    port = RadioPort(1)
    wrong = bytearray(frame(2, 1, 1))
    wrong[100] ^= 4
    found = list(port.frames(frame(2, 1, 0) + bytes(wrong) + frame(3, 7, 2) + b"rest", 0x100))
    assert [(f.unit, f.channel) for f in found] == [(2, 1), (3, 7)]
    assert port.bad == FRAME + 4


def test_bytes_for_the_radio_are_cut_into_packets_that_fit_and_keep_their_order() -> None:
    port = RadioPort(1)
    data = bytes(range(256)) * 5
    packets = [*port.packets(0x113, data[:1000], secured=True), *port.packets(0x113, data[1000:], secured=True)]
    assert b"".join(p[6:] for p in packets) == data
    assert [(p[2] & 0x3F) << 8 | p[3] for p in packets] == list(range(len(packets)))
    assert max(map(len, packets)) <= 512 - 29


class _Clocked:
    """What a bridge needs of a board: the time."""

    time = 0.0


def bridge(baud: int = 230400, *, flow: bool = True) -> RadioBridge:
    chip = RadioBridge(buffer=300)
    chip.board = _Clocked()  # type: ignore[assignment]
    chip.power_on()
    divisor = 14_745_600 // (16 * baud)
    for register, value in (
        (3, 0x83),
        (0, divisor),
        (1, 0),
        (3, 0xBF),
        (2, 0xD0 if flow else 0x10),
        (3, 3),
        (4, 4),
        (6, 0x6F),
    ):
        put(chip, register, value)
    return chip


def put(chip: RadioBridge, register: int, value: int) -> None:
    chip.selected()
    chip.exchange(register << 3)
    chip.exchange(value)


def get(chip: RadioBridge, register: int, n: int = 1) -> list[int]:
    chip.selected()
    chip.exchange(0x80 | register << 3)
    return [chip.exchange(0) for _ in range(n)]


def test_the_bridge_stops_the_modem_at_60_bytes_and_lets_it_go_on_at_24() -> None:
    chip = bridge()
    chip.give(bytes(range(200)), [0.001 * k for k in range(200)])
    chip.board.time = 1.0
    assert get(chip, 9) == [60]
    assert (chip.held, chip.overflows) == (140, 0)
    assert get(chip, 0, 30) == list(range(30))
    chip.board.time = 1.1
    assert get(chip, 9) == [30], "above the resume level nothing more comes"
    assert get(chip, 0, 10) == list(range(30, 40))
    chip.board.time = 1.2
    assert get(chip, 9) == [60]
    assert get(chip, 0, 60) == list(range(40, 100))


def test_what_the_modem_cannot_hold_is_lost_and_counted() -> None:
    chip = bridge()
    chip.give(bytes(500), [0.0] * 500)
    assert (chip.held, chip.overflows) == (300, 200)


def test_without_flow_control_a_slow_reader_loses_bytes() -> None:
    chip = bridge(flow=False)
    chip.give(bytes(200), [0.0] * 200)
    chip.board.time = 1.0
    assert get(chip, 9) == [64]
    assert chip.overflows == 136


def test_bytes_out_leave_at_the_baud_rate() -> None:
    chip = bridge()
    chip.selected()
    chip.exchange(0)
    for byte in b"hello":
        chip.exchange(byte)
    assert get(chip, 8) == [59]
    data, times = chip.take()
    assert data == b"hello"
    assert times == pytest.approx([10 / 230400 * (k + 1) for k in range(5)])


def test_the_randomiser_of_the_firmware_is_the_stations() -> None:
    """The rover undoes it before the check sequence; both ends' sequences begin alike (131.0-B 10.4)."""
    assert pseudo_random(8).tobytes().hex() == "ff480ec09a0d70bc"
