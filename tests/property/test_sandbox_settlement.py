"""Any set of payments and refunds makes a report that foots to the cent, whatever is planted in it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from regions.money import exponent
from tests.support import settlement_file as file
from web.sandbox.settlement.adyen_report import render
from web.sandbox.settlement.domain import Fees, Item, Line, booking_time, closing_lines, fees_of, line_of
from web.sandbox.settlement.planting import Invention, Plant, plant_errors

TZ = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 22)
PLANTS: tuple[Plant, ...] = (
    "missing_at_gateway", "missing_with_us", "amount", "duplicate", "fee", "currency", "fx", "timing", "chargeback",
    "unknown_type", "split",
)  # fmt: skip
INVENTED = {"missing_with_us": "Settled", "unknown_type": "Enchantment"}
CURRENCIES = ("JPY", "EUR", "USD", "KWD", "CLF")


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    numbers = count(10**15)
    made = []
    for _ in range(draw(st.integers(0, 12))):
        payment = Item(
            payment_id=str(next(numbers)),
            capture_reference=str(next(numbers)),
            attempt_reference=f"att_{next(numbers)}",
            brand=draw(st.sampled_from(["visa", "mc", "amex"])),
            currency=draw(st.sampled_from(CURRENCIES)),
            amount_minor=draw(st.one_of(st.integers(1, 200), st.integers(1, 10**12 - 1))),
            created_at=datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 80_000))),
        )
        is_settled_earlier = draw(st.booleans())
        if not is_settled_earlier:
            made.append(payment)
        left = payment.amount_minor
        for _ in range(draw(st.integers(0, 2))):
            part = draw(st.integers(0, left))
            left -= part
            if part:
                refund = {**vars(payment), "refund_id": str(next(numbers)), "own_reference": f"re_{next(numbers)}"}
                made.append(Item(**{**refund, "amount_minor": part}))
    return made


def build(made: list[Item], plants: list[Plant]) -> tuple[str, list[dict[str, object]]]:
    booked_at = booking_time(DAY, TZ)
    references = count(9 * 10**15)
    lines, key = plant_errors(
        [line_of(item, booked_at) for item in made],
        plants,
        Line("Settled", booked_at, booked_at, "EUR", 0),
        lambda: Invention("EUR", "att_invented", lambda: str(next(references))),
    )
    lines += closing_lines(lines, "MeridianEU", 7, DAY, booked_at)
    return render("MeridianEU", TZ, [(7, lines)]), key


@given(items())
def test_the_report_foots_and_says_every_amount_exactly(made: list[Item]) -> None:
    text, key = build(made, [])
    file.assert_foots(text)
    assert key == []
    reported = Counter(
        (
            row["Type"],
            row["Psp Reference"],
            row["Gross Currency"],
            file.minor(file.gross(row), exponent(row["Gross Currency"])),
        )
        for row in file.rows(text)
        if row["Type"] in {"Settled", "Refunded"}
    )
    true = Counter(
        (
            "Refunded" if i.refund_id else "Settled",
            i.payment_id,
            i.currency,
            -i.amount_minor if i.refund_id else i.amount_minor,
        )
        for i in made
    )
    assert reported == true
    assert file.rows(text) == [] or {row["Net Currency"] for row in file.rows(text)} == {i.currency for i in made}


@given(items(), st.lists(st.sampled_from(PLANTS), max_size=6))
def test_a_planted_report_foots_and_differs_exactly_as_its_answer_key_says(
    made: list[Item], plants: list[Plant]
) -> None:
    settled_count = sum(item.refund_id is None for item in made)
    plants = [name for name in plants if name in INVENTED] + [name for name in plants if name not in INVENTED][
        :settled_count
    ]
    if "split" in plants and any(item.amount_minor == 1 for item in made):
        return  # has no halves
    text, key = build(made, plants)
    file.assert_foots(text)
    assert [entry["class"] for entry in key] == plants
    expected = Counter(_facts(build(made, [])[0]))
    for entry in key:
        _apply(expected, entry, {item.payment_id: item.brand for item in made})
    assert Counter(_facts(text)) == expected


def _facts(text: str) -> list[tuple[str, str, str, int, int]]:
    """Type, payment, currency, gross and fees of each money line, in minor units."""
    return [
        (
            row["Type"],
            row["Psp Reference"],
            row["Gross Currency"],
            file.minor(file.gross(row), exponent(row["Gross Currency"])),
            file.minor(file.fees(row), exponent(row["Net Currency"])),
        )
        for row in file.rows(text)
        if row["Gross Currency"]
    ]


def _apply(facts: Counter[tuple[str, str, str, int, int]], entry: dict, brands: dict[str, str]) -> None:
    """Turn the true facts into the planted ones, knowing nothing but the answer key."""
    kind, psp_reference, reported = entry["class"], entry["psp_reference"], entry["reported_minor"]
    if kind in INVENTED:
        assert entry["expected_minor"] == 0
        fees_minor = fees_of(reported, "visa").total_minor
        facts[INVENTED[kind], psp_reference, entry["currency"], reported, fees_minor] += 1
        return
    [fact] = [fact for fact in facts if fact[:2] == ("Settled", psp_reference) and facts[fact]]
    _, _, currency, gross_minor, fee_minor = fact
    assert currency == entry["currency"]
    true_minor = {"fee": fee_minor, "chargeback": 0, "fx": entry["expected_minor"]}.get(kind, gross_minor)
    assert entry["expected_minor"] == true_minor
    reported_currency = entry.get("reported_currency", currency)
    assert exponent(reported_currency) == exponent(currency)
    assert (reported_currency != currency) == (kind in {"currency", "fx"})
    halves = (gross_minor // 2, gross_minor - gross_minor // 2)
    unit = 10 ** exponent(currency)
    wanted_minor, told = {
        "amount": (gross_minor + unit, [(currency, reported, fee_minor)]),
        "fee": (fee_minor + unit, [(currency, gross_minor, reported)]),
        "currency": (gross_minor, [(reported_currency, gross_minor, fee_minor)]),
        "fx": (reported, [(currency, gross_minor, 0)]),
        "duplicate": (2 * gross_minor, [fact[2:]] * 2),
        "timing": (gross_minor, [fact[2:]]),  # of that, gross and fees say nothing
        "split": (gross_minor, [(currency, part, fees_of(part, brands[psp_reference]).total_minor) for part in halves]),
        "chargeback": (-gross_minor, [fact[2:]]),
        "missing_at_gateway": (0, []),
    }[kind]
    assert reported == wanted_minor
    del facts[fact]
    facts.update(("Settled", psp_reference, *one) for one in told)
    if kind == "chargeback":
        facts["Chargeback", psp_reference, currency, reported, 0] += 1


@given(st.integers(1, 10**12 - 1), st.sampled_from(["visa", "mc", "amex"]))
def test_fees_are_whole_minor_units_near_the_price_list(amount_minor: int, brand: str) -> None:
    fees: Fees = fees_of(amount_minor, brand)
    millionths = 24_000 if brand == "amex" else 6_000
    parts = 1 if brand == "amex" else 3
    assert abs(2 * (fees.total_minor * 1_000_000 - amount_minor * millionths)) <= parts * 1_000_000
