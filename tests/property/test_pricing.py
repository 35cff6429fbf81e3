"""Invoices: tiers price every minor unit of volume once, and never less than the minimum."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.errors import ConfigurationError
from regions.pricing import Fixed, Plan, Tier, Usage, invoice, load_pricing

PLAN = Plan(
    "p", (Tier(1000, 20_000), Tier(5000, 10_000), Tier(None, 5_000)), {"EUR": Fixed(25, 10, 300)}
)  # fmt: skip


@given(st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**6))
def test_every_minor_unit_is_priced_once_in_its_tier(payments: int, volume: int, refunds: int) -> None:
    lines = invoice(PLAN, "EUR", Usage(payments, volume, refunds))
    tiers = [line for line in lines if line.what.startswith("volume")]
    assert sum(line.quantity for line in tiers) == volume
    slow = Fraction(min(volume, 1000) * 2, 100) + Fraction(min(max(volume - 1000, 0), 4000), 100)
    slow += Fraction(max(volume - 5000, 0) * 5, 1000)
    assert abs(sum(line.amount_minor for line in tiers) - slow) <= Fraction(len(tiers), 2)
    by_piece = {line.what: line.amount_minor for line in lines}
    assert (by_piece.get("payments", 0), by_piece.get("refunds", 0)) == (payments * 25, refunds * 10)
    assert sum(line.amount_minor for line in lines) >= 300


def test_a_currency_without_prices_is_not_guessed() -> None:
    with pytest.raises(ConfigurationError, match="no prices in SEK"):
        invoice(PLAN, "SEK", Usage(1, 100, 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[plans.other]\ntiers = []\n[plans.other.fixed]\n", "tiers must rise"),
        ("[plans.standard]\ntiers = [{up_to_minor = 5, millionths = 1}]\n[plans.standard.fixed]\n", "must have no end"),
        ("[plans.standard]\ntiers = [{millionths = 1}]\n[plans.standard.fixed]\n", "not complete"),
        ("", "has no standard"),
    ],
)
def test_a_wrong_price_list_names_the_file_and_the_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pricing.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_pricing(path)


def test_the_shipped_price_list_is_whole() -> None:
    pricing = load_pricing()
    assert pricing.plan_of("merch_eu_x").name == "standard"
    assert {"EUR", "USD", "INR", "HKD"} <= set(pricing.plan_of("merch_eu_x").fixed)
