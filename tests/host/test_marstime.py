"""Mars time against published values: Zhurong's mission reports, and the worked example of Mars24."""

from datetime import UTC, datetime

import pytest
from rovercam import marstime
from rovercam.marstime import ZHURONG


def utc(*args: int) -> float:
    return datetime(*args, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("date", "sol"),
    [
        ((2021, 6, 1), 18),
        ((2021, 6, 26), 42),
        ((2021, 7, 4), 50),
        ((2021, 8, 6), 82),
        ((2021, 12, 1), 196),
        ((2021, 12, 31), 225),
    ],
)
def test_published_sol_labels(date: tuple[int, int, int], sol: int) -> None:
    for hour in (0, 4, 12):
        assert ZHURONG.moment(utc(*date, hour)).sol == sol


def test_landing() -> None:
    m = ZHURONG.moment(ZHURONG.landing)
    assert m.sol == 1
    assert abs(m.lmst - (13 + 58 / 60)) < 1 / 60
    assert m.ls == pytest.approx(45.2, abs=0.05)


def test_mars24_worked_example() -> None:
    """2000-01-06 00:00 UTC, as in the algorithm's published example: MSD 44795.99976, Ls 277.18758, prime meridian."""
    t = utc(2000, 1, 6)
    p = marstime.planet(t)
    assert p.ls == pytest.approx(277.18758, abs=0.002)
    assert p.msd == pytest.approx(44795.99976, abs=2e-5)
    assert p.equation_of_time == pytest.approx(-5.18774, abs=0.002)
    assert p.sun_distance == pytest.approx(1.39358, abs=2e-5)
    meridian = marstime.Site("Airy", 0.0, 0.0, t).moment(t)
    assert marstime.clock(meridian.lmst, seconds=True) == "23:59:39"
    assert marstime.clock(meridian.ltst, seconds=True) == "23:38:54"


def test_leap_seconds() -> None:
    assert marstime.tai_minus_utc(utc(2000, 1, 1)) == 32
    assert marstime.tai_minus_utc(utc(2016, 12, 31, 23, 59, 59)) == 36
    assert marstime.tai_minus_utc(utc(2021, 5, 14)) == 37


def test_sun_on_the_meridian_and_at_the_horizon() -> None:
    day = utc(2021, 6, 6)
    noon = min((ZHURONG.moment(day + s) for s in range(0, 90000, 60)), key=lambda m: abs(m.ltst - 12.0))
    # The Sun's declination is 20.8 degrees at Ls 55, south of the site's 25.07: it culminates in the south.
    assert noon.sun_elevation == pytest.approx(90 - 25.066 + marstime.planet(day).declination, abs=0.1)
    assert abs(noon.sun_azimuth - 180.0) < 4.0
    morning = ZHURONG.moment(ZHURONG.time_of(20, 8.0))
    evening = ZHURONG.moment(ZHURONG.time_of(20, 17.0))
    assert 45 < morning.sun_azimuth < 135
    assert 225 < evening.sun_azimuth < 315
    assert ZHURONG.moment(ZHURONG.time_of(20, 0.5)).sun_elevation < -30


def test_time_of_is_the_inverse_of_moment() -> None:
    for sol, lmst in ((1, 14.0), (18, 0.01), (225, 23.99)):
        m = ZHURONG.moment(ZHURONG.time_of(sol, lmst))
        assert (m.sol, m.lmst) == (sol, pytest.approx(lmst, abs=1e-5))


def test_light_time_and_conjunction() -> None:
    assert marstime.light_time(utc(2021, 7, 11)) == pytest.approx(20 * 60 + 36, abs=10)
    days = [utc(2020, 10, 1) + 86400 * d for d in range(800)]
    times = [marstime.light_time(t) / 60 for t in days]
    assert min(times) == pytest.approx(3.4, abs=0.2)
    assert max(times) == pytest.approx(22.0, abs=0.5)
    # The blackout of 2-16 October 2021 is centred on conjunction.
    autumn = [utc(2021, 9, 1) + 3600 * h for h in range(24 * 70)]
    conjunction = min(autumn, key=marstime.solar_elongation)
    assert utc(2021, 10, 6) < conjunction < utc(2021, 10, 10)
