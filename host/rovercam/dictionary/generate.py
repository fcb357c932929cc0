"""Writes what is derived from the dictionary: the board's constants and packed table, and the interface document; and the
board's copy of the picture coder's table.

The packed table (firmware/rover/dictionary.bin), all numbers big-endian:

    0  "RD", format version u8, 0 u8, dictionary hash u32
    8  four (count u16, offset u16): parameters, commands, structures, events
    parameters   18 bytes each, by id: id u16, type u8, flags u8 (1 = settable), pool offset u16, default, min, max (4 bytes each)
    commands     7 bytes each, by key: key u32 (service << 16 | subtype << 8 | function), flags u8 (1 = two steps, 2 = normal mode only), offset u16 of
                 the arguments: count u8, then per argument: type u8 (| 0x40 with range, | 0x80 list), [min, max], [max items u8]
    structures   4 + 2 n bytes each: id u8, n u8, period u16 (0.1 s), parameters u16 as type << 12 | pool offset
    events       2 bytes each: id u8, severity u8 (1 info … 4 high)
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

from rovercam.dictionary.fields import BASE_TYPES, base_type, raw_range
from rovercam.dictionary.loader import SEVERITIES
from rovercam.dictionary.model import Command, Dictionary, Field, Parameter

TYPE_CODES = {
    "u8": 0,
    "u16": 1,
    "u32": 2,
    "i8": 3,
    "i16": 4,
    "i32": 5,
    "f32": 6,
    "bool": 0,
    "string": 8,
    "bytes": 9,
    "value": 10,
}
WITH_RANGE, LIST = 0x40, 0x80
STARTUP = Path(__file__).parents[1] / "protocol" / "imaging" / "startup.py"
"""The picture coder's table, `rovercam bench startup` writes it; the board has the same file."""
HEADER_SIZE = 24


def _type_code(kind: str, dictionary: Dictionary) -> int:
    return TYPE_CODES[base_type(kind, dictionary.enums) or ""]


def _number(kind: str, value: float, dictionary: Dictionary) -> bytes:
    """A limit or default in 4 bytes: f32 for floats, else i32 or u32 by the type's sign."""
    base = base_type(kind, dictionary.enums) or ""
    if base == "f32":
        return struct.pack(">f", value)
    return struct.pack(">i" if base[0] == "i" else ">I", int(value))


def pool_offsets(dictionary: Dictionary) -> dict[str, int]:
    """Byte offset of each parameter's value in the unit's data pool."""
    offsets, position = {}, 0
    for p in sorted(dictionary.parameters.values(), key=lambda p: p.id):
        offsets[p.name] = position
        position += struct.calcsize(BASE_TYPES[base_type(p.type, dictionary.enums) or ""])
    return offsets


def _command_key(c: Command) -> int:
    return c.service << 16 | c.subtype << 8 | (c.function or 0)


def _arg(field: Field, dictionary: Dictionary) -> bytes:
    kind = field.type.removesuffix("[]")
    code = _type_code(kind, dictionary)
    is_list = field.type.endswith("[]")
    limits = b""
    enum = dictionary.enums.get(kind)
    if enum:
        limits = struct.pack(">II", min(enum.values()), max(enum.values()))
    elif kind == "bool":
        limits = struct.pack(">II", 0, 1)
    elif field.min is not None or field.max is not None:
        low, high = raw_range(field, dictionary)
        limits = _number(kind, low, dictionary) + _number(kind, high, dictionary)
    out = bytes([code | (WITH_RANGE if limits else 0) | (LIST if is_list else 0)]) + limits
    if is_list or code in (8, 9):
        out += bytes([field.max_items or 255])
    return out


def table(dictionary: Dictionary) -> bytes:
    """The packed table of the unit."""
    offsets = pool_offsets(dictionary)
    codes = {p.name: _type_code(p.type, dictionary) << 12 | offsets[p.name] for p in dictionary.parameters.values()}
    parameters = b"".join(
        _parameter(p, offsets[p.name], dictionary) for p in sorted(dictionary.parameters.values(), key=lambda p: p.id)
    )
    structures = b"".join(
        struct.pack(">BBH", s.id, len(s.parameters), round(s.period * 10))
        + struct.pack(f">{len(s.parameters)}H", *(codes[p.name] for p in s.parameters))
        for s in dictionary.structures.values()
    )
    events = b"".join(
        bytes([e.id, SEVERITIES.index(e.severity) + 1]) for e in sorted(dictionary.events.values(), key=lambda e: e.id)
    )
    commands = sorted(dictionary.commands.values(), key=_command_key)
    at_parameters = HEADER_SIZE
    at_commands = at_parameters + len(parameters)
    at_args = at_commands + 7 * len(commands)
    index, args = bytearray(), bytearray()
    for c in commands:
        index += struct.pack(">IBH", _command_key(c), c.two_step | c.normal_only << 1, at_args + len(args))
        args += bytes([len(c.args)]) + b"".join(_arg(f, dictionary) for f in c.args)
    at_structures = at_args + len(args)
    at_events = at_structures + len(structures)
    header = b"RD\x01\x00" + struct.pack(
        ">I8H",
        dictionary.hash,
        len(dictionary.parameters),
        at_parameters,
        len(commands),
        at_commands,
        len(dictionary.structures),
        at_structures,
        len(dictionary.events),
        at_events,
    )
    return header + parameters + bytes(index + args) + structures + events


def _parameter(p: Parameter, offset: int, dictionary: Dictionary) -> bytes:
    low, high = raw_range(p, dictionary)
    if base_type(p.type, dictionary.enums) == "f32" and low == -float("inf"):
        low, high = -3.4e38, 3.4e38
    return struct.pack(">HBBH", p.id, _type_code(p.type, dictionary), int(p.settable), offset) + b"".join(
        _number(p.type, v, dictionary) for v in (p.default, low, high)
    )


def _names(dictionary: Dictionary) -> dict[str, int]:
    """Every constant that firmware may use, by name."""
    offsets = pool_offsets(dictionary)
    names = {
        f"P_{p.name.upper()}": _type_code(p.type, dictionary) << 12 | offsets[p.name]
        for p in dictionary.parameters.values()
    }
    names["POOL_SIZE"] = max(
        offsets[p.name] + struct.calcsize(BASE_TYPES[base_type(p.type, dictionary.enums) or ""])
        for p in dictionary.parameters.values()
    )
    names |= {f"C_{c.name.upper()}": _command_key(c) for c in dictionary.commands.values()}
    names |= {f"E_{e.name.upper()}": e.id for e in dictionary.events.values()}
    names |= {f"F_{name.upper()}": code for code, name in dictionary.failures.items()}
    names |= {f"R_{r.name.upper()}": r.service << 8 | r.subtype for r in dictionary.reports.values()}
    for enum, values in dictionary.enums.items():
        names |= {f"{enum.upper()}_{name.upper()}": value for name, value in values.items()}
    names |= {f"APID_{k.upper()}": v for k, v in dictionary.raw["apid"].items()}
    names |= {f"UNIT_{k.upper()}": v for k, v in dictionary.raw["unit"].items()}
    return names


def constants(dictionary: Dictionary, firmware: Path) -> str:
    """Text of firmware/rover/dictionary.py: only names that the firmware uses, since each costs heap on the board."""
    used: set[str] = set()
    for file in sorted(firmware.rglob("*.py")):
        used |= set(re.findall(r"\bd\.([A-Z][A-Z0-9_]*[A-Z0-9])\b", file.read_text(encoding="utf-8")))
    names = _names(dictionary)
    unknown = sorted(used - set(names) - {"HASH"})
    if unknown:
        raise LookupError(f"the firmware uses names that the dictionary does not define: {', '.join(unknown)}")
    lines = [
        '"""GENERATED from rovercam.toml by `rovercam dictionary generate`; do not edit.',
        "",
        "P_ parameter (type << 12 | offset in the data pool), C_ command key, E_ event, F_ failure code, R_ report.",
        'Only names that the firmware uses are here: each costs heap. Everything else is in dictionary.bin."""',
        "",
        "from micropython import const",
        "",
    ]
    lines += [f"{name} = const(0x{value:X})" for name, value in sorted(names.items()) if name in used]
    return "\n".join(lines) + "\n"


def write_all(dictionary: Dictionary, root: Path) -> list[Path]:
    """Write every generated file of the checkout at ``root``; returns those that changed."""
    changed = []
    for path, content in generated(dictionary, root).items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed.append(path)
    return changed


def generated(dictionary: Dictionary, root: Path) -> dict[Path, bytes]:
    """Contents of every generated file, by path."""
    from rovercam.dictionary.document import markdown

    firmware = root / "firmware"
    return {
        firmware / "rover" / "dictionary.py": constants(dictionary, firmware).encode(),
        firmware / "rover" / "dictionary.bin": table(dictionary),
        firmware / "rover" / "imaging" / "startup.py": STARTUP.read_bytes(),
        root / "docs" / "interface.md": markdown(dictionary).encode(),
    }
