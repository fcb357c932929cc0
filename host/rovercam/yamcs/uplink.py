"""The receiving end of Yamcs's telecommand link: CLTUs to frames (231.0-B, 232.0-B), FARM-1 (232.1-B section 6). Sans-IO.

COP-1 is in force twice: between Yamcs and the station, here; and between the station and the unit, whose frames carry
our authentication, which Yamcs does not know.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from rovercam.protocol import tc, tm

POSITIVE_WINDOW = NEGATIVE_WINDOW = 127
IDLE_APID = 0x7FF
CONTROL_CHANNEL = 7


class BadCltu(ValueError):
    """Not a CLTU with one good telecommand frame; the message says where it ends being one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcFrame:
    scid: int
    vcid: int
    bypass: bool
    control: bool
    number: int
    """N(S)."""
    data: bytes


def open_cltu(datagram: bytes) -> TcFrame:
    """The frame in a CLTU, or a bare frame. Raises BadCltu."""
    if not datagram.startswith(tc.START):
        return parse_frame(datagram)
    body = datagram[len(tc.START) :]
    out = bytearray()
    for at in range(0, len(body) - 7, 8):
        block = body[at : at + 8]
        if tc.bch_parity(block[:7]) != block[7] & 0xFE:
            if block == tc.TAIL:
                break
            raise BadCltu(f"codeblock {at // 8}: parity {block[7]:02x}, expected {tc.bch_parity(block[:7]):02x}")
        out += block[:7]
    return parse_frame(bytes(out))


def parse_frame(data: bytes) -> TcFrame:
    """A TC transfer frame version 1, fill behind it dropped. Raises BadCltu."""
    if len(data) < tc.HEADER + tc.FECF:
        raise BadCltu(f"{len(data)} bytes are no telecommand frame")
    length = ((data[2] & 3) << 8 | data[3]) + 1
    if data[0] >> 6 or not tc.HEADER + tc.FECF <= length <= len(data):
        raise BadCltu(f"a frame of version {data[0] >> 6} and {length} bytes in {len(data)}")
    if binascii.crc_hqx(data[:length], 0xFFFF):
        raise BadCltu("the frame's check sequence is wrong")
    return TcFrame(
        scid=(data[0] & 3) << 8 | data[1],
        vcid=data[2] >> 2,
        bypass=bool(data[0] & 0x20),
        control=bool(data[0] & 0x10),
        number=data[4],
        data=data[tc.HEADER : length - tc.FECF],
    )


def packets(data: bytes) -> list[bytes]:
    """Whole space packets one behind the other. Raises BadCltu."""
    found = []
    while data:
        length = 7 + int.from_bytes(data[4:6], "big") if len(data) > 6 else 0
        if not 7 <= length <= len(data):
            raise BadCltu(f"a packet of {length or '?'} bytes in {len(data)}")
        found.append(data[:length])
        data = data[length:]
    return found


class Farm:
    """FARM-1 of one unit's virtual channel."""

    def __init__(self, vcid: int = 0):
        self.vcid = vcid
        self.expected = 0
        """V(R)."""
        self.lockout = self.wait = self.retransmit = False
        self._bypassed = 0

    def receive(self, frame: TcFrame, room: bool = True) -> bool:
        """Whether the frame's data are to be taken; room: False makes the sender wait."""
        if frame.bypass:
            self._bypassed = (self._bypassed + 1) & 3
            if frame.control:
                self._control(frame.data)
            return not frame.control
        ahead = (frame.number - self.expected) & 0xFF
        if self.lockout:
            return False
        if ahead == 0:
            self.wait = self.retransmit = not room
            if room:
                self.expected = (self.expected + 1) & 0xFF
            return room
        if ahead <= POSITIVE_WINDOW:
            self.retransmit = True
        elif ahead < 256 - NEGATIVE_WINDOW:
            self.lockout = True
        return False

    def _control(self, data: bytes) -> None:
        if data == tc.UNLOCK:
            self.lockout = self.wait = self.retransmit = False
        elif len(data) == 3 and data[:2] == tc.set_vr(0)[:2] and not self.lockout:
            self.expected = data[2]
            self.wait = self.retransmit = False

    def has_room(self) -> None:
        self.wait = False

    @property
    def word(self) -> int:
        """The CLCW (232.0-B 4.2.1)."""
        flags = self.lockout << 13 | self.wait << 12 | self.retransmit << 11
        return 1 << 24 | self.vcid << 18 | flags | self._bypassed << 9 | self.expected


class ControlFrames:
    """TM frames (132.0-B) that carry nothing but a control word."""

    def __init__(self, scid: int, length: int):
        self._scid = scid
        self._length = length
        self._count = 0

    def make(self, word: int) -> bytes:
        head = bytearray((self._scid << 4 | CONTROL_CHANNEL << 1 | 1).to_bytes(2, "big"))
        head += bytes((self._count, self._count)) + (0x1800 | tm.ONLY_IDLE).to_bytes(2, "big")
        self._count = (self._count + 1) & 0xFF
        body = head + bytes(self._length - len(head) - tm.OCF - tm.FECF) + word.to_bytes(4, "big")
        return bytes(body + binascii.crc_hqx(bytes(body), 0xFFFF).to_bytes(2, "big"))
