"""Splits and fees to the minor unit: nothing is lost, made up, or kept after a whole refund."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.errors import ConfigurationError
from regions.money import Money
from web.ledger.shares import NothingToShareError, allocate
from web.pricing.domain import Plan, entries
from web.splits.domain import entitlements, share_of_capture, share_of_refund

AMOUNTS = st.integers(1, 10**9)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_parts_add_up_and_are_within_one_of_their_exact_share(amount: int, weights: list[int]) -> None:
    total = sum(weights)
    if not total:
        if amount:
            with pytest.raises(NothingToShareError):
                allocate(amount, weights)
        return
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    assert all(abs(part * total - amount * weight) < total for part, weight in zip(parts, weights, strict=True))
    if amount <= total:
        assert all(part <= weight for part, weight in zip(parts, weights, strict=True))


@st.composite
def agreements(draw: st.DrawFn) -> tuple[int, list[dict[str, Any]]]:
    """A price and splits that a link may have: together they never take more than there is."""
    price = draw(AMOUNTS)
    splits: list[dict[str, Any]] = []
    percent_left, minor_left = 100_000, price
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            percent = draw(st.integers(0, percent_left))
            splits.append({"percent": str(Decimal(percent) / 1000)})
            percent_left -= percent
            minor_left -= -(-price * percent // 100_000)
        else:
            amount = draw(st.integers(0, max(0, minor_left)))
            splits.append({"amount_minor": amount})
            minor_left -= amount
            percent_left = min(percent_left, max(0, minor_left) * 100_000 // price)
        minor_left = max(0, minor_left)
    return price, splits


def cut(draw: st.DrawFn, whole: int) -> list[int]:
    parts, left = [], whole
    while left and len(parts) < 6:
        parts.append(draw(st.integers(1, left)))
        left -= parts[-1]
    return [*parts, left] if left else parts


@given(agreements(), st.data())
def test_captures_in_parts_give_everybody_what_was_agreed_and_refunds_take_all_of_it_back(
    agreement: tuple[int, list[dict[str, Any]]], data: st.DataObject
) -> None:
    price, splits = agreement
    entitled = entitlements(price, splits)
    assert sum(entitled) <= price
    given_to = [0] * len(splits)
    captured = 0
    for part in cut(data.draw, price):
        shares = share_of_capture(part, price, captured, entitled, given_to)
        assert sum(shares) <= part
        assert all(0 <= share <= part for share in shares)
        given_to = [had + share for had, share in zip(given_to, shares, strict=True)]
        captured += part
    assert given_to == entitled

    kept, held = captured, given_to
    for part in cut(data.draw, captured):
        back = share_of_refund(part, kept, held)
        exact = [Decimal(part) * one / kept for one in held]
        assert all(abs(share - one) < 1 for share, one in zip(back, exact, strict=True)), "in proportion, to the cent"
        held = [had - share for had, share in zip(held, back, strict=True)]
        assert min(held) >= 0
        kept -= part
        assert sum(held) <= kept
    assert held == [0] * len(splits)


PLAN = Plan.read(
    {
        "name": "standard",
        "tax_percent": "19",
        "rules": [
            {"methods": ["sepa_debit"], "currency": "EUR", "flat_minor": 35},
            {
                "methods": ["card", "wallet"],
                "currency": "EUR",
                "tiers": [
                    {"up_to_minor": 1000, "percent": "0", "flat_minor": 15},
                    {"up_to_minor": 100_000, "percent": "1.4", "flat_minor": 25},
                    {"percent": "0.9"},
                ],
            },
            {"percent": "2.9"},
        ],
    }
)


@pytest.mark.parametrize(
    ("method", "amount", "fee", "tax"),
    [
        ("sepa_debit", Money(1_000_000, "EUR"), 35, 7),
        ("card", Money(1000, "EUR"), 15, 3),
        ("card", Money(1001, "EUR"), 39, 7),
        ("wallet", Money(100_001, "EUR"), 900, 171),
        ("card", Money(1999, "JPY"), 58, 11),
        ("upi", Money(50, "INR"), 1, 0),
    ],
)
def test_a_plan_charges_flat_percentage_tiered_and_per_method(method: str, amount: Money, fee: int, tax: int) -> None:
    charged = PLAN.fee(method, amount)
    assert charged is not None
    assert (charged.fee_minor, charged.tax_minor) == (fee, tax)
    assert sum(entry.amount.amount_minor for entry in entries(charged, amount.currency)) == 0


def test_what_costs_nothing_books_nothing() -> None:
    assert PLAN.fee("upi", Money(1, "INR")) is None
    assert (
        Plan.read({"name": "a", "rules": [{"methods": ["upi"], "percent": "1"}]}).fee("card", Money(9, "EUR")) is None
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": "Standard Plan", "rules": [{"percent": "1"}]},
        {"name": "a", "rules": []},
        {"name": "a", "rules": [{"percent": 1.4}]},
        {"name": "a", "rules": [{"percent": "101"}]},
        {"name": "a", "rules": [{"percent": "NaN"}]},
        {"name": "a", "rules": [{"flat_minor": 25}]},
        {"name": "a", "rules": [{"flat_minor": -1, "currency": "EUR"}]},
        {"name": "a", "rules": [{"price": "1"}]},
        {"name": "a", "rules": [{"currency": "EUR", "tiers": [{"up_to_minor": 5, "percent": "1"}]}]},
        {"name": "a", "rules": [{"currency": "EUR", "tiers": [{"up_to_minor": 5}, {"up_to_minor": 5}, {}]}]},
        {"name": "a", "rules": [{"currency": "EUR", "percent": "1", "tiers": [{}]}]},
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_name(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Plan.read(document)
