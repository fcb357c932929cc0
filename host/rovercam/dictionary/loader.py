"""Reads rovercam.toml and checks that it is consistent."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rovercam.dictionary.fields import BASE_TYPES, base_type
from rovercam.dictionary.model import (
    Command,
    Dictionary,
    DictionaryError,
    Event,
    Field,
    Parameter,
    Report,
    Structure,
    UnknownName,
)

DEFINITION = Path(__file__).with_name("rovercam.toml")
SEVERITIES = ("info", "low", "medium", "high")


@lru_cache
def load(path: Path = DEFINITION) -> Dictionary:
    """The dictionary; raises DictionaryError when the definition contradicts itself."""
    text = path.read_bytes()
    return parse(text)


def parse(text: bytes) -> Dictionary:
    try:
        raw = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DictionaryError(f"the definition is not TOML: {error}") from error
    enums = raw.get("enum", {})
    parameters = _by_key((Parameter(**p) for p in raw["parameter"]), "parameter", "name")
    _by_key(parameters.values(), "parameter", "id")
    for p in parameters.values():
        kind = base_type(p.type, enums)
        if kind not in BASE_TYPES:
            raise DictionaryError(f"parameter {p.name}: type {p.type} is not a number")
        if p.settable and (p.min is None or p.max is None or not p.min <= p.default <= p.max):
            raise DictionaryError(f"parameter {p.name}: a settable parameter needs min ≤ default ≤ max")
    structures = {}
    for s in raw["structure"]:
        unknown = [n for n in s["parameters"] if n not in parameters]
        if unknown:
            raise DictionaryError(f"structure {s['name']}: unknown parameters {unknown}")
        structures[s["id"]] = Structure(
            id=s["id"], name=s["name"], period=s["period"], parameters=tuple(parameters[n] for n in s["parameters"])
        )
    commands = _by_key(
        (Command(**{**c, "args": _fields(c.get("args", ()), enums, c["name"])}) for c in raw["command"]),
        "command",
        "name",
    )
    if len({(c.service, c.subtype, c.function) for c in commands.values()}) != len(commands):
        raise DictionaryError("two commands share service, subtype and function")
    reports = {
        (r["service"], r["subtype"]): Report(**{**r, "fields": _fields(r.get("fields", ()), enums, r["name"])})
        for r in raw["report"]
    }
    events = _by_key(
        (Event(**{**e, "fields": _fields(e.get("fields", ()), enums, e["name"])}) for e in raw["event"]), "event", "id"
    )
    for e in events.values():
        if e.severity not in SEVERITIES:
            raise DictionaryError(f"event {e.name}: severity {e.severity} is none of {SEVERITIES}")
    return Dictionary(
        version=raw["dictionary"]["version"],
        hash=int.from_bytes(hashlib.sha256(text.replace(b"\r\n", b"\n")).digest()[:4], "big"),
        enums=enums,
        parameters=parameters,
        structures=structures,
        commands=commands,
        reports=reports,
        events=events,
        failures={v: k for k, v in raw["failure"].items()},
        raw=raw,
    )


def find(table: Mapping[str, Any], name: str, what: str) -> Any:
    """table[name]; raises UnknownName with the nearest names."""
    try:
        return table[name]
    except KeyError:
        near = difflib.get_close_matches(name, table, 3, 0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownName(f"there is no {what} called {name!r}{hint}") from None


def _fields(table: Iterable[dict[str, Any]], enums: Mapping[str, Any], owner: str) -> tuple[Field, ...]:
    fields = tuple(Field(**f) for f in table)
    for f in fields:
        if base_type(f.type.removesuffix("[]"), enums) is None:
            raise DictionaryError(f"{owner}.{f.name}: unknown type {f.type}")
    return fields


def _by_key(items: Iterable[Any], what: str, key: str) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    for item in items:
        k = getattr(item, key)
        if k in table:
            raise DictionaryError(f"two {what}s have the {key} {k!r}")
        table[k] = item
    return table
