"""Request sequences (ST[21]): readable text files of commands with relative times, checked and packed for the unit.

    # a panorama of three pictures
    0    point_mast pan=-30
    5    capture size=vga codec=rate
    20   point_mast pan=0

A line: seconds after the start, command, arguments; `#` begins a comment. Packed: "RS" 1, entries u8, then per entry
delay u32, length u8, telecommand packet; CRC-16 over all.
"""

from __future__ import annotations

import shlex
import struct
from dataclasses import dataclass
from typing import Any

import crcmod.predefined

from rovercam.dictionary import Dictionary, DictionaryError, encode_command, find
from rovercam.protocol import pus

MAX_ENTRIES = 255
MAX_BYTES = 4096
FIRST_COUNT = pus.SEQUENCE_MODULUS - MAX_ENTRIES
"""Sequence counts of the packets: the last ones, which a station's own commands reach after 16,000 of them; a report on one
would else be taken for another command's."""
_crc16 = crcmod.predefined.mkPredefinedCrcFun("crc-ccitt-false")


class SequenceError(ValueError):
    """A line that the unit would not understand; the message has its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    line: int
    delay: int
    name: str
    arguments: dict[str, Any]


def parse(text: str) -> list[Entry]:
    """Entries of a sequence's text, in order of time."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
            if not words:
                continue
            delay = int(words[0])
            if not 0 <= delay <= 0xFFFFFFFF:
                raise ValueError(f"{delay} s")
            pairs = [w.split("=", 1) for w in words[2:]]
            entries.append(Entry(line=number, delay=delay, name=words[1], arguments={k: v for k, v in pairs}))
        except (ValueError, IndexError) as error:
            raise SequenceError(
                f"line {number}: expected SECONDS COMMAND [key=value …], found {line.strip()!r}"
            ) from error
    return sorted(entries, key=lambda e: e.delay)


def pack(text: str, dictionary: Dictionary, unit: int) -> bytes:
    """The file for the unit's /q folder. Raises SequenceError for what the dictionary does not know or the unit cannot hold."""
    entries = parse(text)
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise SequenceError(f"a sequence has 1 to {MAX_ENTRIES} commands, this has {len(entries)}")
    out = bytearray(b"RS\x01" + bytes([len(entries)]))
    for count, entry in enumerate(entries):
        try:
            command = find(dictionary.commands, entry.name, "command")
            data = encode_command(command, entry.arguments, dictionary)
        except DictionaryError as error:
            raise SequenceError(f"line {entry.line}, {entry.name}: {error}") from error
        packet = pus.build_command(dictionary.apid(unit), FIRST_COUNT + count, command.service, command.subtype, data)
        out += struct.pack(">IB", entry.delay, len(packet)) + packet
    out += struct.pack(">H", _crc16(bytes(out)))
    if len(out) > MAX_BYTES:
        raise SequenceError(f"{len(out)} bytes, the unit takes {MAX_BYTES}")
    return bytes(out)
