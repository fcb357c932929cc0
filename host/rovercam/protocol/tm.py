"""TM transfer frames (132.0-B) and the packets in them (M_PDU, 4.1.4; 133.0-B)."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


_make = tuple.__new__  # of a named tuple, without its own constructor's call


class Header(NamedTuple):
    """Of a frame; a named tuple, for there are many."""

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
    if vcid not in CHANNELS or not whole(frame):
        return None
    return Header(
        (frame[0] << 8 | frame[1]) >> 4, vcid, bool(frame[1] & 1), frame[2], frame[3], (frame[4] & 7) << 8 | frame[5]
    )


def headers(frames: NDArray[np.uint8]) -> list[Header | None]:
    """Of many frames, (n, length): None where fixed fields are wrong. The check sequence is not looked at; see whole()."""
    top = frames[:, :HEADER].astype(np.int32)
    word = top[:, 0] << 8 | top[:, 1]
    vcid = word >> 1 & 7
    good = (top[:, 0] & 0xC0 == 0) & (top[:, 4] & 0xF8 == 0x18) & np.isin(vcid, CHANNELS)
    first = (top[:, 4] & 7) << 8 | top[:, 5]
    columns = (word >> 4, vcid, (word & 1).astype(bool), top[:, 2], top[:, 3], first)
    rows = zip(*(c.tolist() for c in columns), strict=True)
    return [_make(Header, row) if fine else None for fine, row in zip(good.tolist(), rows, strict=True)]


def whole(frame: bytes) -> bool:
    """Whether the check sequence is right."""
    return not binascii.crc_hqx(frame, 0xFFFF)


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


@dataclass(slots=True)
class _Stream:
    """One virtual channel of one spacecraft: the count due next, a packet begun, frames so far."""

    expected: int
    partial: bytes = b""
    used: int = 0


class Depacketizer:
    """Packets out of the frames of all virtual channels. Memory is bounded by the 65542 bytes of one packet per channel."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}  # by spacecraft id and virtual channel
        self._master: dict[int, int] = {}
        self.lost_frames = 0  # from the master channel count
        self.idle_packets = 0
        self.broken_packets = 0  # begun, and the frame that held the rest was lost

    def frame(self, frame: bytes, header: Header) -> tuple[list[bytes], int]:
        """(complete packets that are not idle, frames lost before this one by the master channel count)."""
        scid, vcid, has_ocf, mc_count, vc_count, first = header
        last = self._master.get(scid)
        if last is None:
            lost = 0
            if len(self._master) >= _STREAMS:
                del self._master[next(iter(self._master))]
        else:
            lost = (mc_count - last - 1) & 0xFF
            self.lost_frames += lost
        self._master[scid] = mc_count
        packets: list[bytes] = []
        if vcid == VC_IDLE:
            return packets, lost
        stream = self._streams.get(scid << 3 | vcid)
        if stream is None:
            stream = self._new_stream(scid << 3 | vcid, vc_count)
        partial = stream.partial
        if stream.expected != vc_count:
            if partial:
                self.broken_packets += 1
            partial = b""
        stream.expected = (vc_count + 1) & 0xFF
        stream.used += 1
        end = len(frame) - (FECF + OCF if has_ocf else FECF)
        # The commonest frame by far: one packet that fills it.
        if (
            not first
            and not partial
            and end > 12
            and (frame[10] << 8 | frame[11]) + 7 + HEADER == end
            and frame[7] != 0xFF
        ):
            packets.append(frame[HEADER:end])
            stream.partial = b""
            return packets, lost
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
        stream.partial = partial
        return packets, lost

    def _new_stream(self, key: int, expected: int) -> _Stream:
        if len(self._streams) >= _STREAMS:
            del self._streams[min(self._streams, key=lambda k: self._streams[k].used)]
        stream = self._streams[key] = _Stream(expected)
        return stream

    def _packet(self, packet: bytes, out: list[bytes]) -> None:
        if len(packet) < PACKET_HEADER or len(packet) != (packet[4] << 8 | packet[5]) + 7:
            self.broken_packets += 1
        elif (packet[0] & 7) << 8 | packet[1] == IDLE_APID:
            self.idle_packets += 1
        else:
            out.append(packet)
