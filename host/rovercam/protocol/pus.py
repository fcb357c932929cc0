"""PUS-C telecommands and reports (ECSS-E-ST-70-41C, clause 7.4), field layouts by spacepackets. Sans-IO.

Reports: space packet, secondary header of 13 bytes (PUS version 2, service, subtype, message counter, destination id,
time as CUC 4+2 without P-field), source data. Telecommands: secondary header of 5 bytes (PUS version 2 and four
acknowledgement flags, service, subtype, source id), application data. Neither carries a packet error control: every
transfer frame has its own check sequence, and telecommands are authenticated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spacepackets.ccsds.spacepacket import SpacePacketHeader
from spacepackets.ecss.tc import PusTcDataFieldHeader
from spacepackets.ecss.tm import PusTmSecondaryHeader

from rovercam.dictionary import Dictionary, DictionaryError, decode_fields, decode_structure

PACKET_HEADER = 6
TIME_LENGTH = 6
TM_BODY = PACKET_HEADER + 7 + TIME_LENGTH
"""Where a report's source data start."""
SEQUENCE_MODULUS = 1 << 14
FRACTION = 1 / 65536
"""Seconds per unit of the time field's fraction."""

VERIFICATION, HOUSEKEEPING, EVENTS, TIME, PARAMETERS = 1, 3, 5, 9, 20
SEVERITIES = {1: "info", 2: "low", 3: "medium", 4: "high"}
STAGES = {
    1: ("acceptance", True),
    2: ("acceptance", False),
    3: ("start", True),
    4: ("start", False),
    5: ("progress", True),
    6: ("progress", False),
    7: ("completion", True),
    8: ("completion", False),
}
ACK_ACCEPTANCE, ACK_START, ACK_PROGRESS, ACK_COMPLETION = 0b0001, 0b0010, 0b0100, 0b1000
ACK_ALL = 0b1111


class PacketError(ValueError):
    """The unit's fault: a packet that is no well-formed PUS report. The message says what was expected and what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report's header; ``time`` in seconds of the unit's clock (POSIX once it is set)."""

    apid: int
    sequence: int
    service: int
    subtype: int
    counter: int
    destination: int
    synchronised: bool
    """Spacecraft time reference status: the unit's clock has been set."""
    time: float
    body: bytes
    """Source data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Service 1: one stage of a telecommand, named by its packet id and sequence control."""

    apid: int
    sequence: int
    stage: str
    success: bool
    code: int | None = None
    reason: str = ""
    """Name of the failure code."""
    step: int | None = None
    detail: int = 0
    """What the unit added to a failure code: the number of the argument, an error of the system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Service 3.25: values by name as (raw, engineering)."""

    structure: int
    name: str
    values: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """Service 5."""

    id: int
    name: str
    severity: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Any other report of the dictionary."""

    name: str
    values: Mapping[str, Any]


Decoded = Verification | Housekeeping | EventReport | Answer


def parse(packet: bytes) -> Report:
    """A complete space packet with PUS-C secondary header; raises PacketError."""
    if len(packet) < TM_BODY:
        raise PacketError(f"a PUS report has at least {TM_BODY} bytes, {len(packet)} came")
    header = SpacePacketHeader.unpack(packet)
    if header.packet_len != len(packet):
        raise PacketError(f"the packet says {header.packet_len} bytes, {len(packet)} came")
    if not header.sec_header_flag:
        raise PacketError(f"APID {header.apid:#x}: a PUS report has a secondary header, this packet has none")
    try:
        second = PusTmSecondaryHeader.unpack(packet[PACKET_HEADER:TM_BODY], TIME_LENGTH)
    except ValueError as error:
        raise PacketError(f"APID {header.apid:#x}: {error}") from error
    seconds = int.from_bytes(second.timestamp[:4], "big")
    return Report(
        apid=header.apid,
        sequence=header.seq_count,
        service=second.service,
        subtype=second.message_subtype,
        counter=second.message_counter,
        destination=second.dest_id,
        synchronised=second.spacecraft_time_ref != 0,
        time=seconds + int.from_bytes(second.timestamp[4:6], "big") * FRACTION,
        body=bytes(packet[TM_BODY:]),
    )


def build_report(
    apid: int,
    sequence: int,
    service: int,
    subtype: int,
    body: bytes,
    *,
    time: float = 0.0,
    counter: int = 0,
    destination: int = 0,
    synchronised: bool = False,
) -> bytes:
    """A report as a unit would send it (recordings, ground parameters, tests)."""
    units = round(time * 65536)
    second = PusTmSecondaryHeader(
        service=service,
        message_subtype=subtype,
        timestamp=units.to_bytes(TIME_LENGTH, "big"),
        message_counter=counter,
        dest_id=destination,
        spacecraft_time_ref=1 if synchronised else 0,
    ).pack()
    data = bytes(second) + body
    return bytes(SpacePacketHeader.tm(apid, sequence, len(data) - 1, sec_header_flag=True).pack()) + data


def build_command(
    apid: int, sequence: int, service: int, subtype: int, data: bytes, *, acks: int = ACK_ALL, source: int = 0
) -> bytes:
    """A telecommand packet. ``acks``: which of the four stages shall be reported."""
    second = PusTcDataFieldHeader(service=service, message_subtype=subtype, source_id=source, ack_flags=acks).pack()
    body = bytes(second) + data
    return bytes(SpacePacketHeader.tc(apid, sequence, len(body) - 1, sec_header_flag=True).pack()) + body


def build_packet(apid: int, sequence: int, data: bytes) -> bytes:
    """A telecommand packet without secondary header (file transfer PDUs)."""
    return bytes(SpacePacketHeader.tc(apid, sequence, len(data) - 1).pack()) + data


def decode(report: Report, dictionary: Dictionary, structures: Mapping[int, Any] | None = None) -> Decoded:
    """A report's meaning. ``structures`` overrides the dictionary's housekeeping structures (made in flight).

    Raises PacketError when the service, the event or the structure is unknown or its data do not fit.
    """
    try:
        if report.service == VERIFICATION:
            return _verification(report, dictionary)
        if report.service == HOUSEKEEPING and report.subtype == 25:
            return _housekeeping(report, dictionary, structures)
        if report.service == EVENTS and report.subtype in SEVERITIES:
            return _event(report, dictionary)
        definition = dictionary.reports.get((report.service, report.subtype))
        if definition is None:
            raise PacketError(f"report {report.service}.{report.subtype} is not in this dictionary")
        return Answer(name=definition.name, values=decode_fields(definition.fields, report.body, dictionary))
    except DictionaryError as error:
        raise PacketError(f"report {report.service}.{report.subtype}: {error}") from error


def _verification(report: Report, dictionary: Dictionary) -> Verification:
    if report.subtype not in STAGES:
        raise PacketError(f"verification report 1.{report.subtype} is not defined")
    stage, success = STAGES[report.subtype]
    body = report.body
    if len(body) < 4:
        raise PacketError(f"report 1.{report.subtype}: a request id of 4 bytes expected, {len(body)} bytes came")
    apid = int.from_bytes(body[:2], "big") & 0x7FF
    sequence = int.from_bytes(body[2:4], "big") & 0x3FFF
    rest = body[4:]
    # Then a failure code or step (u16) and its data (u16), both left out where there is nothing to say.
    number = int.from_bytes(rest[:2], "big") if len(rest) >= 2 else None
    if not success and number is None:
        raise PacketError(f"report 1.{report.subtype}: the failure code is missing")
    code = None if success else number
    return Verification(
        apid=apid,
        sequence=sequence,
        stage=stage,
        success=success,
        code=code,
        reason="" if code is None else dictionary.failures.get(code, f"code {code}"),
        step=number if success and stage == "progress" else None,
        detail=int.from_bytes(rest[2:4], "big") if len(rest) >= 4 else 0,
    )


def _housekeeping(report: Report, dictionary: Dictionary, structures: Mapping[int, Any] | None) -> Housekeeping:
    if not report.body:
        raise PacketError("report 3.25: the structure id is missing")
    number = report.body[0]
    structure = (structures or {}).get(number) or dictionary.structures.get(number)
    if structure is None:
        raise PacketError(f"housekeeping structure {number} is not in this dictionary")
    values = decode_structure(report.body[1:], structure.parameters, dictionary)
    return Housekeeping(structure=number, name=structure.name, values=values)


MOST = (1 << 31) - 1
"""The unit saturates there: a clock never set before steps by decades."""


def _event(report: Report, dictionary: Dictionary) -> EventReport:
    if not report.body:
        raise PacketError(f"report 5.{report.subtype}: the event id is missing")
    number = report.body[0]
    severity = SEVERITIES[report.subtype]
    event = dictionary.events.get(number)
    if event is None:
        return EventReport(
            id=number,
            name=f"event_{number}",
            severity=severity,
            text=f"unknown event {number}: {report.body[1:].hex()}",
        )
    values = decode_fields(event.fields, report.body[1:], dictionary)
    said = {
        f.name: "more than 24 days in"
        if f.unit == "ms" and f.type == "i32" and values[f.name] == MOST
        else values[f.name]
        for f in event.fields
    }
    return EventReport(id=number, name=event.name, severity=severity, text=event.text.format(**said), values=values)
