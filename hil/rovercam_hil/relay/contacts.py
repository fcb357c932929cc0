"""Contact plans: when two nodes hear each other, how fast, how far, how well. Exact arithmetic on virtual time.

Times are POSIX seconds, rates bits per second, delays seconds of light time. A plan is checked before anything starts.
"""

from __future__ import annotations

import math
import tomllib
from bisect import bisect_right
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

from rovercam.marstime import SOL, Site, light_time

from rovercam_hil.relay import overflight


class PlanError(ValueError):
    """An impossible contact plan; the message names the contact and says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One pass: `source` is heard by `target` from `start` to `end`."""

    source: str
    target: str
    start: float
    end: float
    rate: float
    """Bits per second offered to the relay's payload."""
    delay: float = 0.0
    """One-way light time in seconds, constant over the pass."""
    loss: float = 0.0
    """Probability that a block is lost."""
    two_way: bool = True
    """False: the target hears but cannot answer (in the blind), so nothing is confirmed."""
    corrupt: bool = False
    """Everything received in this pass is damaged."""
    rates: tuple[tuple[float, float], ...] = ()
    """Of an adaptive radio: (seconds from start, bits per second from then on); `rate` is then what it has before the first."""

    def rate_at(self, time: float) -> float:
        """Bits per second at a moment of the pass."""
        now = self.rate
        for after, rate in self.rates:
            if time < self.start + after - 1e-9:
                break
            now = rate
        return now

    def rest(self, now: float) -> Contact:
        """What is left of a pass that has begun; one that has not, as it is."""
        if not self.start < now < self.end:
            return self
        steps = tuple((self.start + after - now, rate) for after, rate in self.rates if self.start + after > now)
        return replace(self, start=now, rate=self.rate_at(now), rates=steps)

    def sent(self, time: float, size: int) -> float:
        """When so many bytes are out whose transmission begins at `time`."""
        bits = size * 8.0
        rate = self.rate_at(time)
        for after, following in self.rates:
            change = self.start + after
            if change <= time + 1e-9:
                continue
            if bits <= (change - time) * rate:
                break
            bits -= (change - time) * rate
            time, rate = change, following
        return time + bits / rate

    @property
    def capacity(self) -> int:
        """Whole bytes the pass can carry."""
        times = [self.start, *(min(self.end, self.start + after) for after, _ in self.rates), self.end]
        bits = sum((b - a) * self.rate_at(a) for a, b in pairwise(times) if b > a)
        return math.floor(bits / 8 + 1e-9)


@dataclass(frozen=True)
class Profile:
    """A kind of hop: what a pass of it is like. Sources: see `PROFILES`."""

    name: str
    rate: float
    duration: float
    loss: float = 0.0
    two_way: bool = True
    adaptive: bool = False
    """`rate` is where it begins; over the pass it follows the distance (relay.overflight)."""

    @property
    def rates(self) -> tuple[tuple[float, float], ...]:
        return overflight.rates(self.duration, self.rate) if self.adaptive else ()


PROFILES = {
    # Short-range radio between the released camera and the rover.
    "remote": Profile("remote", 1_000_000.0, 3600.0, 0.01),
    # Tianwen-1 relay: one pass a sol; adaptive from 1 kbit/s. The 830 s, horizon to horizon, follow from its orbit.
    "uhf": Profile("uhf", 1_000.0, 830.0, 0.005, adaptive=True),
    # Mars Express, 20 November 2021: heard, but deaf to the hail: 10 minutes in the blind at about 4,000 km.
    "blind": Profile("blind", 8_000.0, 600.0, 0.02, two_way=False),
    # A generic Electra pass: 8 minutes, 100-250 Mbit, up to 2 Mbit/s.
    "electra": Profile("electra", 350_000.0, 480.0, 0.002),
    # Rover to Earth without an orbiter: about 16 bit/s.
    "direct": Profile("direct", 16.0, 3600.0, 0.01),
    # Orbiter to Earth.
    "earth": Profile("earth", 1_000_000.0, 8 * 3600.0, 0.001),
}


class Plan:
    """Contacts in order of start. Raises PlanError for what cannot be."""

    def __init__(self, contacts: list[Contact], nodes: set[str] | None = None) -> None:
        for k, c in enumerate(contacts):
            where = f"contact {k + 1} ({c.source} to {c.target})"
            if c.source == c.target:
                raise PlanError(f"{where}: a node cannot be in contact with itself")
            if nodes is not None and not {c.source, c.target} <= nodes:
                raise PlanError(f"{where}: unknown node {', '.join(sorted({c.source, c.target} - nodes))}")
            if not (math.isfinite(c.start) and math.isfinite(c.end)) or c.end <= c.start:
                raise PlanError(f"{where}: it ends at {c.end} but starts at {c.start}")
            for rate in (c.rate, *(r for _, r in c.rates)):
                if not rate > 0:
                    raise PlanError(f"{where}: a rate of {rate} bit/s carries nothing")
            if any(b <= a for (a, _), (b, _) in pairwise(c.rates)):
                raise PlanError(f"{where}: its rates are not in order of time")
            if c.delay < 0:
                raise PlanError(f"{where}: a light time of {c.delay} s is in the past")
            if not 0 <= c.loss <= 1:
                raise PlanError(f"{where}: a loss of {c.loss} is not a probability")
        self.contacts = sorted(contacts, key=lambda c: (c.start, c.source, c.target))
        last: dict[tuple[str, str], Contact] = {}
        for c in self.contacts:
            before = last.get((c.source, c.target))
            if before is not None and c.start < before.end:
                raise PlanError(
                    f"contacts {c.source} to {c.target} overlap: one ends at {before.end}, the next starts at {c.start}"
                )
            last[(c.source, c.target)] = c
        self._starts = [c.start for c in self.contacts]

    def cut(self, source: str, target: str, at: float) -> Plan:
        """The plan with the contact running at `at` ended there."""
        out = []
        for c in self.contacts:
            if (c.source, c.target) == (source, target) and c.start < at < c.end:
                c = replace(c, end=at)  # noqa: PLW2901
            out.append(c)
        return Plan(out)

    def following(self, t: float) -> list[Contact]:
        """Contacts that start at `t` or later."""
        return self.contacts[bisect_right(self._starts, t - 1e-12) :]


def load(path: Path, nodes: set[str]) -> Plan:
    """A plan of one's own: TOML, a table [[contact]] per pass with Contact's fields, start and end as date-times or POSIX
    seconds. Raises PlanError with the reason."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"contact plan {path}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"contact plan {path}: {error}") from None
    items = found.get("contact")
    if not isinstance(items, list) or not items:
        raise PlanError(f"contact plan {path}: expected tables [[contact]]")
    known = {f.name for f in fields(Contact)}
    contacts = []
    for k, item in enumerate(items, 1):
        if unknown := set(item) - known:
            raise PlanError(f"contact {k}: no field {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        if missing := {"source", "target", "start", "end", "rate"} - set(item):
            raise PlanError(f"contact {k}: {', '.join(sorted(missing))} is missing")
        try:
            times = {n: t.timestamp() if hasattr(t := item[n], "timestamp") else float(t) for n in ("start", "end")}
            steps = tuple((float(after), float(rate)) for after, rate in item.get("rates", ()))
            contacts.append(Contact(**{**item, **times, "rates": steps}))
        except (TypeError, ValueError) as error:
            raise PlanError(f"contact {k}: {error}") from None
    return Plan(contacts, nodes)


def daily(source: str, target: str, profile: Profile | str, site: Site, first_sol: int, last_sol: int, lmst: float,
          *, delay: float = 0.013) -> list[Contact]:  # fmt: skip
    """One pass per sol centred on a local mean solar time, from `first_sol` to `last_sol`."""
    p = PROFILES[profile] if isinstance(profile, str) else profile
    out = []
    for sol in range(first_sol, last_sol + 1):
        middle = site.time_of(sol, lmst)
        out.append(
            Contact(source=source, target=target, start=middle - p.duration / 2, end=middle + p.duration / 2, rate=p.rate,
                    rates=p.rates, delay=delay, loss=p.loss, two_way=p.two_way)
        )  # fmt: skip
    return out


def to_earth(source: str, first: float, last: float, *, target: str = "earth", every: float = SOL, after: float = 3600.0,
             profile: Profile | str = "earth") -> list[Contact]:  # fmt: skip
    """Downlink sessions from an orbiter with the light time of each date."""
    p = PROFILES[profile] if isinstance(profile, str) else profile
    out, t = [], first + after
    while t < last:
        out.append(
            Contact(source=source, target=target, start=t, end=t + min(p.duration, every * 0.9), rate=p.rate,
                    delay=light_time(t), loss=p.loss)
        )  # fmt: skip
        t += every
    return out
