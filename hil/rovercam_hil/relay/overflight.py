"""What a relay pass can carry while the orbiter comes, passes overhead and goes: the rate follows the distance.

The orbit is Tianwen-1's relay orbit as published (8.2 h, periapsis 266 km); the pass is taken to be centred on the periapsis, over the rover.
The radio changes its rate by itself, as Proximity-1 does (CCSDS 211.0-B-6), by factors of two from 1 kbit/s, which it has at the
largest distance of the pass; what free space leaves (the square of the distance) decides when.
"""

from __future__ import annotations

import math

GM = 4.282837e13
"""m³/s², Mars."""
RADIUS = 3_396_190.0
"""Metres, Mars's equator."""
PERIOD = 8.2 * 3600.0
PERIAPSIS = 266_000.0
"""Metres above the surface."""
SLOWEST, FASTEST = 1_000.0, 2_048_000.0
"""Bits per second: the ends of Proximity-1's scale."""


def slant_range(t: float) -> float:
    """Metres between the orbiter and a rover under its periapsis, ``t`` seconds from the periapsis. Mars stands still meanwhile."""
    axis = (GM * (PERIOD / math.tau) ** 2) ** (1 / 3)
    nearest = RADIUS + PERIAPSIS
    eccentricity = 1 - nearest / axis
    mean = math.tau * t / PERIOD
    anomaly = mean
    for _ in range(50):  # Kepler's equation, by Newton
        anomaly -= (anomaly - eccentricity * math.sin(anomaly) - mean) / (1 - eccentricity * math.cos(anomaly))
    x = axis * (math.cos(anomaly) - eccentricity)
    y = axis * math.sqrt(1 - eccentricity**2) * math.sin(anomaly)
    return math.hypot(x - RADIUS, y)


def rates(duration: float, slowest: float = SLOWEST) -> tuple[tuple[float, float], ...]:
    """(seconds from the pass's beginning, bits per second from then on), to the whole second; ``slowest`` at its ends."""
    half = duration / 2
    furthest = slant_range(half)
    steps: list[tuple[float, float]] = []
    for second in range(math.ceil(duration)):
        # What holds over the whole second: it is slower at the end that is further away.
        distance = max(slant_range(second - half), slant_range(min(second + 1.0, duration) - half))
        rate = min(FASTEST, slowest * 2.0 ** math.floor(2 * math.log2(furthest / distance) + 1e-9))
        if not steps or steps[-1][1] != rate:
            steps.append((float(second), rate))
    return tuple(steps)
