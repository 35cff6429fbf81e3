"""What reconciliation books: pure functions from matched facts to balanced entries. A debit is positive."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from web.ledger.domain import MERCHANT_PAYABLE_PENDING, Entry, Posted, gateway_clearing

MERCHANT_PAYABLE_AVAILABLE: Final = "merchant_payable_available"
FX_REALISED: Final = "fx_gain_loss:realised"
FX_MARKUP: Final = "fx_gain_loss:gateway_markup"
FX_UNREALISED: Final = "fx_gain_loss:unrealised"
PAID_OUT: Final = ":paid_out"
BY_SOURCE: Final = frozenset({"payment", "capture", "refund"})  # items that are called what their journal books
BY_JOURNAL: Final = frozenset({"dispute", "dispute_again", "dispute_won"})  # and those that move more than once
FEE_PARTS: Final = ("commission", "markup", "scheme", "interchange")

# Lines that move no payer's money of ours, by what kind of line they are; any other kind waits in suspense.
_ACCOUNT_OF_KIND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fee": "gateway_fees:{gateway}:transaction",
        "chargeback": "disputes:{gateway}",
        "second_chargeback": "disputes:{gateway}",
        "chargeback_reversal": "disputes:{gateway}",
        "reserve": "reserve:{gateway}",
        "carry": "gateway_carry:{gateway}",
        "correction": "gateway_corrections:{gateway}",
        "information": "gateway_corrections:{gateway}",
        "group": "settlement_groups:{gateway}",
    }
)


class Books:
    """Entries under way: amounts of one account and currency add up, and what adds up to nothing is left out."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], int] = defaultdict(int)

    def add(self, account: str, currency: str, amount_minor: int) -> None:
        """Debit (or, if negative, credit) an account."""
        self._sums[account, currency] += amount_minor

    def entries(self) -> tuple[Entry, ...]:
        """What is not zero, in the order of booking."""
        return tuple(
            Entry.of(account, currency, amount) for (account, currency), amount in self._sums.items() if amount
        )


def bank_clearing(gateway: str) -> str:
    """What a gateway owes to our bank account: settled, and not arrived yet."""
    return f"bank_clearing:{gateway}"


def paid_out(gateway: str) -> str:
    """The part of it that the gateway says is on its way: told by its reports, taken by the bank's statements."""
    return bank_clearing(gateway) + PAID_OUT


def suspense(place: str) -> str:
    """Money that moved and that nobody can name yet."""
    return f"suspense:{place}"


def write_offs(place: str) -> str:
    """What differences cost or bring once two people have given them up."""
    return f"write_offs:{place}"


def settlement_entries(fact: Mapping[str, Any], item: Posted | None) -> tuple[Entry, ...]:
    """A settlement line: gateway clearing → bank clearing, less fees; what its item does not explain goes to suspense.

    `item` is the journal of the payment or refund that the line settles; its money becomes available to the merchant.
    A line that is paid in another currency goes through the FX position, whose value is the one at the booked rate.
    """
    gateway, books = fact["gateway"], Books()
    net_currency, net_minor = fact["net_currency"], fact["net_minor"]
    fees = {part: fact[f"{part}_minor"] for part in FEE_PARTS}
    total_minor = net_minor + sum(fees.values())  # what the gross became, in the currency of the payout
    if fact["gross_currency"] is None:
        gross_currency, gross_minor = net_currency, total_minor
    else:
        gross_currency, gross_minor = fact["gross_currency"], fact["gross_minor"]
    explained = _take_item(books, gateway, gross_currency, item)
    other = f"settlement_adjustments:{gateway}" if fact["is_tolerated"] else _other_side(gateway, fact["kind"])
    books.add(other, gross_currency, explained - gross_minor)
    if gross_currency != net_currency:
        _exchange(books, fact, gross_minor, total_minor)
    elif gross_minor != total_minor:
        raise ValueError("a line's gross less its fees is not its net")
    books.add(bank_clearing(gateway), net_currency, net_minor)
    for part, amount_minor in fees.items():
        books.add(f"gateway_fees:{gateway}:{part}", net_currency, amount_minor)
    return books.entries()


def item_entries(fact: Mapping[str, Any], item: Posted | None) -> tuple[Entry, ...]:
    """A payment or refund that several lines settle, or that shares its line: what the lines explain among them."""
    books, gateway = Books(), fact["gateway"]
    if item is not None:
        currency = item.entries[0].amount.currency
        explained = _take_item(books, gateway, currency, item)
        books.add(f"settlement_groups:{gateway}", currency, explained)
    return books.entries()


def _take_item(books: Books, gateway: str, currency: str, item: Posted | None) -> int:
    """Empty clearing of an item and let its merchant have it; what of the line that explains."""
    if item is None:
        return 0
    explained = 0
    for entry in item.entries:
        amount_minor, own_currency = entry.amount.amount_minor, entry.amount.currency
        if entry.account == gateway_clearing(gateway) and own_currency == currency:
            books.add(entry.account, currency, -amount_minor)
            explained += amount_minor
        elif entry.account == MERCHANT_PAYABLE_PENDING:
            books.add(MERCHANT_PAYABLE_PENDING, own_currency, -amount_minor)
            books.add(MERCHANT_PAYABLE_AVAILABLE, own_currency, amount_minor)
    return explained


def _other_side(gateway: str, kind: str) -> str:
    return _ACCOUNT_OF_KIND.get(kind, suspense("{gateway}")).format(gateway=gateway)


def _exchange(books: Books, fact: Mapping[str, Any], gross_minor: int, total_minor: int) -> None:
    """The gross leaves at the booked rate; what the market moved is realised, what the gateway took beyond is markup.

    booked → reference (the central bank's rate at settlement): realised gain or loss. reference → paid: the markup.
    """
    gross_currency, net_currency = fact["gross_currency"], fact["net_currency"]
    booked = total_minor if fact["booked_value_minor"] is None else fact["booked_value_minor"]
    reference = booked if fact["reference_value_minor"] is None else fact["reference_value_minor"]
    position = f"fx_position:{gross_currency}"
    books.add(position, gross_currency, gross_minor)
    books.add(position, net_currency, -booked)
    books.add(FX_REALISED, net_currency, booked - reference)
    books.add(FX_MARKUP, net_currency, reference - total_minor)


def payout_entries(fact: Mapping[str, Any]) -> tuple[Entry, ...]:
    """What a batch paid out: out of what the gateway owes us, into what is on its way."""
    books, gateway = Books(), fact["gateway"]
    books.add(paid_out(gateway), fact["currency"], fact["amount_minor"])
    books.add(bank_clearing(gateway), fact["currency"], -fact["amount_minor"])
    return books.entries()


def bank_entries(fact: Mapping[str, Any]) -> tuple[Entry, ...]:
    """An entry of a bank statement: what was paid out → bank, charges to bank fees, else suspense."""
    books = Books()
    account, currency, amount_minor = fact["account"], fact["currency"], fact["amount_minor"]
    books.add(f"bank:{account}", currency, amount_minor)
    if fact["outcome"] == "payout" and fact["gateway"]:
        other = paid_out(fact["gateway"])
    else:
        other = "bank_fees" if fact["outcome"] == "charge" else suspense("bank")
    books.add(other, currency, -amount_minor)
    return books.entries()


def revaluation_entries(fact: Mapping[str, Any]) -> tuple[Entry, ...]:
    """What an open balance in a foreign currency is worth more, or less, at the closing rate."""
    books = Books()
    books.add(f"revaluation:{fact['account'].replace(':', '_')}", fact["functional_currency"], fact["amount_minor"])
    books.add(FX_UNREALISED, fact["functional_currency"], -fact["amount_minor"])
    return books.entries()


def write_off_entries(gateway: str, open_entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Give up what is open: out of suspense or clearing, into write-offs; a merchant's money becomes available."""
    books = Books()
    for entry in open_entries:
        amount_minor, currency = entry.amount.amount_minor, entry.amount.currency
        books.add(entry.account, currency, -amount_minor)
        released = entry.account == MERCHANT_PAYABLE_PENDING
        books.add(MERCHANT_PAYABLE_AVAILABLE if released else write_offs(gateway), currency, amount_minor)
    return books.entries()


def open_part(posted: Sequence[Posted], accounts: Sequence[str]) -> tuple[Entry, ...]:
    """What of some journals lies on accounts of these names (or below them)."""
    return tuple(
        entry
        for journal in posted
        for entry in journal.entries
        if any(entry.account == name or entry.account.startswith(f"{name}:") for name in accounts)
    )


def difference(entries: Iterable[Entry], place: str) -> dict[str, int]:
    """What of the entries becomes a loss (debit) or gain (credit), by currency."""
    return {e.amount.currency: e.amount.amount_minor for e in entries if e.account == write_offs(place)}
