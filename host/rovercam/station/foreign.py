"""Telecommand packets that another control system built: what they are, for the archive and the operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacepackets.ccsds.spacepacket import PacketType, SpacePacketHeader

from rovercam.dictionary import Command, Dictionary, DictionaryError, decode_fields
from rovercam.protocol import tc
from rovercam.station.verification import Request

HEADERS = 11
"""Bytes of the packet header and the PUS-C telecommand header (ECSS-E-ST-70-41C 7.4.4.1)."""
PUS_VERSION = 2


class StrangePacket(ValueError):
    """Not a PUS-C telecommand for a unit of the dictionary; the message says why."""


def understand(packet: bytes, dictionary: Dictionary) -> Request:
    """Raises StrangePacket; a command that the dictionary does not know is kept as bytes, for the unit to judge."""
    if len(packet) < HEADERS:
        raise StrangePacket(f"a PUS telecommand has at least {HEADERS} bytes, {len(packet)} came")
    if len(packet) > tc.max_packet():
        raise StrangePacket(f"a telecommand frame carries {tc.max_packet()} bytes, the packet has {len(packet)}")
    header = SpacePacketHeader.unpack(packet)
    if header.packet_type != PacketType.TC or not header.sec_header_flag or packet[6] >> 4 != PUS_VERSION:
        raise StrangePacket(f"APID {header.apid:#x}: not a PUS-C telecommand")
    if header.packet_len != len(packet):
        raise StrangePacket(f"the packet says {header.packet_len} bytes, {len(packet)} came")
    unit = next((n for n in range(1, 100) if dictionary.apid(n) == header.apid), None)
    if unit is None:
        raise StrangePacket(f"APID {header.apid:#x} belongs to no unit's commands")
    definition, arguments = _command(packet[7], packet[8], packet[HEADERS:], dictionary)
    return Request(
        unit=unit,
        apid=header.apid,
        sequence=header.seq_count,
        acks=packet[6] & 0xF,
        name=definition.name if definition else f"service {packet[7]}.{packet[8]}",
        arguments=arguments,
        definition=definition,
    )


def _command(
    service: int, subtype: int, data: bytes, dictionary: Dictionary
) -> tuple[Command | None, Mapping[str, Any]]:
    for command in dictionary.commands.values():
        if (command.service, command.subtype) != (service, subtype):
            continue
        if command.function is not None and data[:1] != bytes([command.function]):
            continue
        try:
            fields = data if command.function is None else data[1:]
            return command, decode_fields(command.args, fields, dictionary)
        except DictionaryError:
            return command, {"data": data.hex()}
    return None, {"data": data.hex()}
