from datetime import UTC, datetime

import pytest

from regions.money import Money
from web.ledger.domain import Entry, Journal, UnbalancedJournalError, payment_journal, refund_journal

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_payment_and_its_refund_cancel_out() -> None:
    amount = Money(1999, "EUR")
    payment = payment_journal("pay_eu_x", "sandbox", amount, NOW)
    refund = refund_journal("re_eu_x", "sandbox", amount, NOW)
    assert [(entry.account, entry.amount.amount_minor) for entry in payment.entries] == [
        ("gateway_clearing:sandbox", 1999),
        ("merchant_payable_pending", -1999),
    ]
    balance: dict[str, int] = {}
    for entry in (*payment.entries, *refund.entries):
        balance[entry.account] = balance.get(entry.account, 0) + entry.amount.amount_minor
    assert set(balance.values()) == {0}


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (Entry("a", Money(1, "EUR")),),
        (Entry("a", Money(1, "EUR")), Entry("b", Money(-2, "EUR"))),
        (Entry("a", Money(1, "EUR")), Entry("b", Money(-1, "SEK"))),
        (Entry("a", Money(1, "EUR")), Entry("b", Money(-1, "EUR")), Entry("c", Money(0, "EUR"))),
    ],
)
def test_a_journal_that_does_not_balance_cannot_be_built(entries: tuple[Entry, ...]) -> None:
    with pytest.raises(UnbalancedJournalError):
        Journal("payment", "pay_eu_x", NOW, entries)
