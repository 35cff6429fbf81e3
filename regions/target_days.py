"""The TARGET calendar: the days on which the ECB publishes, and when.

Source: ECB decision of 2000-12-14 (TARGET long-term calendar, in force from 2002); the years before had the
exceptions named below. Reference rates appear at about 16:00 Central European time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CENTRAL_EUROPE = ZoneInfo("Europe/Berlin")
PUBLICATION_TIME = time(16, 0)

CLOSED_ONCE = frozenset({date(1999, 12, 31), date(2001, 12, 31)})
OPEN_ONCE = frozenset({date(1999, 4, 2), date(1999, 4, 5)})


def is_business_day(day: date) -> bool:
    """Whether the ECB publishes reference rates on `day`."""
    if day in OPEN_ONCE:
        return True
    if day in CLOSED_ONCE or day.weekday() >= 5:  # noqa: PLR2004 - Saturday is 5
        return False
    sunday = easter_sunday(day.year)
    if day in (sunday - timedelta(days=2), sunday + timedelta(days=1)):
        return False
    return (day.month, day.day) not in {(1, 1), (5, 1), (12, 25), (12, 26)}


def easter_sunday(year: int) -> date:
    """Easter in the Gregorian calendar (the rule of Meeus, Jones and Butcher)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leaps, left = divmod(century, 4)
    moon = (19 * golden + century - leaps - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * left + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def business_days(first: date, last: date) -> list[date]:
    """The publication days from `first` to `last`, both included."""
    days = ((first + timedelta(days=n)) for n in range((last - first).days + 1))
    return [day for day in days if is_business_day(day)]


def publication_moment(rate_date: date) -> datetime:
    """When the rates of `rate_date` become known, UTC."""
    return datetime.combine(rate_date, PUBLICATION_TIME, CENTRAL_EUROPE).astimezone(UTC)


def central_date(at: datetime) -> date:
    """The date of a moment where the rates are published."""
    return at.astimezone(CENTRAL_EUROPE).date()
