"""What reconciliation books foots to the minor unit, whatever the line, the rates and the currencies."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from regions.money import Money
from web.ledger.domain import Posted, check_balance, payment_journal, refund_journal, reversal_of
from web.recon import domain

AT = datetime(2026, 3, 14, tzinfo=UTC)
AMOUNT = st.integers(-(10**12), 10**12)
FEE = st.integers(0, 10**6)
CURRENCY = st.sampled_from(["EUR", "USD", "JPY", "KWD"])
KIND = st.sampled_from(["payment", "refund", "fee", "chargeback", "reserve", "carry", "correction", "group", "unknown"])


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """A settlement line that foots; half of them are paid in another currency."""
    gross_currency, net_currency = draw(CURRENCY), draw(CURRENCY)
    fees = {f"{part}_minor": draw(FEE) for part in domain.FEE_PARTS}
    gross = draw(AMOUNT)
    paid = gross if gross_currency == net_currency else draw(AMOUNT)
    return {
        "gateway": "sandbox", "kind": draw(KIND), "gross_currency": gross_currency, "gross_minor": gross,
        "net_currency": net_currency, "net_minor": paid - sum(fees.values()), **fees,
        "is_tolerated": draw(st.booleans()),
        "booked_value_minor": draw(st.none() | AMOUNT), "reference_value_minor": draw(st.none() | AMOUNT),
    }  # fmt: skip


@st.composite
def items(draw: st.DrawFn) -> Posted | None:
    amount = Money(draw(st.integers(1, 10**12)), draw(CURRENCY))
    make = draw(st.sampled_from([payment_journal, refund_journal, None]))
    if make is None:
        return None
    if make is refund_journal:
        journal = refund_journal("re", "sandbox", amount, AT)
    else:
        journal = payment_journal("pay", "sandbox", amount, AT)
    return Posted("jrn", journal.kind, "pay", AT, list(journal.entries))


def sums(entries: Any) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        found[entry.account, entry.amount.currency] += entry.amount.amount_minor
    return found


@given(lines(), items())
def test_every_line_balances_and_moves_its_net_and_its_fees(fact: dict[str, Any], item: Posted | None) -> None:
    entries = domain.settlement_entries(fact, item)
    if entries:
        check_balance(entries)
    found = sums(entries)
    assert found["bank_clearing:sandbox", fact["net_currency"]] == fact["net_minor"]
    for part in domain.FEE_PARTS:
        assert found[f"gateway_fees:sandbox:{part}", fact["net_currency"]] == fact[f"{part}_minor"]
    if item is not None and item.entries[0].amount.currency == fact["gross_currency"]:
        together = sums([*item.entries, *entries])
        assert (
            together["gateway_clearing:sandbox", fact["gross_currency"]] == 0
        )  # clearing holds nothing of it any more
        assert together["merchant_payable_pending", fact["gross_currency"]] == 0


@given(lines(), AMOUNT, AMOUNT)
def test_realised_gain_and_markup_add_up_to_what_exchange_cost(
    fact: dict[str, Any], booked: int, reference: int
) -> None:
    fact |= {"booked_value_minor": booked, "reference_value_minor": reference, "net_currency": "EUR"}
    fact["gross_currency"] = "USD"
    found = sums(domain.settlement_entries(fact, None))
    paid = fact["net_minor"] + sum(fact[f"{part}_minor"] for part in domain.FEE_PARTS)
    assert found[domain.FX_REALISED, "EUR"] == booked - reference  # the market moved: a loss is a debit
    assert found[domain.FX_MARKUP, "EUR"] == reference - paid  # what the gateway gave less than the central bank's rate
    assert found[domain.FX_REALISED, "EUR"] + found[domain.FX_MARKUP, "EUR"] == booked - paid
    assert found["fx_position:USD", "EUR"] == -booked
    assert found["fx_position:USD", "USD"] == fact["gross_minor"]


@given(lines(), items())
def test_a_reversal_takes_every_account_back_to_nothing(fact: dict[str, Any], item: Posted | None) -> None:
    entries = domain.settlement_entries(fact, item)
    if entries:
        posted = Posted("jrn", "settlement", "post", AT, list(entries))
        assert not any(sums([*entries, *reversal_of(posted, AT).entries]).values())


@given(items(), CURRENCY)
def test_a_write_off_empties_what_was_open(item: Posted | None, currency: str) -> None:
    assert currency
    if item is not None:
        entries = domain.write_off_entries("sandbox", item.entries)
        check_balance(entries)
        together = sums([*item.entries, *entries])
        assert together["gateway_clearing:sandbox", item.entries[0].amount.currency] == 0
