"""cfdp-py as a peer of the link bench: one file, class 2, on standard input and output.

    python -m rovercam_hil.bench.peer_cfdp send FILE SEGMENT TIMER
    python -m rovercam_hil.bench.peer_cfdp receive SEGMENT TIMER        into the current folder

On the line each PDU follows the attached sync marker (131.0-B 8.3), which is found again after errors; its length is its own (727.0-B-5 5.1), and its own
CRC says whether it is whole. SEGMENT: bytes of file data in a PDU. TIMER: seconds of the NAK and the acknowledgement timer; there are no
retry limits, and NAKs are immediate. cfdp-py comes with the extra [dev].
"""

from __future__ import annotations

import binascii
import os
import select
import sys
from pathlib import Path
from typing import Any

from cfdppy.handler.dest import DestHandler
from cfdppy.handler.source import SourceHandler
from cfdppy.mib import (
    CheckTimerProvider,
    DefaultFaultHandlerBase,
    IndicationConfig,
    LocalEntityConfig,
    RemoteEntityConfig,
    RemoteEntityConfigTable,
)
from cfdppy.request import PutRequest
from cfdppy.user import CfdpUserBase
from rovercam.protocol.profiles import MARKER
from spacepackets.cfdp.defs import ChecksumType, TransmissionMode
from spacepackets.cfdp.pdu.helper import PduFactory
from spacepackets.countdown import Countdown
from spacepackets.seqcount import SeqCountProvider
from spacepackets.util import ByteFieldU8

LONGEST = 2048  # bytes of a PDU; a longer one is a damaged length
_FOREVER = 1_000_000
_SENDER, _RECEIVER = 1, 0


class _User(CfdpUserBase):
    def _nothing(self, *args: object) -> None: ...

    transaction_indication = eof_sent_indication = metadata_recv_indication = _nothing
    file_segment_recv_indication = report_indication = suspended_indication = _nothing
    resumed_indication = fault_indication = abandoned_indication = eof_recv_indication = _nothing
    transaction_finished_indication = _nothing


class _Faults(DefaultFaultHandlerBase):
    def _nothing(self, *args: object) -> None: ...

    notice_of_suspension_cb = notice_of_cancellation_cb = abandoned_cb = ignore_cb = _nothing


class _Timers(CheckTimerProvider):
    def provide_check_timer(self, *args: object, **kwargs: object) -> Countdown:
        return Countdown.from_seconds(5.0)


class Deframer:
    """Bytes of the line in, whole PDUs out."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._held += data
        found: list[bytes] = []
        while True:
            at = self._held.find(MARKER)
            if at < 0:
                del self._held[: max(0, len(self._held) - 3)]
                return found
            del self._held[:at]
            if len(self._held) < 8:
                return found
            head = self._held[4:8]
            ids = 2 * ((head[3] >> 4 & 7) + 1) + (head[3] & 7) + 1
            length = 4 + ids + (head[1] << 8 | head[2])
            if length <= LONGEST:
                if len(self._held) < 4 + length:
                    return found
                pdu = bytes(self._held[4 : 4 + length])
                if not binascii.crc_hqx(pdu, 0xFFFF):
                    found.append(pdu)
                    del self._held[: 4 + length]
                    continue
            del self._held[:4]


def _entities(own: int, other: int, segment: int, timer: float) -> tuple[LocalEntityConfig, RemoteEntityConfigTable]:
    remote = RemoteEntityConfig(
        entity_id=ByteFieldU8(other),
        max_file_segment_len=segment,
        max_packet_len=segment + 64,
        closure_requested=True,
        crc_on_transmission=True,
        default_transmission_mode=TransmissionMode.ACKNOWLEDGED,
        crc_type=ChecksumType.MODULAR,
        positive_ack_timer_interval_seconds=timer,
        positive_ack_timer_expiration_limit=_FOREVER,
        nak_timer_interval_seconds=timer,
        nak_timer_expiration_limit=_FOREVER,
        immediate_nak_mode=True,
    )
    return LocalEntityConfig(ByteFieldU8(own), IndicationConfig(), _Faults()), RemoteEntityConfigTable([remote])


def _talk(handler: Any) -> None:
    """Until the line is closed."""
    deframer = Deframer()
    while True:
        out = bytearray()
        while (holder := handler.get_next_packet()) is not None:
            out += MARKER + bytes(holder.pdu.pack())
        if out:
            _write(out)
        if select.select([0], [], [], 0.0 if out else 0.005)[0]:
            data = os.read(0, 4096)
            if not data:
                return
            for pdu in deframer.feed(data):
                handler.state_machine(PduFactory.from_raw(pdu))
                while (holder := handler.get_next_packet()) is not None:
                    _write(MARKER + bytes(holder.pdu.pack()))
        handler.state_machine()


def _write(data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def main(words: list[str]) -> None:
    if words[0] == "send":
        path, segment, timer = Path(words[1]), int(words[2]), float(words[3])
        local, remotes = _entities(_SENDER, _RECEIVER, segment, timer)
        sender = SourceHandler(local, _User(), remotes, _Timers(), SeqCountProvider(16))
        sender.put_request(PutRequest(ByteFieldU8(_RECEIVER), path, Path(path.name), None, None))
        _talk(sender)
    else:
        local, remotes = _entities(_RECEIVER, _SENDER, int(words[1]), float(words[2]))
        _talk(DestHandler(local, _User(), remotes, _Timers()))


if __name__ == "__main__":
    main(sys.argv[1:])
