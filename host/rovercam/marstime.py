"""Time on Mars: sol, local solar times, areocentric season (Ls), where the Sun stands, and light time from Earth.

The Mars24 algorithm (Allison and McEwen, Planet. Space Sci. 48 (2000) 215-235, with the coefficients as later revised by
NASA GISS). Local mean solar time is good to a second, Ls to about 0.01 degree between 1874 and 2127.

Times given to this module are POSIX seconds (UTC without leap seconds, as `datetime.timestamp()`). Angles are degrees,
longitudes east, latitudes planetographic, distances astronomical units unless a name says otherwise.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime

DAY = 86400.0
SOL = 1.0274912517 * DAY
"""Length of a mean solar day on Mars, in SI seconds."""
AU_LIGHT_SECONDS = 499.004783836
_J2000_POSIX = 946728000.0  # 2000-01-01T12:00:00 UTC as POSIX seconds

# TAI - UTC from each date on (IERS Bulletin C). A fixed 37 s would be 5 s off in 2000.
_LEAPS = (
    (1972, 1, 10), (1972, 7, 11), (1973, 1, 12), (1974, 1, 13), (1975, 1, 14), (1976, 1, 15), (1977, 1, 16),
    (1978, 1, 17), (1979, 1, 18), (1980, 1, 19), (1981, 7, 20), (1982, 7, 21), (1983, 7, 22), (1985, 7, 23),
    (1988, 1, 24), (1990, 1, 25), (1991, 1, 26), (1992, 7, 27), (1993, 7, 28), (1994, 7, 29), (1996, 1, 30),
    (1997, 7, 31), (1999, 1, 32), (2006, 1, 33), (2009, 1, 34), (2012, 7, 35), (2015, 7, 36), (2017, 1, 37),
)  # fmt: skip
_LEAP_POSIX = [datetime(y, m, 1, tzinfo=UTC).timestamp() for y, m, _ in _LEAPS]

# Perturbations of Mars's longitude by the other planets: amplitude (deg), period (Julian years), phase (deg).
_PERTURBATIONS = (
    (0.0071, 2.2353, 49.409), (0.0057, 2.7543, 168.173), (0.0039, 1.1177, 191.837), (0.0037, 15.7866, 21.736),
    (0.0021, 2.1354, 15.704), (0.0020, 2.4694, 95.528), (0.0018, 32.8493, 49.095),
)  # fmt: skip


def tai_minus_utc(t: float) -> int:
    """Whole seconds of TAI - UTC at POSIX time `t`; before 1972 the first value, 10 s, is returned."""
    i = bisect_right(_LEAP_POSIX, t)
    return _LEAPS[max(i - 1, 0)][2]


def days_j2000_tt(t: float) -> float:
    """Days of terrestrial time since J2000.0 (2000-01-01 12:00 TT)."""
    return (t - _J2000_POSIX + tai_minus_utc(t) + 32.184) / DAY


def _sin(deg: float) -> float:
    return math.sin(math.radians(deg))


def _cos(deg: float) -> float:
    return math.cos(math.radians(deg))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planet:
    """What does not depend on the site: season, mean time at the prime meridian, the Sun's declination and distance."""

    ls: float
    """Areocentric solar longitude, degrees: 0 at northern spring equinox."""
    msd: float
    """Mars Sol Date, sols since 1873-12-29 at the prime meridian."""
    equation_of_time: float
    """Degrees by which the true Sun is ahead of the mean Sun."""
    declination: float
    """Planetographic latitude of the subsolar point, degrees."""
    sun_distance: float
    """Heliocentric distance, astronomical units."""


def planet(t: float) -> Planet:
    """Season and mean time of the whole planet at POSIX time `t`."""
    d = days_j2000_tt(t)
    mean_anomaly = 19.3871 + 0.52402073 * d
    fictitious_sun = 270.3871 + 0.524038496 * d
    perturbation = sum(a * _cos(0.985626 * d / tau + phi) for a, tau, phi in _PERTURBATIONS)
    centre = (
        (10.691 + 3.0e-7 * d) * _sin(mean_anomaly)
        + 0.623 * _sin(2 * mean_anomaly)
        + 0.050 * _sin(3 * mean_anomaly)
        + 0.005 * _sin(4 * mean_anomaly)
        + 0.0005 * _sin(5 * mean_anomaly)
        + perturbation
    )
    ls = (fictitious_sun + centre) % 360.0
    eot = 2.861 * _sin(2 * ls) - 0.071 * _sin(4 * ls) + 0.002 * _sin(6 * ls) - centre
    return Planet(
        ls=ls,
        # The epoch 2405522.0028779 TT as days before J2000.0, so that no precision is lost to the large Julian date.
        msd=(d + 2451545.0 - 2405522.0028779) / 1.0274912517,
        equation_of_time=eot,
        declination=math.degrees(math.asin(0.42565 * _sin(ls))) + 0.25 * _sin(ls),
        sun_distance=1.52367934
        * (
            1.00436
            - 0.09309 * _cos(mean_anomaly)
            - 0.004336 * _cos(2 * mean_anomaly)
            - 0.00031 * _cos(3 * mean_anomaly)
            - 0.00003 * _cos(4 * mean_anomaly)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One instant at one site."""

    sol: int
    """Sol number at the site; the sol of landing has the site's `first_sol`."""
    lmst: float
    """Local mean solar time, hours 0 … 24."""
    ltst: float
    """Local true solar time, hours 0 … 24."""
    ls: float
    sun_elevation: float
    """Degrees above the horizon, negative at night."""
    sun_azimuth: float
    """Degrees from north over east."""
    sun_distance: float

    @property
    def label(self) -> str:
        """For captions: `sol 18 13:58 LMST`."""
        return f"sol {self.sol} {clock(self.lmst)} LMST"


def clock(hours: float, seconds: bool = False) -> str:
    """Hours as hh:mm or hh:mm:ss, cut (not rounded), as clocks are read."""
    whole = int(hours * 3600 + 1e-6) % 86400
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
    return f"{text}:{whole % 60:02d}" if seconds else text


@dataclass(frozen=True, slots=True)
class Site:
    """A landing site: where, and when its sol count began."""

    name: str
    latitude: float
    """Planetographic, degrees north."""
    longitude: float
    """Degrees east."""
    landing: float
    """POSIX time of landing."""
    first_sol: int = 1

    def _local_msd(self, t: float) -> float:
        return planet(t).msd + self.longitude / 360.0

    def moment(self, t: float) -> Moment:
        """Sol, times and Sun at POSIX time `t`."""
        p = planet(t)
        local = p.msd + self.longitude / 360.0
        lmst = (local % 1.0) * 24.0
        ltst = (lmst + p.equation_of_time / 15.0) % 24.0
        elevation, azimuth = self._sun(p.declination, ltst)
        return Moment(
            sol=math.floor(local) - math.floor(self._local_msd(self.landing)) + self.first_sol,
            lmst=lmst,
            ltst=ltst,
            ls=p.ls,
            sun_elevation=elevation,
            sun_azimuth=azimuth,
            sun_distance=p.sun_distance,
        )

    def _sun(self, declination: float, ltst: float) -> tuple[float, float]:
        hour_angle = (ltst - 12.0) * 15.0
        sin_el = _sin(declination) * _sin(self.latitude) + _cos(declination) * _cos(self.latitude) * _cos(hour_angle)
        # Allison and McEwen's azimuth, measured from north over east: the Sun is east of the meridian before noon.
        azimuth = math.degrees(
            math.atan2(
                -_cos(declination) * _sin(hour_angle),
                _cos(self.latitude) * _sin(declination) - _sin(self.latitude) * _cos(declination) * _cos(hour_angle),
            )
        )
        return math.degrees(math.asin(max(-1.0, min(1.0, sin_el)))), azimuth % 360.0

    def time_of(self, sol: int, lmst: float) -> float:
        """POSIX time at which the site's mean clock shows `lmst` hours on `sol` (the inverse of `moment`)."""
        target = math.floor(self._local_msd(self.landing)) + (sol - self.first_sol) + lmst / 24.0
        t = self.landing
        for _ in range(3):  # linear but for leap seconds: the second round is exact
            t += (target - self._local_msd(t)) * SOL
        return t


ZHURONG = Site(
    "Zhurong, southern Utopia Planitia", 25.066, 109.925, datetime(2021, 5, 14, 23, 18, tzinfo=UTC).timestamp()
)

# Keplerian elements and their rates per century, mean ecliptic of J2000 (Standish, approximate positions of the
# planets 1800-2050): a, e, inclination, mean longitude, longitude of perihelion, longitude of the node.
_EARTH = (
    (1.00000261, 0.01671123, -0.00001531, 100.46457166, 102.93768193, 0.0),
    (0.00000562, -0.00004392, -0.01294668, 35999.37244981, 0.32327364, 0.0),
)
_MARS = (
    (1.52371034, 0.09339410, 1.84969142, -4.55343205, -23.94362959, 49.55953891),
    (0.00001847, 0.00007882, -0.00813131, 19140.30268499, 0.44441088, -0.29257343),
)


def _heliocentric(elements: tuple[tuple[float, ...], tuple[float, ...]], t: float) -> tuple[float, float, float]:
    century = days_j2000_tt(t) / 36525.0
    a, e, i, longitude, perihelion, node = (x + r * century for x, r in zip(*elements, strict=True))
    m = math.radians((longitude - perihelion + 180.0) % 360.0 - 180.0)
    ecc = m + e * math.sin(m)
    for _ in range(6):
        ecc -= (ecc - e * math.sin(ecc) - m) / (1 - e * math.cos(ecc))
    x, y = a * (math.cos(ecc) - e), a * math.sqrt(1 - e * e) * math.sin(ecc)
    w = perihelion - node
    u = x * _cos(w) - y * _sin(w)
    v = x * _sin(w) + y * _cos(w)
    return (
        u * _cos(node) - v * _sin(node) * _cos(i),
        u * _sin(node) + v * _cos(node) * _cos(i),
        v * _sin(i),
    )


def earth_distance(t: float) -> float:
    """Earth-Mars distance in astronomical units at POSIX time `t`, to about 0.0002."""
    return math.dist(_heliocentric(_EARTH, t), _heliocentric(_MARS, t))


def light_time(t: float) -> float:
    """One-way light time Earth-Mars in seconds."""
    return earth_distance(t) * AU_LIGHT_SECONDS


def solar_elongation(t: float) -> float:
    """Angle Sun-Earth-Mars in degrees: a few degrees around conjunction, when the Sun drowns the link."""
    earth, mars = _heliocentric(_EARTH, t), _heliocentric(_MARS, t)
    to_mars = [m - e for m, e in zip(mars, earth, strict=True)]
    dot = -sum(e * m for e, m in zip(earth, to_mars, strict=True))
    return math.degrees(math.acos(dot / (math.hypot(*earth) * math.hypot(*to_mars))))
