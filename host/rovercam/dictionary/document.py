"""The interface document (docs/interface.md), generated from the dictionary."""

from __future__ import annotations

from collections.abc import Iterable

from rovercam.dictionary.fields import raw_range
from rovercam.dictionary.model import Dictionary, Field, Parameter


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


def _table(head: Iterable[str], rows: Iterable[str]) -> list[str]:
    names = list(head)
    return [_row(*names), "|" + "---|" * len(names), *rows, ""]


def _range(field: Field | Parameter, dictionary: Dictionary) -> str:
    if field.type in dictionary.enums:
        return "enumeration " + field.type
    if field.min is None and field.max is None:
        return ""
    low, high = raw_range(field, dictionary)
    return f"{low * field.scale + field.offset:g} … {high * field.scale + field.offset:g}"


def _limits(p: Parameter) -> str:
    parts = []
    for color, low, high in (("yellow", p.yellow_min, p.yellow_max), ("red", p.red_min, p.red_max)):
        if low is not None:
            parts.append(f"{color} < {low:g}")
        if high is not None:
            parts.append(f"{color} > {high:g}")
    return ", ".join(parts)


def markdown(dictionary: Dictionary) -> str:
    """The whole document as Markdown."""
    d = dictionary
    out = [
        "# Interface of the camera unit",
        "",
        "Generated from `host/rovercam/dictionary/rovercam.toml` by `rovercam dictionary generate`; edit that file, not this one.",
        "",
        f"Dictionary version {d.version}, hash `{d.hash:08x}` (the unit reports it in every health report).",
        "",
        "Numbers are big-endian. Strings and byte strings start with one length byte, lists (`TYPE[]`) with one count byte.",
        "Engineering value = raw × scale + offset.",
        "",
        "## Parameters",
        "",
        *_table(
            ("id", "name", "type", "unit", "scale", "range (settable)", "default", "limits", "meaning"),
            (
                _row(
                    p.id,
                    p.name,
                    p.type,
                    p.unit,
                    f"{p.scale:g}" if p.scale != 1 else "",
                    _range(p, d) if p.settable else "",
                    f"{p.default:g}" if p.settable else "",
                    _limits(p),
                    p.text,
                )
                for p in sorted(d.parameters.values(), key=lambda p: p.id)
            ),
        ),
        "## Housekeeping structures (report 3.25)",
        "",
        *_table(
            ("id", "name", "period, s", "parameters"),
            (
                _row(s.id, s.name, f"{s.period:g}", ", ".join(p.name for p in s.parameters))
                for s in d.structures.values()
            ),
        ),
        "## Commands",
        "",
    ]
    for c in sorted(d.commands.values(), key=lambda c: (c.service, c.subtype, c.function or 0)):
        number = f"{c.service}.{c.subtype}" + (f", function {c.function}" if c.function is not None else "")
        notes = (" **Two steps: arm first.**" if c.two_step else "") + (
            " Not in safe and sleep mode." if c.normal_only else ""
        )
        out += [f"### `{c.name}` ({number})", "", c.text + notes, ""]
        if c.args:
            out += _table(
                ("argument", "type", "unit", "range", "default", "meaning"),
                (
                    _row(f.name, f.type, f.unit, _range(f, d), "" if f.default is None else f.default, f.text)
                    for f in c.args
                ),
            )
    out += ["## Reports", ""]
    for r in sorted(d.reports.values(), key=lambda r: (r.service, r.subtype)):
        out += [f"### `{r.name}` ({r.service}.{r.subtype})", "", r.text, ""]
        if r.fields:
            out += _table(
                ("field", "type", "unit", "repeats from here"),
                (_row(f.name, f.type, f.unit, "yes" if f.repeat else "") for f in r.fields),
            )
    out += [
        "## Events (reports 5.1 info, 5.2 low, 5.3 medium, 5.4 high)",
        "",
        *_table(
            ("id", "name", "severity", "text", "fields"),
            (
                _row(e.id, e.name, e.severity, e.text, ", ".join(f"{f.name} {f.type}" for f in e.fields))
                for e in sorted(d.events.values(), key=lambda e: e.id)
            ),
        ),
        "## Failure codes (reports 1.2, 1.4, 1.8)",
        "",
        *_table(("code", "name"), (_row(code, name) for code, name in sorted(d.failures.items()))),
        "## Enumerations",
        "",
        *_table(
            ("name", "values"),
            (_row(name, ", ".join(f"{k} = {v}" for k, v in values.items())) for name, values in d.enums.items()),
        ),
    ]
    return "\n".join(out).rstrip() + "\n"
