"""Revaluation: what balances are worth at the closing rate, to the minor unit, and back again."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.revaluation import Movement, postings, revalue
from pipelines.fx.rates import PublishedDay, RateTable
from regions.region import load_region
from web.recon.domain import revaluation_entries

FIRST, THROUGH = date(2026, 3, 2), date(2026, 3, 6)
RATES = st.lists(st.integers(1, 10**9), min_size=5, max_size=5)
MOVED = st.lists(st.tuples(st.integers(0, 4), st.integers(-(10**10), 10**10)), min_size=1, max_size=8)


def table(rates: list[int]) -> RateTable:
    days = [FIRST + timedelta(number) for number in range(5)]
    return RateTable(
        PublishedDay(day, datetime(day.year, day.month, day.day, 16, tzinfo=UTC), {"USD": Decimal(rate) / 10**6}, "ECB")
        for day, rate in zip(days, rates, strict=True)
    )


@given(RATES, MOVED)
def test_value_less_carried_is_what_is_booked_and_what_comes_back(
    rates: list[int], moved: list[tuple[int, int]]
) -> None:
    known, region = table(rates), load_region("eu")
    movements = [Movement("gateway_clearing:g", "USD", False, FIRST + timedelta(n), amount) for n, amount in moved]
    found, refused = revalue(movements, "EUR", THROUGH, lambda b, q, on: known.cross(b, q, known.published_on(on)))
    balance = sum(amount for _, amount in moved)
    assert refused == []
    assert len(found) == (balance != 0)
    for one in found:
        assert one.value_minor == round(Fraction(balance * 10**6, rates[4]))
        assert one.carried_minor == round(sum(Fraction(amount * 10**6, rates[n]) for n, amount in moved))
        wanted = list(postings(region, THROUGH, found))
        assert len(wanted) == (2 if one.adjustment_minor else 0)
        assert sum(each.fact["amount_minor"] for each in wanted) == 0
        for each in wanted:
            entries = revaluation_entries(each.fact)
            assert sum(entry.amount.amount_minor for entry in entries) == 0
            assert {entry.amount.currency for entry in entries} == {"EUR"}
        days = [region.accounting_date(datetime.fromisoformat(each.fact["occurred_at"])) for each in wanted]
        assert days in ([], [THROUGH, THROUGH + timedelta(1)])


def test_a_currency_without_a_rate_is_named_and_not_guessed() -> None:
    known = table([10**6] * 5)
    moved = [Movement("bank:b", "RUB", False, FIRST, 100), Movement("bank:b", "USD", False, FIRST, 100)]
    found, refused = revalue(moved, "EUR", THROUGH, lambda b, q, on: known.cross(b, q, known.published_on(on)))
    assert [one.currency for one in found] == ["USD"]
    assert refused == ["bank:b in RUB: RUB has no reference rate on 2026-03-06 (never quoted before)"]
