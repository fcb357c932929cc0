"""Field values to bytes and back, as the dictionary's types say. All integers big-endian (CCSDS, ECSS)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from rovercam.dictionary.model import Command, Dictionary, DictionaryError, Field, Parameter, ValueRefused

BASE_TYPES = {"u8": "B", "u16": "H", "u32": "I", "i8": "b", "i16": "h", "i32": "i", "f32": "f", "bool": "B"}
LIMITS = {
    "u8": (0, 255),
    "u16": (0, 65535),
    "u32": (0, 2**32 - 1),
    "i8": (-128, 127),
    "i16": (-32768, 32767),
    "i32": (-(2**31), 2**31 - 1),
    "bool": (0, 1),
}
MAX_STRING = 255


class FieldTooShort(DictionaryError):
    """The data end inside a field."""


def base_type(name: str, enums: Mapping[str, Any]) -> str | None:
    """The base type behind a type's name: enumerations are u8. None when there is no such type."""
    if name in BASE_TYPES or name in ("string", "bytes", "value"):
        return name
    return "u8" if name in enums else None


def to_raw(field: Field | Parameter, value: Any, dictionary: Dictionary) -> int | float:
    """Engineering value (number, enumeration name, "yes"/"no", or text of these) to the raw number; range-checked."""
    enum = dictionary.enums.get(field.type)
    if enum is not None:
        if isinstance(value, str) and value in enum:
            return enum[value]
        if value in enum.values() and not isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and value.isdigit() and int(value) in enum.values():
            return int(value)
        raise ValueRefused(f"{field.name} = {value!r}: allowed are {', '.join(enum)}")
    if field.type == "bool":
        words = {"1": 1, "0": 0, "true": 1, "false": 0, "yes": 1, "no": 0, "on": 1, "off": 0}
        raw = words.get(str(value).lower())
        if raw is None:
            raise ValueRefused(f"{field.name} = {value!r}: allowed are yes and no")
        return raw
    try:
        number = (
            float(value) if not isinstance(value, str) else float(int(value, 0)) if _is_int(value) else float(value)
        )
    except (TypeError, ValueError, OverflowError):
        raise ValueRefused(f"{field.name} = {value!r} is not a number{_range_text(field, dictionary)}") from None
    raw_value: float = (number - field.offset) / field.scale
    if field.type == "f32":
        return raw_value
    if not abs(raw_value) <= 2**33:  # also refuses NaN
        raise ValueRefused(f"{field.name} = {value}{_range_text(field, dictionary)}")
    rounded = round(raw_value)
    if field.scale == 1 and rounded != raw_value:
        raise ValueRefused(f"{field.name} = {value}: a whole number is needed")
    low, high = raw_range(field, dictionary)
    if not low <= rounded <= high:
        raise ValueRefused(f"{field.name} = {value}{_range_text(field, dictionary)}")
    return rounded


def raw_range(field: Field | Parameter, dictionary: Dictionary) -> tuple[float, float]:
    """Smallest and largest raw value allowed."""
    kind = base_type(field.type.removesuffix("[]"), dictionary.enums)
    low, high = LIMITS.get(kind or "", (-float("inf"), float("inf")))
    if field.min is not None:
        low = max(low, field.min)
    if field.max is not None:
        high = min(high, field.max)
    return low, high


def _is_int(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return False
    return True


def _range_text(field: Field | Parameter, dictionary: Dictionary) -> str:
    low, high = raw_range(field, dictionary)
    unit = f" {field.unit}" if field.unit else ""
    return f": allowed is {low * field.scale + field.offset:g} to {high * field.scale + field.offset:g}{unit}"


def to_engineering(field: Field | Parameter, raw: int | float, dictionary: Dictionary) -> Any:
    """Raw number to what a person reads: enumeration name, bool, or a calibrated number."""
    if field.type in dictionary.enums:
        return dictionary.enum_name(field.type, int(raw))
    if field.type == "bool":
        return bool(raw)
    if field.scale == 1 and field.offset == 0:
        return raw
    return raw * field.scale + field.offset


def encode_field(field: Field, value: Any, dictionary: Dictionary, context: Mapping[str, Any]) -> bytes:
    """One field's bytes. context: the values encoded before it (for type "value")."""
    if field.type.endswith("[]"):
        return _encode_list(field, value, dictionary)
    if field.type in ("string", "bytes"):
        data = bytes_of(field, value)
        if len(data) > (field.max_items or MAX_STRING):
            raise ValueRefused(f"{field.name}: {len(data)} bytes, at most {field.max_items or MAX_STRING} are allowed")
        return bytes([len(data)]) + data
    if field.type == "value":
        parameter = dictionary.parameter_by_id(int(context["parameter"]))
        if parameter is None:
            raise ValueRefused(f"there is no parameter {context['parameter']}")
        return pack(parameter.type, to_raw(parameter, value, dictionary), dictionary)
    return pack(field.type, to_raw(field, value, dictionary), dictionary)


def bytes_of(field: Field, value: Any) -> bytes:
    """A string as UTF-8; bytes may be given as hexadecimal text."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if not isinstance(value, str):
        raise ValueRefused(f"{field.name} = {value!r}: text is needed")
    if field.type == "string":
        return value.encode()
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise ValueRefused(f"{field.name} = {value!r}: bytes are written as hexadecimal digits") from None


def _encode_list(field: Field, value: Any, dictionary: Dictionary) -> bytes:
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else list(value)
    if len(items) > (field.max_items or MAX_STRING):
        raise ValueRefused(f"{field.name}: {len(items)} items, at most {field.max_items or MAX_STRING} are allowed")
    kind = field.type.removesuffix("[]")
    one = Field(name=field.name, type=kind, min=field.min, max=field.max)
    out = bytearray([len(items)])
    for item in items:
        number = _number_of(field.name, item, dictionary)
        out += pack(kind, to_raw(one, number, dictionary), dictionary)
    return bytes(out)


def _number_of(field_name: str, item: Any, dictionary: Dictionary) -> Any:
    """Lets a person write names where the packet carries ids (parameters, events)."""
    if isinstance(item, str):
        item = item.strip()
        if field_name in ("parameters", "parameter") and item in dictionary.parameters:
            return dictionary.parameters[item].id
        if field_name in ("events", "event"):
            return next((e.id for e in dictionary.events.values() if e.name == item), item)
        if field_name == "structure":
            return next((s.id for s in dictionary.structures.values() if s.name == item), item)
    return item


def pack(kind: str, raw: int | float, dictionary: Dictionary) -> bytes:
    base = base_type(kind, dictionary.enums)
    return struct.pack(">" + BASE_TYPES[base or ""], raw if base == "f32" else int(raw))


def encode_command(command: Command, values: Mapping[str, Any], dictionary: Dictionary) -> bytes:
    """Application data of a telecommand (the function id first for service 8).

    Raises UnknownName / ValueRefused naming the argument, the allowed range and what was given.
    """
    known = {f.name for f in command.args}
    for name in values:
        if name not in known:
            raise ValueRefused(
                f"{command.name} has no argument {name!r}; it takes {', '.join(sorted(known)) or 'none'}"
            )
    out = bytearray()
    if command.function is not None:
        out.append(command.function)
    context: dict[str, Any] = {}
    for field in command.args:
        value = values.get(field.name)
        if value is None:
            if field.default is None:
                raise ValueRefused(f"{command.name}: argument {field.name} is missing ({field.text})")
            value = field.default if field.scale == 1 else field.default * field.scale + field.offset
        if not field.type.endswith("[]"):  # lists do this item by item
            value = _number_of(field.name, value, dictionary)
        context[field.name] = value
        out += encode_field(field, value, dictionary, context)
    return bytes(out)


def decode_fields(fields: Sequence[Field], data: bytes, dictionary: Dictionary) -> dict[str, Any]:
    """Engineering values by field name; a repeated group becomes a list of dicts under "items".

    Raises FieldTooShort when the data end inside a field, DictionaryError when bytes are left over.
    """
    start = next((i for i, f in enumerate(fields) if f.repeat), len(fields))
    position, values = _decode_group(fields[:start], data, 0, dictionary)
    if start < len(fields):
        items = []
        while position < len(data):
            position, item = _decode_group(fields[start:], data, position, dictionary)
            items.append(item)
        values["items"] = items
    if position != len(data):
        raise DictionaryError(f"{len(data) - position} bytes left over after {[f.name for f in fields]}")
    return values


def _decode_group(
    fields: Sequence[Field], data: bytes, position: int, dictionary: Dictionary
) -> tuple[int, dict[str, Any]]:
    values: dict[str, Any] = {}
    for field in fields:
        kind: str = field.type
        if kind in ("string", "bytes"):
            length = _take(data, position, 1, field)[0]
            body = _take(data, position + 1, length, field)
            values[field.name] = body.decode(errors="replace") if kind == "string" else body
            position += 1 + length
            continue
        if kind.endswith("[]"):
            count = _take(data, position, 1, field)[0]
            position += 1
            one = Field(name=field.name, type=kind.removesuffix("[]"), scale=field.scale, offset=field.offset)
            items = []
            for _ in range(count):
                position, item = _decode_number(one, data, position, dictionary)
                items.append(item)
            values[field.name] = items
            continue
        if kind == "value":
            parameter = dictionary.parameter_by_id(values["parameter"])
            if parameter is None:
                raise DictionaryError(f"parameter {values['parameter']} is not in this dictionary")
            position, values[field.name] = _decode_number(parameter, data, position, dictionary)
            continue
        position, values[field.name] = _decode_number(field, data, position, dictionary)
    return position, values


def _decode_number(field: Field | Parameter, data: bytes, position: int, dictionary: Dictionary) -> tuple[int, Any]:
    code = BASE_TYPES[base_type(field.type, dictionary.enums) or ""]
    size = struct.calcsize(">" + code)
    (raw,) = struct.unpack(">" + code, _take(data, position, size, field))
    return position + size, to_engineering(field, raw, dictionary)


def _take(data: bytes, position: int, length: int, field: Field | Parameter) -> bytes:
    piece = data[position : position + length]
    if len(piece) != length:
        raise FieldTooShort(f"{field.name}: {length} bytes needed at {position}, {len(data)} are there in all")
    return piece


def decode_structure(
    data: bytes, parameters: Sequence[Parameter], dictionary: Dictionary
) -> dict[str, tuple[Any, Any]]:
    """Housekeeping values: name → (raw, engineering). Raises FieldTooShort / DictionaryError as decode_fields."""
    codes = "".join(BASE_TYPES[base_type(p.type, dictionary.enums) or ""] for p in parameters)
    size = struct.calcsize(">" + codes)
    if len(data) != size:
        raise FieldTooShort(f"housekeeping: {size} bytes expected, {len(data)} came; another dictionary version?")
    raws = struct.unpack(">" + codes, data)
    return {p.name: (raw, to_engineering(p, raw, dictionary)) for p, raw in zip(parameters, raws, strict=True)}
