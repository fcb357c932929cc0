"""The dictionary's loader and field codec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rovercam.dictionary import (
    DEFINITION,
    DictionaryError,
    UnknownName,
    ValueRefused,
    decode_fields,
    encode_command,
    find,
    load,
    parse,
)

D = load()
TEXT = DEFINITION.read_text(encoding="utf-8")


def test_values_out_of_range_name_the_range_in_engineering_units() -> None:
    with pytest.raises(ValueRefused, match=r"rate = 99: allowed is 0\.05 to 16 bit/pixel"):
        encode_command(D.commands["capture"], {"rate": 99}, D)


def test_unknown_enumeration_values_name_the_allowed_ones() -> None:
    with pytest.raises(ValueRefused, match=r"size = 'huge': allowed are .*vga"):
        encode_command(D.commands["capture"], {"size": "huge"}, D)


def test_unknown_arguments_and_missing_arguments_are_named() -> None:
    with pytest.raises(ValueRefused, match="capture has no argument 'colour'"):
        encode_command(D.commands["capture"], {"colour": 1}, D)
    with pytest.raises(ValueRefused, match="argument profile is missing"):
        encode_command(D.commands["set_profile"], {}, D)


def test_unknown_commands_offer_near_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean capture"):
        find(D.commands, "captrue", "command")


def test_parameters_may_be_written_by_name() -> None:
    by_name = encode_command(D.commands["report_parameters"], {"parameters": "uptime,heap_free"}, D)
    assert by_name == bytes([2, 0, 2, 0, 8])
    assert encode_command(D.commands["report_parameters"], {"parameters": "uptime"}, D) == bytes([1, 0, 2])


def test_set_parameter_checks_the_parameters_own_range() -> None:
    good = encode_command(D.commands["set_parameter"], {"parameter": "housekeeping_period", "value": 7}, D)
    assert good == bytes([0, 100, 0, 7])
    with pytest.raises(ValueRefused, match="housekeeping_period = 0: allowed is 1 to 3600 s"):
        encode_command(D.commands["set_parameter"], {"parameter": "housekeeping_period", "value": 0}, D)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = 2\nname = "uptime"', 'id = 1\nname = "uptime"', "two parameters have the id 1"),
        ('name = "uptime"', 'name = "boot_count"', "two parameters have the name"),
        ('"uplink_refused", "transfers_active"', '"uplink_refuse"', "unknown parameters"),
        ("default = 5\nmin = 1\nmax = 3600", "default = 0\nmin = 1\nmax = 3600", "min ≤ default ≤ max"),
        ('severity = "info"', 'severity = "bad"', "severity bad"),
        ('subtype = 6\ntext = "Stop', 'subtype = 5\ntext = "Stop', "two commands share"),
        ("[dictionary]", "[dictionary", "not TOML"),
    ],
)
def test_contradictions_are_found(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(DictionaryError, match=message):
        parse(TEXT.replace(old, new, 1).encode())


@pytest.mark.parametrize("value", [10**400, "9" * 500, float("nan"), float("inf"), None, [], {}, 4.5, b"x"])
def test_wild_values_are_refused(value: object) -> None:
    with pytest.raises(ValueRefused):
        encode_command(D.commands["set_profile"], {"profile": value if value is not None else "none"}, D)
    if not isinstance(value, (str, bytes)):
        with pytest.raises(ValueRefused):
            encode_command(D.commands["list_files"], {"path": value if value is not None else 3}, D)


@given(st.binary(max_size=60))
def test_any_bytes_as_a_report_give_values_or_the_declared_error(data: bytes) -> None:
    for report in D.reports.values():
        try:
            values = decode_fields(report.fields, data, D)
        except DictionaryError:
            continue
        assert set(values) <= {f.name for f in report.fields} | {"items"}
