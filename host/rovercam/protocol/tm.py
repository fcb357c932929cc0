"""TM transfer frames (132.0-B) and the packets in them (M_PDU, 4.1.4; 133.0-B)."""

from __future__ import annotations

import binascii
from collections import OrderedDict
from dataclasses import dataclass

HEADER = 6
FECF = 2
OCF = 4
NO_START = 0x7FF
ONLY_IDLE = 0x7FE
IDLE_APID = 0x7FF
PACKET_HEADER = 6
VC_LIVE, VC_BULK, VC_IDLE = 0, 1, 7
CHANNELS = (VC_LIVE, VC_BULK, VC_IDLE)
_STREAMS = 64  # virtual channels of all spacecraft kept at a time; more than these would be noise


@dataclass(frozen=True, slots=True)
class Header:
    scid: int
    vcid: int
    has_ocf: bool
    mc_count: int
    vc_count: int
    first_header: int


def check(frame: bytes) -> Header | None:
    """The header of a transfer frame whose FECF and fixed fields are right, else None."""
    if len(frame) < HEADER + FECF or frame[0] & 0xC0 or frame[4] & 0xF8 != 0x18:
        return None
    vcid = frame[1] >> 1 & 7
    if vcid not in CHANNELS or binascii.crc_hqx(frame, 0xFFFF):
        return None
    return Header(
        (frame[0] << 8 | frame[1]) >> 4, vcid, bool(frame[1] & 1), frame[2], frame[3], (frame[4] & 7) << 8 | frame[5]
    )


def data_end(frame: bytes, header: Header) -> int:
    """Index behind the data field."""
    return len(frame) - FECF - (OCF if header.has_ocf else 0)


def control_word(frame: bytes, header: Header) -> int | None:
    """The operational control field."""
    return int.from_bytes(frame[-6:-2], "big") if header.has_ocf else None


def self_contained(frame: bytes, header: Header) -> bool:
    """Whether the frame's packets end with it (at most the tail of an idle packet is left over): true of every shortened frame."""
    end = data_end(frame, header)
    if header.first_header == ONLY_IDLE:
        return not any(frame[HEADER:end])
    at = HEADER + header.first_header
    if at >= end:
        return False
    while at + PACKET_HEADER <= end:
        idle = (frame[at] & 7) << 8 | frame[at + 1] == IDLE_APID
        at += (frame[at + 4] << 8 | frame[at + 5]) + 7
        if at == end:
            return True
        if at > end:
            return idle and at - end < 7
    return frame[at] & 7 == 7  # the header of an idle packet itself is cut


class Depacketizer:
    """Packets out of the frames of all virtual channels. Memory is bounded by the 65542 bytes of one packet per channel."""

    def __init__(self) -> None:
        self._streams: OrderedDict[tuple[int, int], tuple[int, bytes]] = OrderedDict()
        self._master: OrderedDict[int, int] = OrderedDict()
        self.lost_frames = 0  # from the master channel count
        self.idle_packets = 0
        self.broken_packets = 0  # begun, and the frame that held the rest was lost

    def frame(self, frame: bytes, header: Header) -> tuple[list[bytes], int]:
        """(complete packets that are not idle, frames lost before this one by the master channel count)."""
        last = self._master.get(header.scid)
        lost = 0 if last is None else (header.mc_count - last - 1) & 0xFF
        if last is None and len(self._master) >= _STREAMS:
            self._master.popitem(last=False)
        self._master[header.scid] = header.mc_count
        self.lost_frames += lost
        packets: list[bytes] = []
        if header.vcid == VC_IDLE:
            return packets, lost
        key = (header.scid, header.vcid)
        expected, partial = self._streams.pop(key, (header.vc_count, b""))
        if expected != header.vc_count:
            if partial:
                self.broken_packets += 1
            partial = b""
        end = data_end(frame, header)
        first = header.first_header
        data = frame[HEADER:end]
        if first == NO_START:
            partial = partial + data if partial else b""
            at = len(data)
        else:
            at = min(first, len(data)) if first != ONLY_IDLE else len(data)
            if partial:
                self._packet(partial + data[:at], packets)
            partial = b""
        while at < len(data):
            left = len(data) - at
            length = (data[at + 4] << 8 | data[at + 5]) + 7 if left >= PACKET_HEADER else left + 1
            if length > left:
                partial = data[at:]
                break
            self._packet(data[at : at + length], packets)
            at += length
        if len(partial) >= PACKET_HEADER and first == NO_START and len(partial) >= (partial[4] << 8 | partial[5]) + 7:
            self._packet(partial, packets)  # its end met the end of the frame
            partial = b""
        if len(self._streams) >= _STREAMS:
            self._streams.popitem(last=False)
        self._streams[key] = ((header.vc_count + 1) & 0xFF, partial)
        return packets, lost

    def _packet(self, packet: bytes, out: list[bytes]) -> None:
        if len(packet) < PACKET_HEADER or len(packet) != (packet[4] << 8 | packet[5]) + 7:
            self.broken_packets += 1
        elif (packet[0] & 7) << 8 | packet[1] == IDLE_APID:
            self.idle_packets += 1
        else:
            out.append(packet)
