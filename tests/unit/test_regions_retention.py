from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.retention import Period


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("P0D", "2026-03-14", "2026-03-14"),
        ("P30D", "2026-03-14", "2026-04-13"),
        ("P1M", "2026-01-31", "2026-02-28"),
        ("P1M", "2028-01-31", "2028-02-29"),
        ("P13M", "2026-12-31", "2028-01-31"),
        ("P8Y", "2024-02-29", "2032-02-29"),
        ("P1Y", "2024-02-29", "2025-02-28"),
        ("P1Y2M3D", "2026-03-14", "2027-05-17"),
    ],
)
def test_a_period_follows_the_calendar(text: str, start: str, end: str) -> None:
    period = Period.parse(text)
    assert period is not None
    assert period.after(date.fromisoformat(start)) == date.fromisoformat(end)


@pytest.mark.parametrize("text", ["", "P", "8Y", "P-1Y", "P1W", "PT1H", "P1D1Y", "P1.5Y", "p1y", "P1Y "])
def test_other_texts_are_no_period(text: str) -> None:
    assert Period.parse(text) is None


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("P1Y", "P12M", False),
        ("P365D", "P1Y", False),
        ("P366D", "P1Y", True),  # longer than three years in four
        ("P1Y", "P365D", True),  # longer in a leap year
        ("P1M", "P30D", True),
        ("P28D", "P1M", False),
        ("P29D", "P1M", True),  # in February
        ("P10Y", "P8Y", True),
    ],
)
def test_periods_are_compared_by_every_day_they_may_start_on(one: str, other: str, may: bool) -> None:  # noqa: FBT001
    first, second = Period.parse(one), Period.parse(other)
    assert first is not None
    assert second is not None
    assert first.may_exceed(second) is may


@given(
    start=st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 1, 1)),
    months=st.integers(min_value=0, max_value=400),
    days=st.integers(min_value=0, max_value=4000),
)
def test_a_longer_period_never_ends_earlier(start: date, months: int, days: int) -> None:
    end = Period(months, days).after(start)
    assert end >= start
    assert Period(months + 1, days).after(start) > end
    assert Period(months, days + 1).after(start) > end
