"""As-of lookup and conversion against a brute-force reading of the same rules."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.fx.ecb import bundled_history
from pipelines.fx.rates import (
    MAX_AGE_DAYS,
    CurrencyNotQuotedError,
    NoPublicationError,
    PublishedDay,
    RateError,
    RateTable,
    convert_minor,
)
from regions.target_days import business_days, central_date, publication_moment

DAYS = bundled_history()
TABLE = RateTable(DAYS)
FIRST, LAST = DAYS[0].rate_date, DAYS[-1].rate_date


@given(st.datetimes(datetime(1999, 1, 4), datetime(2026, 11, 20)).map(lambda at: at.replace(tzinfo=UTC)))  # noqa: DTZ001
def test_a_moment_sees_the_latest_day_already_published_and_never_a_later_one(at: datetime) -> None:
    today = central_date(at)
    known = [day for day in DAYS if day.published_at <= at and (today - day.rate_date).days <= MAX_AGE_DAYS]
    if not known:
        with pytest.raises(NoPublicationError):
            TABLE.published_at(at, today)
    else:
        assert TABLE.published_at(at, today) == known[-1]


@given(st.dates(FIRST - timedelta(days=3), LAST + timedelta(days=12)))
def test_a_date_sees_the_last_day_dated_on_or_before_it_within_the_cap(on: date) -> None:
    known = [day for day in DAYS if day.rate_date <= on and (on - day.rate_date).days <= MAX_AGE_DAYS]
    if not known:
        with pytest.raises(NoPublicationError):
            TABLE.published_on(on)
    else:
        assert TABLE.published_on(on) == known[-1]


def test_rates_of_a_day_are_unknown_until_four_in_the_afternoon_summer_and_winter() -> None:
    for rate_date in (date(2026, 1, 15), date(2026, 7, 15)):
        published = publication_moment(rate_date)
        assert TABLE.published_at(published, rate_date).rate_date == rate_date
        assert TABLE.published_at(published - timedelta(microseconds=1), rate_date).rate_date < rate_date


def test_a_discontinued_currency_is_refused_and_the_message_says_since_when() -> None:
    with pytest.raises(CurrencyNotQuotedError, match="RUB .*last quoted on 2022-03-01"):
        TABLE.cross("RUB", "EUR", TABLE.published_on(date(2024, 5, 2)))
    with pytest.raises(CurrencyNotQuotedError, match="never quoted"):
        TABLE.cross("EUR", "XAU", TABLE.published_on(date(2024, 5, 2)))


@given(
    amount=st.integers(-(10**15), 10**15),
    base=st.decimals("0.000001", "100000", places=6),
    quote=st.decimals("0.000001", "100000", places=6),
    exponents=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_conversion_rounds_once_half_even_whatever_the_exponents(
    amount: int, base: Decimal, quote: Decimal, exponents: tuple[int, int]
) -> None:
    converted = convert_minor(amount, Fraction(quote) / Fraction(base), *exponents)
    with localcontext() as context:
        context.prec = 120
        major = Decimal(amount).scaleb(-exponents[0]) * quote / base
        expected = major.scaleb(exponents[1]).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    assert converted == int(expected)


def test_a_tie_goes_to_the_even_neighbour() -> None:
    assert [convert_minor(n, Fraction(1, 2), 2, 2) for n in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]


def test_cross_rates_go_through_the_euro_unrounded() -> None:
    day = TABLE.published_on(date(2026, 3, 1))
    cross = TABLE.cross("USD", "JPY", day)
    assert cross.rate == Fraction(day.rates["JPY"]) / Fraction(day.rates["USD"])
    assert cross.rate * TABLE.cross("JPY", "USD", day).rate == 1


def test_one_date_published_twice_is_refused() -> None:
    day = DAYS[-1]
    with pytest.raises(ValueError, match="twice"):
        RateTable([day, PublishedDay(day.rate_date, day.published_at, {}, "other")])


def test_every_business_day_of_the_calendar_was_published() -> None:
    assert [day.rate_date for day in DAYS] == business_days(FIRST, LAST)


@given(st.dates(FIRST, LAST), st.sampled_from(["USD", "JPY", "INR", "RUB", "EUR"]))
def test_an_answer_or_a_named_error_and_nothing_else(on: date, quote: str) -> None:
    day = TABLE.published_on(on)
    if quote != "EUR" and quote not in day.rates:
        with pytest.raises(RateError):
            TABLE.cross("EUR", quote, day)
    else:
        cross = TABLE.cross("EUR", quote, day)
        assert cross.rate > 0
        assert cross.rate_date <= on
