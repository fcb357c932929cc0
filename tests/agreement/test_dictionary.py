"""Host and firmware read the same definition alike: commands encoded on the host, decoded by the firmware, and back."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rovercam.dictionary import Command, Field, decode_structure, encode_command, load
from rovercam.dictionary.fields import BASE_TYPES, base_type, raw_range, to_engineering
from rovercam.dictionary.generate import pool_offsets
from rovercam.places import firmware_dir
from rovercam_hil.micropython.worker import Worker

D = load()
TABLE = str(firmware_dir() / "rover" / "dictionary.bin")


_FIND = "from rover.services.parameters import parameter\ndef find(number):\n    return parameter(table, number)\n"


@pytest.fixture(scope="module")
def table(worker: Worker) -> Worker:
    worker.run(f"from rover.pool import Table, Pool\ntable = Table({TABLE!r})\npool = Pool()\n" + _FIND)
    return worker


def key_of(command: Command) -> int:
    return command.service << 16 | command.subtype << 8 | (command.function or 0)


def raw_values(field: Field) -> st.SearchStrategy[Any]:
    """Allowed raw values of an argument."""
    kind = field.type.removesuffix("[]")
    if kind in D.enums:
        one = st.sampled_from(sorted(D.enums[kind].values()))
    elif kind == "string":
        most = field.max_items or 60  # bytes, of which a character takes up to four
        return st.text(st.characters(categories=("L", "N", "P"), codec="utf-8"), max_size=most // 4)
    elif kind == "bytes":
        return st.binary(max_size=field.max_items or 255)
    elif kind == "value":
        return st.just(None)
    else:
        low, high = raw_range(Field(name=field.name, type=kind, min=field.min, max=field.max), D)
        one = st.integers(int(low), int(high))
    if field.type.endswith("[]"):
        return st.lists(one, max_size=min(field.max_items or 255, 12))
    return one


def arguments(command: Command) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({f.name: raw_values(f) for f in command.args})


@given(st.data())
def test_commands_encoded_on_the_host_arrive_on_the_unit(table: Worker, data: st.DataObject) -> None:
    command = data.draw(st.sampled_from([c for c in D.commands.values() if all(f.type != "value" for f in c.args)]))
    raws = data.draw(arguments(command))
    values = {f.name: _engineering(f, raws[f.name]) for f in command.args}
    encoded = encode_command(command, values, D)
    body = encoded[1:] if command.function is not None else encoded
    code, args, flags = table.call("table.decode", key_of(command), body)
    assert code == 0
    assert list(args) == [raws[f.name] for f in command.args]
    assert flags == command.two_step | command.normal_only << 1


def _engineering(field: Field, raw: Any) -> Any:
    if isinstance(raw, (list, str, bytes)):
        return raw
    return to_engineering(field, raw, D)


@given(st.data())
def test_truncated_and_padded_commands_are_refused(table: Worker, data: st.DataObject) -> None:
    command = data.draw(
        st.sampled_from([c for c in D.commands.values() if c.args and all(f.type != "value" for f in c.args)])
    )
    raws = data.draw(arguments(command))
    encoded = encode_command(command, {f.name: _engineering(f, raws[f.name]) for f in command.args}, D)
    body = encoded[1:] if command.function is not None else encoded
    cut = data.draw(st.integers(0, len(body) - 1))
    wrong = {code for code, name in D.failures.items() if name in ("wrong_length", "out_of_range")}
    assert table.call("table.decode", key_of(command), body[:cut])[0] in wrong
    assert table.call("table.decode", key_of(command), body + b"\0")[0] in wrong


@given(st.integers(0, 0xFFFFFF), st.binary(max_size=40))
def test_any_bytes_as_a_command_never_raise(table: Worker, key: int, body: bytes) -> None:
    code, _, _ = table.call("table.decode", key, body)
    known = key in {key_of(c) for c in D.commands.values()}
    assert (D.failures.get(code) == "unknown_command") == (not known)


@pytest.mark.parametrize("command", [c for c in D.commands.values() if c.args], ids=lambda c: c.name)
def test_values_out_of_range_are_refused_on_board(table: Worker, command: Command) -> None:
    """Every limited number, one below and one above its range, with everything else at a good value."""
    out_of_range = next(code for code, name in D.failures.items() if name == "out_of_range")
    checked = 0
    for index, field in enumerate(command.args):
        if field.type.endswith("[]") or base_type(field.type, D.enums) in ("string", "bytes", "value"):
            continue
        low, high = raw_range(field, D)
        if field.type in D.enums:
            low, high = min(D.enums[field.type].values()), max(D.enums[field.type].values())
        smallest, largest = _type_range(field.type)
        for bad in (low - 1, high + 1):
            if smallest <= bad <= largest:
                body = b"".join(_good(f) if i != index else _pack(f, int(bad)) for i, f in enumerate(command.args))
                assert table.call("table.decode", key_of(command), body)[:2] == (out_of_range, index)
                checked += 1
    if not checked:
        assert all(raw_range(f, D) is not None for f in command.args)  # nothing limited below its type's range


def _pack(field: Field, value: int) -> bytes:
    return struct.pack(">" + BASE_TYPES[base_type(field.type, D.enums) or ""], value)


def _good(field: Field) -> bytes:
    kind = field.type.removesuffix("[]")
    if field.type.endswith("[]") or kind in ("string", "bytes"):
        return b"\0"
    if kind == "value":
        return b"\0"
    return _pack(field, int(raw_range(field, D)[0]) if field.type not in D.enums else min(D.enums[kind].values()))


def test_every_parameter_is_found_with_its_limits(table: Worker) -> None:
    offsets = pool_offsets(D)
    for p in D.parameters.values():
        code, settable, default, low, high = table.call("find", p.id)
        assert code & 0xFFF == offsets[p.name]
        assert bool(settable) == p.settable
        if p.settable:
            assert (default, low, high) == (p.default, p.min, p.max)
    assert table.call("find", 9999) is None


@given(st.data())
def test_pool_values_reach_the_ground(table: Worker, data: st.DataObject) -> None:
    structure = data.draw(st.sampled_from(list(D.structures.values())))
    raws = {p.name: data.draw(st.integers(*_type_range(p.type))) for p in structure.parameters}
    for p in structure.parameters:
        table.call("pool.set", table.call("find", p.id)[0], raws[p.name])
    table.run("out = bytearray(400)\nn = 0\nids = []")
    for p in structure.parameters:
        table.run(f"n = pool.copy_into(find({p.id})[0], out, n)")
    alone = table.eval("bytes(out[:n])")
    decoded = decode_structure(alone, structure.parameters, D)
    assert {name: raw for name, (raw, _) in decoded.items()} == raws
    codes = [table.call("find", p.id)[0] for p in structure.parameters]
    table.run(f"from array import array\nout = bytearray(400)\nend = pool.gather(array('H', {codes}), out, 1)")
    assert table.eval("bytes(out[1:end])") == alone


def _type_range(kind: str) -> tuple[int, int]:
    base = base_type(kind, D.enums) or ""
    bits = 8 if base == "bool" else int(base[1:])
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if base[0] == "i" else (0, 2**bits - 1)


@given(st.integers(-(2**40), 2**40))
def test_wild_values_are_clamped(table: Worker, value: int) -> None:
    for p in D.parameters.values():
        code = table.call("find", p.id)[0]
        table.call("pool.set", code, value)
        low, high = _type_range(p.type)
        assert table.call("pool.get", code) == min(max(value, low), high)
        if p.id > 5:
            break
