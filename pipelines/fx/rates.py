"""Which reference rate applies, and what an amount becomes: pure, exact, without look-ahead.

A published day is the set of rates that a central bank stated for one date. It is known from `published_at` on, never
before. Between two publications (weekends, holidays) the last known day applies, for at most `MAX_AGE_DAYS`; after that
nothing applies, because a silent stale rate is worse than an error. A currency that the applicable day does not quote
(`N/A`, discontinued) is an error too: falling back to the last day that quoted it would convert roubles at the rate of
March 2022 for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

BASE = "EUR"
MAX_AGE_DAYS = 6
"""The longest that a published day may serve: the widest gap of the calendar is five days (Easter, Christmas)."""


class RateError(Exception):
    """No rate applies; the message says why, for whom and when."""


class NoPublicationError(RateError):
    """Nothing was published on or before the moment asked for, within the cap."""


class CurrencyNotQuotedError(RateError):
    """The publication that applies does not quote the currency: never quoted, `N/A` that day, discontinued."""


@dataclass(frozen=True, slots=True)
class PublishedDay:
    """The rates of one date: units of each quote currency for one EUR, unrounded."""

    rate_date: date
    published_at: datetime
    rates: Mapping[str, Decimal]
    source: str


@dataclass(frozen=True, slots=True)
class CrossRate:
    """Units of `quote` for one unit of `base`, exact, with the day it comes from."""

    base: str
    quote: str
    rate: Fraction
    rate_date: date
    source: str


class RateTable:
    """All published days of one provider, looked up as of a date or a moment."""

    def __init__(self, days: Iterable[PublishedDay]) -> None:
        self._days = sorted(days, key=lambda day: day.rate_date)
        self._dates = [day.rate_date for day in self._days]
        if len(set(self._dates)) != len(self._dates):
            raise ValueError("one date was published twice: load each rate_date once")

    def published_on(self, on: date) -> PublishedDay:
        """The last day dated on or before `on` (whatever the hour), at most MAX_AGE_DAYS old."""
        return self._within_cap(bisect_right(self._dates, on) - 1, on)

    def published_at(self, at: datetime, today: date) -> PublishedDay:
        """The last day already published at `at`; `today` is the date of `at` where the rates are published."""
        index = bisect_right(self._dates, today) - 1
        while index >= 0 and self._days[index].published_at > at:
            index -= 1
        return self._within_cap(index, today)

    def cross(self, base: str, quote: str, day: PublishedDay) -> CrossRate:
        """Units of `quote` for one `base`, through EUR, unrounded."""
        rate = Fraction(self._rate(quote, day)) / Fraction(self._rate(base, day))
        return CrossRate(base, quote, rate, day.rate_date, day.source)

    def _rate(self, currency: str, day: PublishedDay) -> Decimal:
        if currency == BASE:
            return Decimal(1)
        rate = day.rates.get(currency)
        if rate is not None:
            return rate
        last = next(
            (d.rate_date for d in reversed(self._days) if d.rate_date < day.rate_date and currency in d.rates), None
        )
        story = f"last quoted on {last}" if last else "never quoted before"
        raise CurrencyNotQuotedError(f"{currency} has no reference rate on {day.rate_date} ({story})")

    def _within_cap(self, index: int, on: date) -> PublishedDay:
        if index < 0:
            raise NoPublicationError(f"no rate was published on or before {on}")
        day = self._days[index]
        age_days = (on - day.rate_date).days
        if age_days > MAX_AGE_DAYS:
            raise NoPublicationError(
                f"the last rates before {on} are of {day.rate_date}, {age_days} days old; {MAX_AGE_DAYS} at most"
            )
        return day


def convert_minor(amount_minor: int, rate: Fraction, exponent_from: int, exponent_to: int) -> int:
    """Convert minor units to minor units; the one rounding is here, half-even, to the target's exponent."""
    return round(Fraction(amount_minor) * rate * Fraction(10) ** (exponent_to - exponent_from))
