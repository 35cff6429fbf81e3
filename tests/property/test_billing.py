"""Sums of invoices: lines add up to what is taxed at each rate, and a wrong figure is named."""

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.billing import differences, totals
from regions.pricing import Fixed, Plan, Tier, Usage, invoice

LINES = st.lists(
    st.fixed_dictionaries(
        {
            "quantity": st.integers(0, 10**12),
            "price": st.integers(0, 999_999),
            "unit": st.sampled_from(["volume", "piece"]),
            "tax_millionths": st.sampled_from([0, 50_000, 70_000, 190_000, 192_500]),
        }
    ),
    max_size=12,
)


def document(lines: list[dict[str, Any]]) -> dict[str, Any]:
    for line in lines:
        price = Fraction(line["price"], 1_000_000 if line["unit"] == "volume" else 1)
        line["amount_minor"] = round(line["quantity"] * price)
    return {"lines": lines, **totals(lines)}


@given(LINES)
def test_lines_sum_to_the_net_of_their_rate_and_everything_to_the_total(lines: list[dict[str, Any]]) -> None:
    found = document(lines)
    rates = [one["tax_millionths"] for one in found["taxes"]]
    assert rates == sorted({line["tax_millionths"] for line in lines})
    for tax in found["taxes"]:
        of_rate = [line["amount_minor"] for line in lines if line["tax_millionths"] == tax["tax_millionths"]]
        exact = Fraction(sum(of_rate) * tax["tax_millionths"], 1_000_000)
        assert tax["net_minor"] == sum(of_rate)
        assert abs(tax["tax_minor"] - exact) <= Fraction(1, 2)
    assert found["amount_minor"] == sum(line["amount_minor"] for line in lines)
    assert found["total_minor"] == found["amount_minor"] + sum(one["tax_minor"] for one in found["taxes"])
    assert differences(found) == []


@given(LINES.filter(bool), st.data())
def test_any_figure_that_is_off_by_one_is_named(lines: list[dict[str, Any]], data: st.DataObject) -> None:
    found = document(lines)
    name = data.draw(st.sampled_from(["amount_minor", "tax_minor", "total_minor"]))
    assert differences(found | {name: found[name] + 1}) == [name]
    lines[-1]["amount_minor"] += 1
    assert f"lines/{len(lines) - 1}/amount_minor" in differences(found)


def test_half_a_unit_of_tax_is_rounded_to_even_once_for_the_rate_and_not_line_by_line() -> None:
    lines = [{"amount_minor": 5, "tax_millionths": 100_000}] * 3
    assert totals(lines)["taxes"] == [{"tax_millionths": 100_000, "net_minor": 15, "tax_minor": 2}]


@pytest.mark.parametrize("minimum", [0, 10**6])
@given(payments=st.integers(0, 10**6), volume=st.integers(0, 10**12), refunds=st.integers(0, 10**6))
def test_every_line_of_a_priced_month_follows_from_its_quantity_and_price(
    minimum: int, payments: int, volume: int, refunds: int
) -> None:
    plan = Plan("p", (Tier(1000, 20_000), Tier(None, 5_000)), {"EUR": Fixed(25, 10, minimum)}, 190_000)
    lines = [asdict(line) for line in invoice(plan, "EUR", Usage(payments, volume, refunds))]
    assert {line["tax_millionths"] for line in lines} <= {190_000}
    assert differences({"lines": lines, **totals(lines)}) == []
