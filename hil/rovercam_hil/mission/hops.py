"""Three hops for the portrait: remote camera → rover → orbiter → Earth, and five passes in the blind, four corrupted.

The first hop was flown: unit 2's radio and the rover unit. The others are computed from event to event on the mission's
dates by the relay nodes; the bytes carried are those of the picture that came down the emulated line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rovercam.marstime import SOL, ZHURONG, light_time

from rovercam_hil.mission.checks import Checks
from rovercam_hil.relay.contacts import PROFILES, Contact, Plan, daily, to_earth
from rovercam_hil.relay.network import Network

ROUTE = ("rover", "orbiter", "earth")
BLIND = datetime(2021, 11, 20, 12, 0, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Hops:
    """``seen``: (POSIX seconds, what was asked, where the portrait was then)."""

    seen: list[tuple[float, str]]
    light: float
    passes: list[tuple[float, bool, int]]
    """Blind passes: when, corrupt, bytes of the picture received whole."""
    delivered: float


def relay(portrait: bytes, taken: float, arrived: float, seed: int, checks: Checks, plan: Plan | None = None) -> Hops:
    """``arrived``: when the rover had all of it, by its radio. ``plan``: instead of one pass a sol and a session with Earth."""
    sol = ZHURONG.moment(taken).sol
    plan = plan or Plan([
        *daily(ROUTE[0], ROUTE[1], "uhf", ZHURONG, sol, sol + 1, 16.0),
        *to_earth(ROUTE[1], taken, taken + 2 * SOL),
    ], set(ROUTE))  # fmt: skip
    net = Network(ROUTE, plan, seed)
    net.advance(arrived)
    net.offer(ROUTE[0], "portrait", portrait, priority=1, now=arrived)
    seen = [
        (taken, f"portrait: remote camera: {len(portrait)} of {len(portrait)} bytes"),
        (arrived, f"portrait: all {len(portrait)} bytes: rover"),
    ]
    while net.product("portrait") is None and (due := net.deadline()) is not None:
        net.advance(due)
        held = net.custody("portrait").by_node
        whole = next((n for n, b in held.items() if b == len(portrait)), None)
        if whole and not seen[-1][1].endswith(f"all {len(portrait)} bytes: {whole}"):
            seen.append((due, f"all {len(portrait)} bytes: {whole}"))
    delivered = net.delivered.get("portrait", 0.0)
    account = net.account()
    checks.that(
        "the portrait arrives on Earth over three hops, byte for byte",
        net.product("portrait") == portrait,
        f"{len(portrait)} bytes",
    )
    checks.that("every byte the relay took over is accounted for", account["unaccounted"] == 0, account)
    light = light_time(datetime(2021, 7, 11, tzinfo=UTC).timestamp())
    checks.near("light time on 11 July 2021", light, 20 * 60 + 36, 10, "s")
    return Hops(seen, light_time(taken), _blind(portrait, seed, checks), delivered)


def _blind(picture: bytes, seed: int, checks: Checks) -> list[tuple[float, bool, int]]:
    """Mars Express, 20 November 2021: five tries one after another, the rover being deaf; four come down corrupted."""
    good = seed % 5
    out = []
    p = PROFILES["blind"]
    for k in range(5):
        start = BLIND + k * 86400.0
        contact = Contact(
            source="rover",
            target="orbiter",
            start=start,
            end=start + p.duration,
            rate=p.rate,
            two_way=False,
            corrupt=k != good,
        )
        net = Network(("rover", "orbiter"), Plan([contact]), seed + k)
        net.advance(start - 1.0)
        net.offer("rover", "picture", picture, now=start - 1.0)
        net.advance(start + p.duration + 10.0)
        whole = sum(len(b.data) for b in net.blind.values() if not b.damaged)
        out.append((start, contact.corrupt, whole))
        checks.that(f"blind pass {k + 1}: {'nothing taken as good' if contact.corrupt else 'what came is good'}",
                    (whole == 0) == contact.corrupt, f"{whole} of {len(picture)} bytes good")  # fmt: skip
        held = net.custody("picture").by_node.get("rover", 0)
        checks.that(f"blind pass {k + 1}: the rover keeps what nobody confirmed", held == len(picture), f"{held} bytes")
    return out
