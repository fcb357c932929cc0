"""The hand-over's parts without Yamcs: CLTUs and FARM-1 against our own sending end, files against our receiving one."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rovercam.cli import run
from rovercam.dictionary import encode_command, load
from rovercam.dictionary.xtce import NAMESPACE, xtce
from rovercam.protocol import pus, tc, tm
from rovercam.protocol.cfdp import Entity, Finished, MemoryStore
from rovercam.protocol.cop1 import Clcw
from rovercam.protocol.uplink import Accepted, Uplink
from rovercam.station.foreign import StrangePacket, understand
from rovercam.yamcs.files import PDU_OFFSET, Files, PduStream
from rovercam.yamcs.uplink import BadCltu, ControlFrames, Farm, open_cltu, packets

DICTIONARY = load()
SCID = DICTIONARY.scid(1)


def command(name: str, sequence: int = 0, unit: int = 1, **arguments: object) -> bytes:
    definition = DICTIONARY.commands[name]
    data = encode_command(definition, arguments, DICTIONARY)
    return pus.build_command(DICTIONARY.apid(unit), sequence, definition.service, definition.subtype, data)


# ------------------------------------------------------------------------------------------------------------- commands
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_everything_arrives_once_and_in_order(loss: float) -> None:
    """FOP-1 on the other side, frames and control words lost."""
    noise = random.Random(5)
    up, farm, now = Uplink(SCID, None, insecure=True, timer=1.0), Farm(), 0.0
    frames = ControlFrames(SCID, 24)
    sent = [command("ping", n) for n in range(100)]
    for n, packet in enumerate(sent):
        up.send(packet, tag=n)
    taken: list[bytes] = []
    accepted: list[int] = []
    for _ in range(6000):
        now += 0.1
        out = up.poll(now)
        while out:
            end = out.index(tc.TAIL) + len(tc.TAIL)
            if noise.random() >= loss:
                frame = open_cltu(out[:end])
                if farm.receive(frame, room=noise.random() > 0.1):
                    taken += packets(frame.data)
            out = out[end:]
        farm.has_room()
        if noise.random() >= loss:
            made = frames.make(farm.word)
            header = tm.check(made)
            assert header is not None
            word = tm.control_word(made, header)
            assert word is not None
            up.clcw(word, now)
        accepted += [e.tag for e in up.take_events() if isinstance(e, Accepted)]
        if len(accepted) == len(sent):
            break
    assert taken == sent
    assert accepted == list(range(100))


def test_a_frame_far_out_of_step_locks_until_unlocked() -> None:
    farm = Farm()
    frame = lambda number: open_cltu(tc.cltu(tc.frame(SCID, b"x" * 10, ns=number)))  # noqa: E731
    assert farm.receive(frame(0))
    assert not farm.receive(frame(128 + 1))
    word = Clcw.parse(farm.word)
    assert word is not None
    assert word.lockout
    assert not farm.receive(frame(1))
    assert not farm.receive(open_cltu(tc.cltu(tc.frame(SCID, tc.UNLOCK, bypass=True, control=True))))
    assert not farm.receive(open_cltu(tc.cltu(tc.frame(SCID, tc.set_vr(77), bypass=True, control=True))))
    word = Clcw.parse(farm.word)
    assert word is not None
    assert (word.lockout, word.report, word.b_counter) == (False, 77, 2)
    assert farm.receive(frame(77))


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda b: tc.START + b))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadCltu):
        open_cltu(data)


@given(st.integers(0, 200), st.integers(0, 7))
def test_one_wrong_bit_is_noticed(at: int, bit: int) -> None:
    """In a codeblock or the start; the tail's place is known by it being none."""
    good = tc.cltu(tc.frame(SCID, command("ping")))
    bad = bytearray(good)
    at %= len(good) - len(tc.TAIL)
    bad[at] ^= 1 << bit
    if at >= 2 and (at - 2) % 8 == 7 and bit == 0:
        return  # the filler bit says nothing
    with pytest.raises(BadCltu):
        open_cltu(bytes(bad))


def test_packets_are_understood() -> None:
    found = understand(command("point_mast", 5, pan=-12.3, tilt=4.0), DICTIONARY)
    assert (found.unit, found.sequence, found.name) == (1, 5, "point_mast")
    assert found.arguments["pan"] == pytest.approx(-12.3)
    strange = pus.build_command(DICTIONARY.apid(9), 1, 200, 3, b"\x01\x02")
    found = understand(strange, DICTIONARY)
    assert (found.unit, found.name, found.arguments) == (9, "service 200.3", {"data": "0102"})


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"\x18\x00", "2 came"),
        (pus.build_command(5, 0, 17, 1, b""), "no unit"),
        (pus.build_report(272, 0, 3, 25, bytes(20)), "not a PUS-C telecommand"),
        (command("ping") + b"\0", "bytes"),
        (pus.build_command(272, 0, 8, 1, bytes(600)), "carries"),
    ],
)
def test_strange_packets_are_refused(packet: bytes, why: str) -> None:
    with pytest.raises(StrangePacket, match=why):
        understand(packet, DICTIONARY)


# --------------------------------------------------------------------------------------------------------------- files
def test_a_file_goes_to_the_other_end_and_one_comes_back() -> None:
    """Yamcs's place is taken by our own entity of the ground; a quarter of the PDUs is lost both ways."""
    noise = random.Random(2)
    got: list[tuple[int, str, bytes]] = []
    files = Files(
        0, lambda unit, name, data: got.append((unit, name, data)), lambda unit: DICTIONARY.apid(unit, "cfdp")
    )
    store = MemoryStore()
    ground = Entity(0, store)
    data, update = noise.randbytes(20_000), noise.randbytes(5_000)
    files.send(3, "unit3-0001.png", data, 0.0)
    ground.put(3, update, "/update.bin")
    now, arrived = 0.0, b""
    for _ in range(3000):
        now += 0.1
        for packet in files.poll(now, 1 << 16):
            assert pus.parse(packet).time == pytest.approx(now, abs=0.01)
            if noise.random() > 0.25:
                for event in ground.pdu_in(3, packet[PDU_OFFSET:], now):
                    if isinstance(event, Finished) and event.transaction.source == 3:
                        assert event.name == "unit3-0001.png"
                        arrived = store.read(event.transaction, 0, event.size)
        for _, pdu in ground.poll(now, 1 << 16):
            if noise.random() > 0.25:
                files.pdu_in(pdu, now)
        if arrived and got:
            break
    assert arrived == data
    assert got == [(3, "/update.bin", update)]


@given(st.lists(st.integers(1, 90), max_size=40))
def test_pdus_are_cut_out_of_any_pieces(cuts: list[int]) -> None:
    ground = Entity(0, MemoryStore())
    ground.put(3, bytes(3000), "/x")
    expected = [pdu for _, pdu in ground.poll(0.0, 1 << 16)]
    stream, line, found = PduStream(), b"".join(expected), []
    for cut in cuts:
        found += stream.feed(line[:cut])
        line = line[cut:]
    assert found + stream.feed(line) == expected


def test_something_else_on_the_files_port_is_refused() -> None:
    with pytest.raises(ValueError, match="not a stream of PDUs"):
        PduStream().feed(b"GET / HTTP/1.1\r\n")


# ------------------------------------------------------------------------------------------------------------- database
def test_the_database_describes_the_whole_dictionary() -> None:
    root = ET.fromstring(xtce(DICTIONARY, (1, 7)))
    ns = {"x": NAMESPACE}
    for unit in (1, 7):
        system = next(s for s in root.findall("x:SpaceSystem", ns) if s.get("name") == f"unit{unit}")
        named = {p.get("name") for p in system.findall(".//x:Parameter", ns)}
        assert {p.name for s in DICTIONARY.structures.values() for p in s.parameters} <= named
        commands = {c.get("name") for c in system.findall(".//x:MetaCommand", ns)}
        assert {n for n in DICTIONARY.commands if n != "set_parameter"} <= commands
        assert {f"set_parameter_{p.name}" for p in DICTIONARY.parameters.values() if p.settable} <= commands
        apids = {a.get("argumentValue") for a in system.findall(".//x:ArgumentAssignment[@argumentName='apid']", ns)}
        assert apids == {str(DICTIONARY.apid(unit))}
    types = {t.get("name") for t in root.iter() if t.tag.endswith("Type")}
    used = {
        e.get("parameterTypeRef") or e.get("argumentTypeRef")
        for e in root.iter()
        if e.tag.endswith(("}Parameter", "}Argument"))
    }
    assert used <= types
    events = {e.get("label") for e in root.findall(".//x:EnumeratedParameterType[@name='event_id']//x:Enumeration", ns)}
    assert {e.name for e in DICTIONARY.events.values()} <= events


def test_the_export_is_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["yamcs", "export", str(tmp_path), "-u", "1", "-u", "2", "--port", "20000"]) == 0
    capsys.readouterr()
    written = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert written == [
        "etc/events.json", "etc/processor.yaml", "etc/streams.sql", "etc/yamcs.rovercam.yaml", "etc/yamcs.yaml", "mdb/rovercam.xml",
    ]  # fmt: skip
    text = (tmp_path / "etc/yamcs.rovercam.yaml").read_text()
    assert [f"port: {n}" in text for n in (20000, 20001, 20002, 20004, 20005)] == [True] * 5
    assert run(["yamcs", "export", str(tmp_path), "-u", "100"]) == 2
