"""The line profile of a unit follows what its port's policy has measured (rovercam.protocol.adapt decides)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rovercam.protocol.adapt import ProfilePolicy
from rovercam.protocol.profiles import TABLE
from rovercam.station.links import PortLink, UnitLink
from rovercam.station.updates import CommandChanged

MOST_PROBES = 255
"""Frames that one probe_line asks for at most."""


def steer(
    unit: UnitLink, policy: ProfilePolicy, command: Callable[[int, str, dict[str, Any], float], None], now: float
) -> None:
    """Command another profile where one is due; ask an idle line for probe frames soon after it came up."""
    if unit.uplink is None or unit.adapting is not None:
        return
    profile = policy.decide(now)
    if profile is not None:
        unit.adapting = profile
        command(unit.number, "set_profile", {"profile": profile}, now)
    elif not unit.probed and policy.wants_probe():
        unit.probed = True
        frames = min(MOST_PROBES, -(-policy.wants_probe() // TABLE[policy.current].line_length))
        command(unit.number, "probe_line", {"frames": frames}, now)


def told(unit: UnitLink, port: PortLink | None, update: CommandChanged) -> None:
    """The unit did, or refused, a change of profile that was asked for."""
    if unit.adapting is None or update.name != "set_profile" or not update.ended:
        return
    if update.state == "done" and port is not None:
        port.policy.confirmed(int(update.arguments["profile"]), update.time)
    unit.adapting = None
