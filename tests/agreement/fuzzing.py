"""Good frames of every kind and what becomes of them, for test_fuzz_decoders: mutated as a whole, or inside with the fields around it put right.

A frame that is only mutated dies at the first check sequence or length. So most are mutated at some depth, and what encloses that is built anew.
"""

from __future__ import annotations

import binascii
import gc
import random
import struct
import sys
import types
import zlib
from collections.abc import Callable

import zfec
from rovercam.dictionary import load
from rovercam.protocol import cop1, pus, tc, tm
from rovercam.protocol.cfdp import Entity, MemoryStore, RequestError, Settings, TransactionId, pdus, repair, salvage
from rovercam.protocol.cfdp.ranges import SendingOrder
from rovercam.protocol.codeblock import PN
from rovercam.protocol.downlink import Receiver
from rovercam.protocol.events import Fragment
from rovercam.protocol.profiles import LONGEST, MARKER, TABLE
from rovercam_hil.bench.host_link import recording

KEY = bytes(range(32))
SCID = 0x101
PLAIN = TABLE[2]  # one frame of 255 bytes without correction


def mutated(rng: random.Random, good: bytes) -> bytes:
    """Wrong bytes, cut short, grown, or repeated in part."""
    out = bytearray(good)
    for _ in range(rng.randrange(1, 8)):
        kind = rng.randrange(5)
        at = rng.randrange(len(out)) if out else 0
        if kind < 2 and out:
            out[at] ^= rng.randrange(1, 256)
        elif kind == 2:
            del out[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            out[at:at] = out[at : at + rng.randrange(1, 30)]
    return bytes(out)


def held(*roots: object) -> int:
    """Bytes of everything that can be reached from these objects: what a decoder keeps. Classes, functions and modules do not count."""
    code = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.CodeType)
    seen: dict[int, object] = {}
    todo = list(roots)
    total = 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, code):
            continue
        seen[id(one)] = one
        total += sys.getsizeof(one)
        todo += gc.get_referents(one)
    return total


# ---- what the ground decodes: one(rng) is a mutated frame, feed(frame) decodes it, taken counts those that passed all checks ----


class Line:
    """The downlink receiver."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self._random = int.from_bytes(PN[: PLAIN.frame_length].tobytes(), "big")
        self._held: list[bytes] = []
        self._coded = [recording(n, 0.0004, n)[: TABLE[n].line_length] for n in (0, 1, 2, 3, 5)]
        plain = recording(2, 0.003, 7)
        size = PLAIN.line_length
        self._frames = [
            bytes(b ^ p for b, p in zip(plain[i + 4 : i + size], PN.tolist(), strict=False))
            for i in range(0, len(plain), size)
        ]
        self._frames += [
            f[:4] + bytes((0x18 | n >> 8, n & 255)) + f[6:]
            for f, n in zip(self._frames, (0, 9, tm.NO_START, tm.ONLY_IDLE), strict=False)
        ]

    @property
    def taken(self) -> int:
        return self.receiver.counters.frames

    def one(self, rng: random.Random) -> bytes:
        if rng.random() < 0.1:  # in numbers: test_receiver.py
            return mutated(rng, rng.choice(self._coded))
        frame = mutated(rng, rng.choice(self._frames)[:-2]).ljust(PLAIN.frame_length, b"\0")[: PLAIN.frame_length - 2]
        frame += binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "big")
        return MARKER + (int.from_bytes(frame, "big") ^ self._random).to_bytes(len(frame), "big")

    def feed(self, data: bytes) -> None:
        self._held.append(data)
        if len(self._held) < 16:  # as much as a port brings at a time
            return
        data = b"".join(self._held)
        self._held.clear()
        self.receiver.feed(data, 0.0)
        counters = self.receiver.counters
        assert counters.received == counters.framed + counters.discarded_total + self.receiver.held
        assert self.receiver.held <= 2 * LONGEST + len(data) + 8192


def pdus_of(build: pdus.Builder) -> list[bytes]:
    """Of both directions, whole."""
    return [
        build.metadata("/f/x", "/f/y", 100, 0), build.data(0, bytes(50)), build.data(70, bytes(30)), build.eof(0, 100),
        build.eof(0, 100, 15), build.prompt(), build.prompt(True), build.nak(0, 9, [(0, 0), (1, 4)]),
        build.finished(0, True), build.keep_alive(7), build.ack(4, 0, 1), build.ack(5, 0, 1),
    ]  # fmt: skip


def pdu(rng: random.Random, good: bytes, sender: int, number: int, receiver: int) -> bytes:
    """Mutated as a whole; or a right header in front of a mutated body."""
    if rng.random() < 0.3:
        return mutated(rng, good)
    body = mutated(rng, good[pdus.HEADER :])
    first = good[0] ^ (4 if rng.random() < 0.2 else 0)  # now and then the other class
    return struct.pack(">BHBBHB", first, len(body), 1, sender, number, receiver) + body


class _Transfers:
    """What the fuzzers of the file transfer entity share."""

    entity: Entity

    @property
    def taken(self) -> int:
        counters = self.entity.counters
        return counters.pdus_in - counters.pdus_bad - counters.pdus_foreign


class Cfdp(_Transfers):
    """The file transfer entity, files coming and going."""

    def __init__(self) -> None:
        self.entity = Entity(0, MemoryStore(), settings=Settings(largest_file=10_000))
        self._good = pdus_of(pdus.Builder(1, 5, 0))
        self._sent: TransactionId | None = None
        self._fed = 0

    def one(self, rng: random.Random) -> bytes:
        good = rng.choice(self._good)
        if good[0] & 8 and self._sent:
            return pdu(rng, good, 0, self._sent.number, 1)
        return pdu(rng, good, 1, rng.randrange(1, 100), 0)

    def feed(self, data: bytes) -> None:
        self._fed += 1
        now = self._fed / 100
        self.entity.pdu_in(1, data, now)
        if self._fed % 16:
            return
        if not any(m.id == self._sent and m.state != "closed" for m in self.entity.transactions()):
            try:
                self._sent = self.entity.put(1, bytes(1000), "/f/z")
            except RequestError:
                self._sent = None
        for _, out in self.entity.poll(now):
            pdus.parse(out)
        self.entity.events()


class Repair(_Transfers):
    """Repair packets of class 1, solved as far as they let."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.entity = Entity(0, MemoryStore(), settings=Settings(largest_file=30_000))
        self._packets = []
        for size in (250, 3000, 20_000):
            shape = repair.Blocks(size, 100)
            data = rng.randbytes(size).ljust(shape.total * 100, b"\0")
            total = sum(int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 4)) & 0xFFFFFFFF
            for generation in range(shape.generations):
                k = shape.count(generation)
                blocks = [data[i * 100 : i * 100 + 100] for i in range(generation, shape.total, shape.generations)]
                rows = list(range(k, min(k + k, 254)))
                coded = zfec.Encoder(k, 256).encode(blocks, rows)
                for i in range(0, len(rows), 2):
                    head = repair.HEADER.pack(1, 5, size, total, 100, generation, rows[i])
                    self._packets.append(head + b"".join(map(bytes, coded[i : i + 2])))
        self._fed = 0

    def one(self, rng: random.Random) -> bytes:
        good = rng.choice(self._packets)
        how = rng.random()
        if how < 0.3:
            return mutated(rng, good)
        good = good[:1] + rng.randrange(1, 12).to_bytes(2, "big") + good[3:]
        if how < 0.5:
            return mutated(rng, good[: repair.HEADER.size])[: repair.HEADER.size] + good[repair.HEADER.size :]
        if how < 0.55:
            return (
                good[: repair.HEADER.size] + mutated(rng, good[repair.HEADER.size :])[: len(good) - repair.HEADER.size]
            )
        return good

    def feed(self, data: bytes) -> None:
        self._fed += 1
        self.entity.repair_in(1, data, self._fed / 100)


class Digests:
    """Digests of gaps, and the search for their blocks in what came of lost frames."""

    def __init__(self) -> None:
        self._file = random.Random(2).randbytes(2000)
        self._order = SendingOrder(len(self._file))
        self.wanted = 0
        self.taken = 0
        self.salvage = salvage.Salvage(7, self._want)
        self._now = 0.0

    def _want(self, first: int, end: int) -> None:
        assert first < end
        self.wanted += 1

    def one(self, rng: random.Random) -> bytes:
        first = rng.randrange(0, 600)
        end = first + rng.randrange(100, 500)
        block = rng.choice((32, 64, 100, 255))
        checks = [zlib.crc32(self._file[i : min(i + block, end)]) & 0xFFFFFF for i in range(first, end, block)]
        body = b"".join(c.to_bytes(3, "big") for c in checks)
        how = rng.random()
        if how < 0.3:
            return mutated(rng, salvage.HEADER.pack(0, 7, first, end, block) + body)
        if how < 0.6:
            body = mutated(rng, body)
            body = body[: len(body) // 3 * 3]
            end = first + block * (len(body) // 3) - rng.randrange(block)
        return salvage.HEADER.pack(0, 7, first, max(end, 0), block) + body

    def feed(self, data: bytes) -> None:
        self._now += 1.0
        self.salvage.poll(self._now)
        if not self.salvage.requests:
            fragment = Fragment(data=self._file[300:420] + bytes(10), tail=False, now=0.0)
            self.salvage.gap(self._order, 280, 700, [fragment], self._now, 20.0)
        try:
            digest = salvage.parse(data)
        except pdus.PduError:
            return
        self.taken += 1
        for offset, found in self.salvage.answer(self._order, digest):
            assert 0 <= offset < offset + len(found) <= len(self._file)
        self.salvage.requests.clear()


class Reports:
    """PUS reports of every kind in the dictionary."""

    def __init__(self) -> None:
        self._dictionary = load()
        self.taken = 0
        self._kinds: list[tuple[int, int, bytes]] = [(s, t, bytes(60)) for s, t in self._dictionary.reports]
        self._kinds += [(1, t, bytes(8)) for t in range(1, 11)]
        self._kinds += [(3, 25, bytes([n]) + bytes(120)) for n in self._dictionary.structures]
        self._kinds += [(5, n % 4 + 1, bytes([n]) + bytes(40)) for n in self._dictionary.events]

    def one(self, rng: random.Random) -> bytes:
        service, subtype, body = rng.choice(self._kinds)
        apid = self._dictionary.apid(1)
        if rng.random() < 0.3:
            return mutated(rng, pus.build_report(apid, 1, service, subtype, body))
        body = body[:1] + mutated(rng, body[1 : rng.randrange(2, len(body))])
        return pus.build_report(apid, 1, service, subtype, body)

    def feed(self, data: bytes) -> None:
        try:
            pus.decode(pus.parse(data), self._dictionary)
        except pus.PacketError:
            return
        self.taken += 1


class ControlWords:
    """CLCWs, as FOP-1 listens to them."""

    def __init__(self) -> None:
        self.fop = cop1.Fop1(window=16, timer=1.0)
        self.taken = 0
        self._now = 0.0

    def one(self, rng: random.Random) -> bytes:
        word = 0x01000000 | rng.choice((0, 0, 0x400, 0x800, 0x1000, 0x2000)) | self.fop.nn_r + rng.randrange(4) & 0xFF
        return (word ^ (1 << rng.randrange(32)) if rng.random() < 0.5 else word).to_bytes(4, "big")

    def feed(self, data: bytes) -> None:
        fop = self.fop
        for i in range(0, len(data) - 3, 4):
            self._now += 0.3
            if fop.state is cop1.State.INITIAL:
                fop.initiate_set_vr(i, self._now) if self._now % 2 < 1 else fop.initiate(self._now)
            fop.waiting.extend(range(8 - len(fop.waiting)))
            fop.take(self._now)
            word = cop1.Clcw.parse(int.from_bytes(data[i : i + 4], "big"))
            if word is not None:
                self.taken += 1
                fop.clcw(word, self._now)
            fop.expire(self._now)
            assert len(fop.sent) <= fop.window
            fop.acknowledged.clear()
            fop.alerts.clear()


GROUND: dict[str, Callable[[], Line | Cfdp | Repair | Digests | Reports | ControlWords]] = {
    "line": Line, "cfdp": Cfdp, "repair": Repair, "digests": Digests, "reports": Reports, "control words": ControlWords,
}  # fmt: skip


# ---- what the board decodes ----


class Telecommands:
    """CLTUs as the ground sends them: mutated on the line, in the frame, or in the packet of a frame that is authentic."""

    def __init__(self) -> None:
        self._packet = pus.build_command(0x110, 1, 17, 1, b"")
        self._number = 0
        frames = [
            tc.frame(SCID, data, ns=n, bypass=bool(n & 1), control=control, key=key, number=1)
            for n in range(4)
            for data, control in ((self._packet, False), (tc.UNLOCK, True), (tc.set_vr(9), True))
            for key in (KEY, bytes(32))
        ]
        self._frames = frames
        self._coded = [tc.cltu(f) for f in frames]

    def one(self, rng: random.Random) -> bytes:
        how = rng.random()
        if how < 0.4:
            return mutated(rng, rng.choice(self._coded))
        if how < 0.7:
            frame = mutated(rng, rng.choice(self._frames)[:-2])
            head = bytearray(frame.ljust(6, b"\0"))
            if rng.random() < 0.8:
                head[2:4] = (head[2] & 0xFC | (len(head) + 1) >> 8, len(head) + 1 & 0xFF)
            return tc.cltu(bytes(head) + binascii.crc_hqx(head, 0xFFFF).to_bytes(2, "big"))
        self._number += 1
        control = rng.random() < 0.3
        data = rng.choice((tc.UNLOCK, tc.set_vr(rng.randrange(256)))) if control else self._packet
        if rng.random() < 0.7:
            data = mutated(rng, data)
            if not control and rng.random() < 0.5 and len(data) > 6:
                data = data[:4] + (len(data) - 7).to_bytes(2, "big") + data[6:]
        bypass = control or rng.random() < 0.5
        ns = self._number & 0xFF
        return tc.cltu(tc.frame(SCID, data[:400], ns=ns, bypass=bypass, control=control, key=KEY, number=self._number))


class Files:
    """PDUs and digest requests for the unit's entity."""

    def __init__(self) -> None:
        self._up = pdus_of(pdus.Builder(0, 1, 1))
        self._down = pdus_of(pdus.Builder(1, 1, 0))

    def one(self, rng: random.Random) -> bytes:
        number = rng.randrange(1, 8)
        if rng.random() < 0.15:
            request = salvage.REQUEST.pack(number, rng.randrange(3000), rng.randrange(4000), rng.randrange(256))
            return b"\1" + (mutated(rng, request) if rng.random() < 0.3 else request)
        if rng.random() < 0.5:
            good = rng.choice([p for p in self._down if p[0] & 8])
            return b"\0" + pdu(rng, good, 1, number, 0)
        return b"\0" + pdu(rng, rng.choice(self._up), 0, number, 1)


class Commands:
    """Arguments of every telecommand, after their key in the board's table (service, subtype, function)."""

    def __init__(self) -> None:
        self._keys = [c.service << 16 | c.subtype << 8 | (c.function or 0) for c in load().commands.values()]

    def one(self, rng: random.Random) -> bytes:
        key = rng.choice(self._keys).to_bytes(4, "big")
        size = rng.randrange(60)
        data = rng.choice((bytes, lambda n: b"\1" * n, rng.randbytes))(size)
        return mutated(rng, key + data).ljust(4, b"\0") if rng.random() < 0.2 else key + mutated(rng, data)
