"""The line's description on the command line: ``key=value,…``.

| key | meaning | unit |
|---|---|---|
| baud | rate of the line, 8N1; 0 = no pacing | bit/s |
| ber | error rate of data bits | |
| framing | error rate of start and stop bits: framing errors, false starts | |
| burst, burst_len | part of the time that is pure noise; length of one piece (default 50) | , ms |
| ge_in, ge_out, ge_ber | Gilbert–Elliott: chance per byte to turn bad, to turn good; bit error rate while bad | |
| drop, insert | chance per byte to be lost; to be followed by a byte that nobody sent | |
| delay | one way | s |
| outage | start-end of silence, end may be missing; several joined by + | s |
| oneway | down or up: only this direction works (yes = down) | |
| half | half duplex: silence needed to change direction | ms |
| fifo | bytes that may wait for the line, more are lost; 0 = no limit | byte |
| seed | of everything random | |

``down.`` or ``up.`` before a key (not seed, oneway, half) sets one direction only: down is from the unit to the ground.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace


class LineSpecError(ValueError):
    """The description is wrong: says which part, what was expected and what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionSpec:
    """One direction of the line; see the module's table."""

    baud: int = 115200
    ber: float = 0.0
    framing: float = 0.0
    burst: float = 0.0
    burst_len: float = 50.0
    ge_in: float = 0.0
    ge_out: float = 1.0
    ge_ber: float = 0.5
    drop: float = 0.0
    insert: float = 0.0
    delay: float = 0.0
    outage: tuple[tuple[float, float], ...] = ()
    fifo: int = 0
    dead: bool = False

    @property
    def byte_time(self) -> float:
        """Seconds of one byte, 0 without pacing."""
        return 10.0 / self.baud if self.baud else 0.0


_PROBABILITIES = {"ber", "framing", "burst", "ge_in", "ge_out", "ge_ber", "drop", "insert"}
_NAMES = {f.name for f in fields(DirectionSpec)} - {"dead"}
_COMMON = {"seed", "oneway", "half"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpec:
    """Both directions, and what they share."""

    down: DirectionSpec = field(default_factory=DirectionSpec)
    up: DirectionSpec = field(default_factory=DirectionSpec)
    half: float | None = None
    seed: int = 1

    @classmethod
    def parse(cls, text: str = "", *, baud: int = 115200, seed: int = 1) -> LineSpec:
        """Read ``text``; ``baud`` and ``seed`` are the defaults. Raises LineSpecError."""
        values: dict[str, dict[str, object]] = {"down": {"baud": baud}, "up": {"baud": baud}}
        half: float | None = None
        for part in filter(None, (p.strip() for p in text.split(","))):
            key, found, value = part.partition("=")
            key, value = key.strip(), value.strip()
            if not found or not value:
                raise LineSpecError(f"line: {part!r} is not key=value")
            side, dot, name = key.partition(".")
            if dot and side not in values:
                raise LineSpecError(f"line: {key!r}: a key may begin with down. or up., not {side}.")
            if dot and name in _COMMON:
                raise LineSpecError(f"line: {name} is of the whole line, not of one direction")
            name = name if dot else key
            if name == "seed":
                seed = int(_number(name, value, integer=True))
            elif name == "half":
                half = _number(name, value, low=0.0) * 1e-3
            elif name == "oneway":
                if value not in ("down", "up", "yes", "1", "no", "0"):
                    raise LineSpecError(f"line: oneway={value}: expected down, up, yes or no")
                if value not in ("no", "0"):
                    values["down" if value == "up" else "up"]["dead"] = True
            elif name in _NAMES:
                for target in (side,) if dot else ("down", "up"):
                    values[target][name] = _value(name, value)
            else:
                known = ", ".join(sorted(_NAMES | _COMMON))
                raise LineSpecError(f"line: no key {name!r}; there are {known}")
        down, up = (replace(DirectionSpec(), **values[k]) for k in ("down", "up"))  # type: ignore[arg-type]
        return cls(down=down, up=up, half=half, seed=seed)


def _value(name: str, value: str) -> object:
    if name in ("baud", "fifo"):
        return int(_number(name, value, low=0.0, integer=True))
    if name == "outage":
        return tuple(sorted(_outage(v) for v in value.split("+")))
    return _number(name, value, low=0.0, high=1.0 if name in _PROBABILITIES else None)


def _number(
    name: str, value: str, *, low: float | None = None, high: float | None = None, integer: bool = False
) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (integer and number != int(number)):
        raise LineSpecError(f"line: {name}={value}: expected {'an integer' if integer else 'a number'}")
    if (low is not None and number < low) or (high is not None and number > high):
        limits = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise LineSpecError(f"line: {name}={value}: expected {limits}")
    return number


def _outage(text: str) -> tuple[float, float]:
    start, dash, end = text.partition("-")
    if not dash:
        raise LineSpecError(f"line: outage={text}: expected start-end in seconds, like outage=10-13")
    first = _number("outage", start or "0", low=0.0)
    last = _number("outage", end, low=0.0) if end else math.inf
    if last <= first:
        raise LineSpecError(f"line: outage={text}: ends before it starts")
    return first, last
