"""PDUs in and out: the field layouts are spacepackets'; this module adds our header form, TLV and error class."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

from spacepackets.cfdp.conf import PduConfig
from spacepackets.cfdp.defs import (
    ChecksumType,
    ConditionCode,
    CrcFlag,
    DeliveryCode,
    Direction,
    FileStatus,
    PduType,
    TransmissionMode,
)
from spacepackets.cfdp.pdu import (
    AckPdu,
    DirectiveType,
    EofPdu,
    FileDataPdu,
    FinishedPdu,
    KeepAlivePdu,
    MetadataPdu,
    NakPdu,
    PromptPdu,
)
from spacepackets.cfdp.pdu.ack import TransactionStatus
from spacepackets.cfdp.pdu.file_data import FileDataParams
from spacepackets.cfdp.pdu.finished import FinishedParams
from spacepackets.cfdp.pdu.header import PduHeader
from spacepackets.cfdp.pdu.metadata import MetadataParams
from spacepackets.cfdp.pdu.prompt import ResponseRequired
from spacepackets.cfdp.tlv import CfdpTlv, EntityIdTlv, TlvType
from spacepackets.util import ByteFieldU8, ByteFieldU16

from .events import PduError

HEADER = 8  # bytes: fixed 4, entity ids of 1, sequence number of 2
DATA_OVERHEAD = HEADER + 4
NAK_OVERHEAD = HEADER + 9
ORDER_MESSAGE = b"rcam\x01"  # Message to User: run u16, stride u16; from the dictionary

Directive: TypeAlias = MetadataPdu | EofPdu | AckPdu | NakPdu | FinishedPdu | PromptPdu | KeepAlivePdu

_CLASSES: dict[int, type[Directive]] = {
    DirectiveType.EOF_PDU: EofPdu,
    DirectiveType.FINISHED_PDU: FinishedPdu,
    DirectiveType.ACK_PDU: AckPdu,
    DirectiveType.METADATA_PDU: MetadataPdu,
    DirectiveType.NAK_PDU: NakPdu,
    DirectiveType.PROMPT_PDU: PromptPdu,
    DirectiveType.KEEP_ALIVE_PDU: KeepAlivePdu,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """One PDU. Either ``directive`` is set, or offset and data of a File Data PDU."""

    source: int
    number: int
    dest: int
    cls: int
    towards_sender: bool
    directive: Directive | None = None
    offset: int = 0
    data: bytes = b""


def parse(pdu: bytes) -> Parsed:
    """Raises PduError on anything that is not one whole PDU."""
    # The commonest PDU by far, in the form our units send it, without building the library's objects.
    if len(pdu) > DATA_OVERHEAD and pdu[0] & 0xFB == 0x30 and pdu[3] & 0x7F == 1:
        _, length, _, source, number, dest, offset = struct.unpack_from(">BHBBHBI", pdu)
        if length + HEADER != len(pdu):
            raise PduError(f"PDU of {len(pdu)} bytes says {length + HEADER}")
        cls = 1 if pdu[0] & 4 else 2
        return Parsed(source, number, dest, cls, False, None, offset, bytes(pdu[DATA_OVERHEAD:]))
    try:
        return _parse(bytes(pdu))
    except PduError:
        raise
    except Exception as error:  # the library raises many kinds on bad bytes; all mean the same here
        raise PduError(f"not a CFDP PDU: {error!r}") from error


def _parse(pdu: bytes) -> Parsed:
    header = PduHeader.unpack(pdu)
    conf = header.pdu_conf
    if header.packet_len != len(pdu):
        raise PduError(f"PDU of {len(pdu)} bytes says {header.packet_len}")
    source, number = conf.source_entity_id.value, conf.transaction_seq_num.value
    if source > 0xFF or number > 0xFFFF:
        raise PduError(f"transaction {source}-{number}: ids have one byte here, numbers two")
    dest, cls = conf.dest_entity_id.value, 1 if conf.trans_mode == TransmissionMode.UNACKNOWLEDGED else 2
    if header.pdu_type == PduType.FILE_DATA:
        data = FileDataPdu.unpack(pdu)
        return Parsed(source, number, dest, cls, False, None, data.offset, data.file_data)
    code = pdu[header.header_len]
    if code not in _CLASSES:
        raise PduError(f"directive code {code} is not one of {sorted(_CLASSES)}")
    directive = _CLASSES[code].unpack(pdu)
    if isinstance(directive, EofPdu):
        # spacepackets 0.32 leaves the code of an unpacked EOF in the upper four bits
        directive.condition_code = ConditionCode(pdu[header.header_len + 1] >> 4)
    if isinstance(directive, MetadataPdu):
        _ = (
            directive.source_file_name,
            directive.dest_file_name,
        )  # decoded only now: names that are no UTF-8 are refused here
    towards_sender = code in (DirectiveType.NAK_PDU, DirectiveType.FINISHED_PDU, DirectiveType.KEEP_ALIVE_PDU)
    if isinstance(directive, AckPdu):
        towards_sender = directive.directive_code_of_acked_pdu == DirectiveType.EOF_PDU
    return Parsed(source, number, dest, cls, towards_sender, directive)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds the PDUs of one transaction."""

    source: int
    number: int
    dest: int
    cls: int = 2

    def _conf(self, towards_sender: bool = False) -> PduConfig:
        return PduConfig(
            source_entity_id=ByteFieldU8(self.source),
            dest_entity_id=ByteFieldU8(self.dest),
            transaction_seq_num=ByteFieldU16(self.number),
            trans_mode=TransmissionMode.UNACKNOWLEDGED if self.cls == 1 else TransmissionMode.ACKNOWLEDGED,
            crc_flag=CrcFlag.NO_CRC,
            direction=Direction.TOWARDS_SENDER if towards_sender else Direction.TOWARDS_RECEIVER,
        )

    def metadata(self, source_name: str, dest_name: str, size: int, checksum: int) -> bytes:
        params = MetadataParams(False, ChecksumType(checksum), size, source_name, dest_name)
        return bytes(MetadataPdu(self._conf(), params).pack())

    def data(self, offset: int, data: bytes) -> bytes:
        return bytes(FileDataPdu(self._conf(), FileDataParams(data, offset)).pack())

    def eof(self, checksum: int, size: int, condition: int = 0) -> bytes:
        fault = EntityIdTlv(bytes([self.source])) if condition else None
        return bytes(
            EofPdu(
                self._conf(), checksum.to_bytes(4, "big"), size, fault, condition_code=ConditionCode(condition)
            ).pack()
        )

    def prompt(self, keep_alive: bool = False) -> bytes:
        return bytes(
            PromptPdu(self._conf(), ResponseRequired.KEEP_ALIVE if keep_alive else ResponseRequired.NAK).pack()
        )

    def ack(self, acked: DirectiveType, condition: int, status: int) -> bytes:
        return bytes(
            AckPdu(
                self._conf(acked == DirectiveType.EOF_PDU), acked, ConditionCode(condition), TransactionStatus(status)
            ).pack()
        )

    def nak(self, start: int, end: int, requests: list[tuple[int, int]]) -> bytes:
        return bytes(NakPdu(self._conf(True), start, end, requests).pack())

    def finished(self, condition: int, complete: bool) -> bytes:
        params = FinishedParams(
            condition_code=ConditionCode(condition),
            delivery_code=DeliveryCode.DATA_COMPLETE if complete else DeliveryCode.DATA_INCOMPLETE,
            file_status=FileStatus.FILE_RETAINED if complete else FileStatus.DISCARDED_DELIBERATELY,
        )
        return bytes(FinishedPdu(self._conf(True), params).pack())

    def keep_alive(self, progress: int) -> bytes:
        return bytes(KeepAlivePdu(self._conf(True), progress).pack())


def sending_order(metadata: MetadataPdu) -> tuple[int, int]:
    """(run, stride) from our Message to User, (0, 0) without one."""
    for option in metadata.options or []:
        assert isinstance(option, CfdpTlv)
        value = bytes(option.value)
        if option.tlv_type == TlvType.MESSAGE_TO_USER and value[:5] == ORDER_MESSAGE and len(value) == 9:
            run, stride = struct.unpack(">HH", value[5:])
            return run, stride
    return 0, 0
