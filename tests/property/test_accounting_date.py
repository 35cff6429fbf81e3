from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.region import load_catalog, load_region

# The shipped zones, and three whose clocks change at midnight, where a day may start at one o'clock.
ZONES = sorted(
    {region.timezone for region in load_catalog().values()} | {"America/Havana", "Asia/Beirut", "Africa/Cairo"}
)
DAYS = st.dates(min_value=date(2015, 1, 1), max_value=date(2037, 12, 30))
MOMENTS = st.integers(min_value=0, max_value=8400 * 86400).map(
    lambda s: datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)


@pytest.mark.parametrize("zone", ZONES)
@given(day=DAYS)
def test_days_have_no_gap_and_no_overlap(zone: str, day: date) -> None:
    region = replace(load_region("eu"), timezone=zone)
    start, end = region.day_bounds(day)
    assert region.accounting_date(start) == day
    assert region.accounting_date(end - timedelta(microseconds=1)) == day
    assert region.accounting_date(start - timedelta(microseconds=1)) == day - timedelta(days=1)
    assert region.day_bounds(day + timedelta(days=1))[0] == end
    assert timedelta(hours=23) <= end - start <= timedelta(hours=25)


@pytest.mark.parametrize("zone", ZONES)
@given(at=MOMENTS)
def test_every_moment_lies_in_its_day(zone: str, at: datetime) -> None:
    region = replace(load_region("eu"), timezone=zone)
    start, end = region.day_bounds(region.accounting_date(at))
    assert start <= at < end


def test_clock_changes_make_short_and_long_days() -> None:
    europe = load_region("eu")
    lengths = {
        day: end - start for day in (date(2026, 3, 29), date(2026, 10, 25)) for start, end in [europe.day_bounds(day)]
    }
    assert lengths == {date(2026, 3, 29): timedelta(hours=23), date(2026, 10, 25): timedelta(hours=25)}


def test_the_date_is_the_regions_not_the_clocks() -> None:
    at = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)
    dates = {code: region.accounting_date(at).isoformat() for code, region in load_catalog().items()}
    assert dates == {"eu": "2026-03-14", "us": "2026-03-14", "in": "2026-03-15", "hk": "2026-03-15"}


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        load_region("eu").accounting_date(datetime(2026, 3, 14))  # noqa: DTZ001
