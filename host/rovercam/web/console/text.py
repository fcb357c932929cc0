"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rovercam.dictionary import Dictionary


def utc(time: float | None, date: bool = False) -> str:
    """POSIX seconds as UTC, to the second; nothing for what is no time."""
    if time is None:
        return ""
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "?"


def value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.6g}"
    return str(value)


def size_text(count: int | None) -> str:
    """Bytes."""
    if count is None:
        return "?"
    return (
        f"{count} B" if count < 10_000 else f"{count / 1e3:.1f} kB" if count < 10_000_000 else f"{count / 1e6:.1f} MB"
    )


def age_text(seconds: float) -> str:
    seconds = max(0.0, seconds)
    for limit, unit, divisor in ((99.5, "s", 1), (5970, "min", 60), (172_000, "h", 3600)):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def command_name(dictionary: Dictionary, service: int, subtype: int, function: int) -> str:
    """Of a packet, by what its header and first byte say."""
    for command in dictionary.commands.values():
        if (command.service, command.subtype) == (service, subtype) and command.function in (None, function):
            return command.name
    return f"service {service}.{subtype}"
