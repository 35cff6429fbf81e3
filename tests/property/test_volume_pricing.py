"""Prices by a month's volume: pieces cost what the whole costs, in any order, and every minor unit is explained."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regions import pricing
from regions.errors import ConfigurationError
from regions.money import Money
from regions.tiers import Mode, Tier, are_in_order, rerated, slices, total_minor
from web.pricing.domain import Plan, Rate, Rule, entries
from web.pricing.volume import Month, Priced, percent, price

RATES = st.integers(0, 100_000)


@st.composite
def tier_lists(draw: st.DrawFn) -> tuple[Tier, ...]:
    ends: list[int | None] = [*sorted(draw(st.sets(st.integers(1, 50_000), max_size=4)))]
    return tuple(Tier(end, draw(RATES)) for end in [*ends, None])


CAPTURES = st.lists(st.tuples(st.sampled_from(["card", "upi", "wallet"]), st.integers(1, 20_000)), max_size=8)


@st.composite
def plans(draw: st.DrawFn, mode: Mode) -> Plan:
    """Cards by tiers of their own, everything else by others."""

    def rule(**more: object) -> dict[str, object]:
        tiers = [
            ({} if tier.up_to_minor is None else {"up_to_minor": tier.up_to_minor})
            | {"percent": percent(tier.millionths)}
            for tier in draw(tier_lists())
        ]
        flat = draw(st.integers(0, 50))
        return {"currency": "EUR", "by_volume": mode.value, "tiers": tiers, "flat_minor": flat, **more}

    tax = draw(st.sampled_from(["0", "19", "7.25"]))
    return Plan.read({"name": "growth", "tax_percent": tax, "rules": [rule(methods=["card"]), rule()]})


def run(plan: Plan, captures: list[tuple[str, int]]) -> list[Priced]:
    month, found = Month(), []
    for method, amount in captures:
        one, month = price(plan, "EUR", month, method, amount)
        found.append(one)
    assert month.fee_minor == sum(one.fee.fee_minor + one.adjustment.fee_minor for one in found)
    assert sum(month.volume_minor.values()) == sum(amount for _, amount in captures)
    return found


def totals(found: list[Priced]) -> tuple[int, int]:
    fees = [fee for one in found for fee in (one.fee, one.adjustment)]
    return sum(fee.fee_minor for fee in fees), sum(fee.tax_minor for fee in fees)


@settings(max_examples=50, deadline=None)
@given(tier_lists(), st.lists(st.integers(0, 10**6), min_size=2, max_size=8))
def test_graduated_pieces_cost_what_the_whole_costs_and_never_less_than_before(
    tiers: tuple[Tier, ...], stops: list[int]
) -> None:
    assert are_in_order(tiers)
    ordered = [0, *sorted(stops)]
    found = [slices(Mode.GRADUATED, tiers, low, high) for low, high in pairwise(ordered)]
    assert sum(part.amount_minor for parts in found for part in parts) == total_minor(
        Mode.GRADUATED, tiers, ordered[-1]
    )
    assert all(part.amount_minor >= 0 for parts in found for part in parts)
    for low, high, parts in zip(ordered, ordered[1:], found, strict=False):
        assert sum(part.to_minor - part.from_minor for part in parts) == high - low
        assert all(one.to_minor == after.from_minor for one, after in pairwise(parts))
    by_unit = sum(  # the slow way: what each tier holds, at its rate
        Fraction(max(0, min(ordered[-1], tier.up_to_minor or ordered[-1]) - below) * tier.millionths, 10**6)
        for below, tier in zip([0, *(tier.up_to_minor or 0 for tier in tiers)], tiers, strict=False)
    )
    assert abs(total_minor(Mode.GRADUATED, tiers, ordered[-1]) - by_unit) <= Fraction(len(tiers), 2)


@settings(max_examples=50, deadline=None)
@given(tier_lists(), st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_slab_and_what_it_changes_are_the_whole_at_one_rate(
    tiers: tuple[Tier, ...], before: int, amount: int
) -> None:
    (part,) = slices(Mode.SLAB, tiers, before, before + amount)
    changed = rerated(Mode.SLAB, tiers, before, before + amount)
    moved = part.amount_minor + (changed.amount_minor if changed else 0)
    assert total_minor(Mode.SLAB, tiers, before) + moved == total_minor(Mode.SLAB, tiers, before + amount)
    reached = next(t for t in tiers if t.up_to_minor is None or before + amount <= t.up_to_minor)
    assert total_minor(Mode.SLAB, tiers, before + amount) == round(
        Fraction((before + amount) * reached.millionths, 10**6)
    )


@pytest.mark.parametrize("mode", Mode)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), captures=CAPTURES)
def test_the_order_of_a_month_changes_no_total(
    mode: Mode, data: st.DataObject, captures: list[tuple[str, int]]
) -> None:
    plan = data.draw(plans(mode))
    found = run(plan, captures)
    assert totals(found) == totals(run(plan, data.draw(st.permutations(captures))))
    fee_minor, tax_minor = totals(found)
    assert tax_minor == plan.tax_minor(fee_minor)
    for one in found:
        assert one.fee.fee_minor == one.flat_minor + sum(part.amount_minor for part in one.slices)
        if mode is Mode.GRADUATED:
            assert one.fee.fee_minor >= 0
            assert one.adjustment.fee_minor == one.adjustment.tax_minor == 0
        for fee in (one.fee, one.adjustment):
            if fee.fee_minor:
                assert sum(entry.amount.amount_minor for entry in entries(fee, "EUR")) == 0


@settings(max_examples=50, deadline=None)
@given(tier_lists(), st.lists(st.integers(1, 10**5), max_size=10), st.sampled_from(Mode))
def test_fees_of_captures_and_the_months_invoice_come_to_the_same(
    tiers: tuple[Tier, ...], amounts: list[int], mode: Mode
) -> None:
    document = [
        {"percent": percent(t.millionths)} | ({"up_to_minor": t.up_to_minor} if t.up_to_minor else {}) for t in tiers
    ]
    plan = Plan.read({"name": "p", "rules": [{"currency": "EUR", "by_volume": mode.value, "tiers": document}]})
    contract = pricing.Plan("p", tiers, {"EUR": pricing.Fixed(0, 0, 0)}, mode=mode)
    lines = pricing.invoice(contract, "EUR", pricing.Usage(len(amounts), sum(amounts), 0))
    assert totals(run(plan, [("card", amount) for amount in amounts]))[0] == sum(line.amount_minor for line in lines)


def test_a_capture_across_a_boundary_names_its_tiers() -> None:
    tiers = [{"up_to_minor": 10_000, "percent": "1.4"}, {"percent": "1.1"}]
    rule = {"currency": "EUR", "by_volume": "graduated", "flat_minor": 25, "tiers": tiers}
    plan = Plan.read({"name": "growth", "tax_percent": "19", "rules": [rule]})
    first, month = price(plan, "EUR", Month(), "card", 9_990)
    second, _ = price(plan, "EUR", month, "card", 1_000)
    assert (first.fee.fee_minor, first.fee.tax_minor) == (165, 31)
    assert [(p.tier, p.from_minor, p.to_minor, p.amount_minor) for p in second.slices] == [
        (1, 9_990, 10_000, 0),  # 140.00 less 139.86, rounded where the volume stands
        (2, 10_000, 10_990, 11),
    ]
    assert (second.fee.fee_minor, second.fee.tax_minor) == (36, 7)
    assert plan.fee("card", Money(1_000, "EUR")) is None, "the month decides, not the capture alone"


def test_a_slab_below_gives_back_what_the_month_has_paid_too_much() -> None:
    tiers = [{"up_to_minor": 10_000, "percent": "2"}, {"percent": "1"}]
    plan = Plan.read(
        {"name": "s", "tax_percent": "10", "rules": [{"currency": "EUR", "by_volume": "slab", "tiers": tiers}]}
    )
    _, month = price(plan, "EUR", Month(), "card", 10_000)
    second, _ = price(plan, "EUR", month, "card", 5_000)
    assert (second.fee.fee_minor, second.fee.tax_minor) == (50, 5)
    assert (second.adjustment.fee_minor, second.adjustment.tax_minor) == (-100, -10)
    assert [entry.amount.amount_minor for entry in entries(second.adjustment, "EUR")] == [-110, 100, 10]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"by_volume": "marginal"}, "graduated or slab"),
        ({"minimum_minor": 5}, "alone"),
        ({"currency": None}, "a currency"),
        ({"tiers": []}, "tiers rise"),
        ({"tiers": [{"up_to_minor": 0, "percent": "1"}, {"percent": "1"}]}, "tiers rise"),
        ({"tiers": [{"percent": "1", "flat_minor": 1}]}, "up_to_minor and percent"),
        ({"tiers": [{"percent": "0.00001"}]}, "four places"),
    ],
)
def test_a_rule_by_volume_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    rule = {"currency": "EUR", "by_volume": "slab", "tiers": [{"percent": "1"}]} | changes
    with pytest.raises(ConfigurationError, match=message):
        Plan.read({"name": "p", "rules": [rule]})


@settings(max_examples=50, deadline=None)
@given(
    amount_minor=st.integers(1, 10**7),
    rate=st.decimals("0", "9", places=2),
    flat_minor=st.integers(0, 300),
    least=st.integers(0, 500),
    most=st.none() | st.integers(0, 10**5),
)
def test_a_fee_at_once_is_the_sum_of_its_lines(
    amount_minor: int, rate: Decimal, flat_minor: int, least: int, most: int | None
) -> None:
    rule = Rule((Rate(rate, flat_minor),), minimum_minor=least, maximum_minor=most)
    lines = rule.lines(amount_minor)
    wanted = max(round(amount_minor * rate / 100) + flat_minor, least)
    assert sum(line.amount_minor for line in lines) == (wanted if most is None else min(wanted, most))
    assert all(line.amount_minor for line in lines)
    assert all((line.amount_minor < 0) == (line.kind == "maximum") for line in lines)
