"""cfdp-py, an independent implementation, receives the board's files and sends files to the board."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
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
from rovercam_hil.micropython.cfdp_line import new_board, packets
from rovercam_hil.micropython.worker import Worker
from spacepackets.cfdp.defs import ChecksumType, ConditionCode, DeliveryCode, FileStatus, TransmissionMode
from spacepackets.cfdp.pdu.helper import PduFactory
from spacepackets.countdown import Countdown
from spacepackets.seqcount import SeqCountProvider
from spacepackets.util import ByteFieldU8


@pytest.fixture(scope="module")
def board(micropython: str) -> Iterator[Worker]:
    with new_board() as worker:
        yield worker


class User(CfdpUserBase):
    """Notes how a transaction ended."""

    def __init__(self) -> None:
        super().__init__()
        self.finished: list[Any] = []

    def transaction_finished_indication(self, params: Any) -> None:
        self.finished.append(params)

    def _nothing(self, *args: object) -> None: ...

    transaction_indication = eof_sent_indication = metadata_recv_indication = _nothing
    file_segment_recv_indication = report_indication = suspended_indication = _nothing
    resumed_indication = fault_indication = abandoned_indication = eof_recv_indication = _nothing


class Faults(DefaultFaultHandlerBase):
    def _nothing(self, *args: object) -> None: ...

    notice_of_suspension_cb = notice_of_cancellation_cb = abandoned_cb = ignore_cb = _nothing


class Timers(CheckTimerProvider):
    def provide_check_timer(self, *args: object, **kwargs: object) -> Countdown:
        return Countdown.from_seconds(5.0)


def mib(checksum: ChecksumType, crc: bool = False) -> tuple[LocalEntityConfig, RemoteEntityConfigTable]:
    local = LocalEntityConfig(ByteFieldU8(0), IndicationConfig(), Faults())
    remote = RemoteEntityConfig(
        entity_id=ByteFieldU8(1), max_file_segment_len=200, max_packet_len=400, closure_requested=False,
        crc_on_transmission=crc, default_transmission_mode=TransmissionMode.ACKNOWLEDGED, crc_type=checksum,
    )  # fmt: skip
    return local, RemoteEntityConfigTable([remote])


def drain(handler: DestHandler | SourceHandler) -> list[bytes]:
    out = []
    while (holder := handler.get_next_packet()) is not None:
        assert holder.pdu is not None
        out.append(bytes(holder.pdu.pack()))
    return out


@pytest.mark.parametrize("checksum", [0, 3])
@pytest.mark.parametrize("losses", [(), (2, 5, 6)])
def test_receives_from_the_board(board: Worker, tmp_path: Path, checksum: int, losses: tuple[int, ...]) -> None:
    data = random.Random(1).randbytes(5000)
    board.call("new_disk")
    board.call("boot")
    board.call("store", "/f/f", data)
    target = tmp_path / "got"
    board.eval(f"c.put('/f/f', {str(target)!r}, checksum={checksum})")
    user = User()
    handler = DestHandler(*_args(user, ChecksumType(checksum)))
    count = 0
    for _ in range(60):
        for _, pdu in packets(board.call("frame", 300, 40)):
            count += 1
            if count in losses:
                continue
            handler.state_machine(PduFactory.from_raw(pdu))
            for answer in drain(handler):
                board.call("c.pdu_in", answer)
        handler.state_machine(None)
        for answer in drain(handler):
            board.call("c.pdu_in", answer)
    assert target.read_bytes() == data
    (params,) = user.finished
    assert params.finished_params.condition_code == ConditionCode.NO_ERROR
    assert params.finished_params.delivery_code == DeliveryCode.DATA_COMPLETE
    assert params.finished_params.file_status == FileStatus.FILE_RETAINED
    assert board.eval("len(c._txs), c.pdus_bad") == (0, 0)


@pytest.mark.parametrize("checksum", [0, 3])
@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize("losses", [(), (2, 5, 6)])
def test_sends_to_the_board(board: Worker, tmp_path: Path, checksum: int, crc: bool, losses: tuple[int, ...]) -> None:
    data = random.Random(2).randbytes(5000)
    board.call("new_disk")
    board.call("boot")
    source = tmp_path / "source"
    source.write_bytes(data)
    user = User()
    handler = SourceHandler(*_args(user, ChecksumType(checksum), crc), SeqCountProvider(16))
    handler.put_request(PutRequest(ByteFieldU8(1), source, Path("/f/x"), None, None))
    count = 0
    for _ in range(120):
        handler.state_machine()
        for pdu in drain(handler):
            count += 1
            if count not in losses:
                board.call("c.pdu_in", pdu)
        for _, answer in packets(board.call("frame", 300, 40)):
            handler.state_machine(PduFactory.from_raw(answer))
            for pdu in drain(handler):
                board.call("c.pdu_in", pdu)
    assert board.call("load", "/f/x") == data
    assert board.eval("c.pdus_bad") == 0
    (params,) = user.finished
    assert params.finished_params.condition_code == ConditionCode.NO_ERROR


def _args(user: User, checksum: ChecksumType, crc: bool = False) -> tuple[Any, ...]:
    local, remotes = mib(checksum, crc)
    return local, user, remotes, Timers()
