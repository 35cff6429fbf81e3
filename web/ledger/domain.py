from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from regions.errors import MeridianError
from regions.money import Money

MERCHANT_PAYABLE_PENDING = "merchant_payable_pending"


class UnbalancedJournalError(MeridianError):
    """A journal whose entries do not sum to zero in each currency."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a debit is positive, a credit negative."""

    account: str
    amount: Money

    @classmethod
    def of(cls, account: str, currency: str, amount_minor: int) -> Self:
        """An entry of its three parts."""
        return cls(account, Money(amount_minor, currency))

    def __neg__(self) -> "Entry":
        return Entry(self.account, -self.amount)


@dataclass(frozen=True, slots=True)
class Journal:
    """A balanced set of entries that books `source_id` once per `kind`; UnbalancedJournalError if it is not."""

    kind: str
    source_id: str
    occurred_at: datetime
    entries: tuple[Entry, ...]
    reverses_id: str | None = None

    def __post_init__(self) -> None:
        check_balance(self.entries)


@dataclass(frozen=True, slots=True)
class Posted:
    """A journal as it stands in the books."""

    id: str
    kind: str
    source_id: str
    occurred_at: datetime
    entries: list[Entry]


def reversal_of(posted: Posted, occurred_at: datetime) -> Journal:
    """The journal that takes another back; its source is that journal."""
    return Journal("reversal", posted.id, occurred_at, tuple(-entry for entry in posted.entries), posted.id)


def check_balance(entries: Sequence[Entry]) -> None:
    """Raise UnbalancedJournalError unless there are two or more entries, none zero, summing to zero a currency."""
    if len(entries) < 2:  # noqa: PLR2004 - double entry
        raise UnbalancedJournalError("a journal has at least two entries")
    totals: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.amount.amount_minor == 0:
            raise UnbalancedJournalError(f"the entry on {entry.account} is zero")
        totals[entry.amount.currency] += entry.amount.amount_minor
    off = {currency: total for currency, total in totals.items() if total}
    if off:
        raise UnbalancedJournalError(f"the entries are off by {off} minor units")


def gateway_clearing(gateway: str) -> str:
    """What a gateway holds of ours until it settles."""
    return f"gateway_clearing:{gateway}"


def payment_journal(payment_id: str, gateway: str, amount: Money, occurred_at: datetime) -> Journal:
    """A captured payment: the gateway owes us, we owe the merchant."""
    return Journal(
        "payment", payment_id, occurred_at, _transfer(gateway_clearing(gateway), MERCHANT_PAYABLE_PENDING, amount)
    )


def refund_journal(refund_id: str, gateway: str, amount: Money, occurred_at: datetime) -> Journal:
    """A refund that went through: the payment's booking, the other way round."""
    return Journal(
        "refund", refund_id, occurred_at, _transfer(MERCHANT_PAYABLE_PENDING, gateway_clearing(gateway), amount)
    )


def _transfer(debit: str, credit: str, amount: Money) -> tuple[Entry, ...]:
    return Entry(debit, amount), Entry(credit, Money(-amount.amount_minor, amount.currency))
