"""Weather by local time of sol, and the rover's power and temperatures. Sans-IO; `step` takes virtual time.

Levels are typical for 25° N, -4.1 km, northern spring: air -88 … -20 °C, 820 … 860 Pa with the thermal tide, light
winds that rise in the afternoon. They are a climate to live in, not a record of the site [?].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rovercam.marstime import SOL, Site

from rovercam_hil.world.light import irradiance
from rovercam_hil.world.noise import gradient_noise

SOLAR_CONSTANT = 589.2
"""W/m² above the air at 1.52 AU."""
WAKE_POWER = 140.0
WAKE_TEMPERATURE = -15.0
"""The rover wakes by itself above 140 W and -15 °C: its published rule."""


@dataclass(frozen=True)
class Weather:
    """Air at the mast."""

    temperature: float
    """°C."""
    pressure: float
    """Pa."""
    humidity: float
    """Relative, %."""
    wind_speed: float
    """m/s."""
    wind_from: float
    """Degrees from north over east the wind comes from."""
    ground_temperature: float
    """°C of the soil's surface."""


def saturation(celsius: float) -> float:
    """Pa of water vapour over ice (Magnus formula)."""
    return 611.0 * math.exp(22.46 * celsius / (272.62 + celsius))


def saturated(vapour: float) -> float:
    """°C at which the vapour's pressure (Pa) is that of saturation."""
    ratio = math.log(vapour / 611.0)
    return 272.62 * ratio / (22.46 - ratio)


def weather(site: Site, t: float, seed: int = 1) -> Weather:
    """Weather at POSIX time `t`; the same for the same site, time and seed."""
    m = site.moment(t)
    hour = m.ltst

    def slow(period: float, channel: int) -> float:
        return float(gradient_noise(t / period, 0.37 + channel, seed + 900 + channel)[0])

    day = max(math.cos((hour - 13.2) / 24 * 2 * math.pi), -0.35)
    # Heated quickly in the morning, cooled slowly in the night.
    warm = (day + 0.35) / 1.35 if hour > 6.0 else 0.0
    night_hours = (hour - 18.0) % 24.0
    cool = math.exp(-night_hours / 7.0) if night_hours < 12.0 else math.exp(-12.0 / 7.0)
    share = max(warm**0.8, 0.30 * cool - 0.05)
    season = 4.0 * math.sin(math.radians(m.ls))
    air = -88.0 + 66.0 * share + season + 1.5 * slow(400.0, 0) * (0.3 + share) + 3.0 * slow(3 * SOL, 1)
    ground = -92.0 + 94.0 * max(warm, 0.12 * cool) + season
    tide = 14.0 * math.cos((hour - 7.5) / 24 * 2 * math.pi) + 7.0 * math.cos((hour - 9.5) / 12 * 2 * math.pi)
    pressure = 838.0 + 28.0 * math.cos(math.radians(m.ls - 55.0)) + tide + 2.0 * slow(2 * SOL, 2)
    speed = max(0.2, 2.0 + 5.0 * share + 2.5 * slow(1800.0, 3) + 2.0 * (0.3 + share) * slow(45.0, 4))
    direction = (135.0 + 15.0 * (hour - 12.0) + 40.0 * slow(3600.0, 5)) % 360.0
    # Very little water: a fixed vapour pressure against the falling saturation pressure over ice.
    humidity = min(100.0, 100.0 * 0.06 / saturation(air))
    return Weather(air, pressure, humidity, speed, direction, ground)


class Power:
    """Solar wings, battery, internal temperature. `load` in watts is set from outside (what the unit and mobility draw)."""

    def __init__(self, site: Site, *, tau: float = 0.45, area: float = 2.3, efficiency: float = 0.28, capacity: float = 1100.0,
                 charge: float = 0.8, seed: int = 1) -> None:  # fmt: skip
        self.site = site
        self.tau = tau
        self.area = area
        self.efficiency = efficiency
        self.capacity = capacity
        """Watt-hours."""
        self.energy = charge * capacity
        self.seed = seed
        self.load = 25.0
        self.heater = 0.0
        self.dust = 0.02
        """Share of the wings' light lost to settled dust; grows about 0.2 % a sol."""
        self.internal = 5.0
        """°C inside the body."""
        self.solar = 0.0
        self._time: float | None = None

    def wings(self, t: float) -> float:
        """Watts the wings would give at POSIX time `t`."""
        m = self.site.moment(t)
        direct, diffuse = irradiance(m.sun_elevation, self.tau, m.sun_distance)
        level = float((direct * max(math.sin(math.radians(m.sun_elevation)), 0.0) + diffuse).mean())
        return SOLAR_CONSTANT * level * self.area * self.efficiency * (1.0 - self.dust)

    def step(self, t: float) -> None:
        """Advance to POSIX time `t` in steps of at most 60 s (600 s for gaps of more than an hour)."""
        if self._time is None:
            self._time = t
        while self._time < t:
            h = min(600.0 if t - self._time > 3600.0 else 60.0, t - self._time)
            self._time += h
            self._one(self._time, h)

    def _one(self, t: float, h: float) -> None:
        self.solar = self.wings(t)
        self.dust = min(0.8, self.dust + 0.002 * h / SOL)
        air = weather(self.site, t, self.seed).temperature
        self.heater = 0.0 if self.internal > -10.0 else min(30.0, (-10.0 - self.internal) * 10.0)
        draw = self.load + self.heater if self.energy > 0 else 0.0
        self.energy = min(self.capacity, max(0.0, self.energy + (self.solar - draw) * h / 3600.0))
        # The windows' stored heat and the electronics' losses against the cold: an insulated box of about 5 hours.
        gain = 0.6 * draw + 0.12 * self.solar
        equilibrium = air + 1.15 * gain
        self.internal += (equilibrium - self.internal) * (1 - math.exp(-h / 18000.0))

    @property
    def charge(self) -> float:
        """0 … 1."""
        return self.energy / self.capacity

    @property
    def voltage(self) -> float:
        """Bus voltage: six lithium cells, 18 … 25.2 V."""
        c = self.charge
        return min(18.0 + 4.6 * min(c * 8, 1.0) + 2.6 * c, 25.2)

    @property
    def current(self) -> float:
        """Amperes out of the battery; negative while charging."""
        draw = self.load + self.heater if self.energy > 0 else 0.0
        net = draw - self.solar
        if net < 0 and self.charge >= 1.0:
            net = 0.0
        return net / self.voltage

    @property
    def may_wake(self) -> bool:
        """The published rule for waking from dormancy."""
        return self.solar > WAKE_POWER and self.internal > WAKE_TEMPERATURE
