"""A bank statement, in our words. camt and MT940 both parse to this. Pure.

Signs: credit is positive, debit negative. Amounts are integer minor units of the currency named with them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date

from regions.errors import UsageError

BOOKED = "BOOK"
NOTICES = frozenset({"camt.052", "camt.054"})  # they announce what a statement will state


class StatementError(UsageError):
    """A statement that cannot be trusted: it is refused whole, and the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One entry of a statement. Names of other parties are not in it."""

    line_number: int
    statement_number: int  # from 1, within the file
    statement_id: str
    account: str
    currency: str
    entry_number: int  # from 1, within the statement
    booking_date: date | None
    value_date: date | None
    kind: str  # CRDT, DBIT, or either with -RVSL
    status: str  # BOOK counts in the balance; PDNG, INFO and FUTR do not
    amount_minor: int
    transaction_code: str | None
    bank_reference: str | None
    references: tuple[str, ...]  # every reference in it, ours and others'
    detail_count: int  # transactions of a batch entry that the file details
    instructed_currency: str | None = None
    instructed_minor: int | None = None
    exchange_rate: str | None = None  # decimal text, as printed

    @property
    def is_booked(self) -> bool:
        """Whether it is in the closing balance."""
        return self.status == BOOKED


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account held."""

    amount_minor: int
    on: date | None
    line_number: int


@dataclass(frozen=True, slots=True)
class BankStatement:
    """One statement of an account in one currency; entries stand apart. A balance is None where the format has none."""

    line_number: int
    number: int  # from 1, within the file; one for each account, whatever its currencies
    id: str
    account: str
    currency: str
    sequence: str | None
    opening: Balance | None
    closing: Balance | None
    entry_count: int  # booked ones
    pending_count: int
    sum_minor: int  # of booked ones

    @property
    def difference_minor(self) -> int | None:
        """Opening balance and entries less closing balance: zero, if the statement foots."""
        if self.opening is None or self.closing is None:
            return None
        return self.opening.amount_minor + self.sum_minor - self.closing.amount_minor

    @property
    def on(self) -> date | None:
        """The day whose end it states."""
        return self.closing.on if self.closing else None

    @property
    def key(self) -> str:
        """Which statement this is, whatever its content and format: landing it again replaces it."""
        day = self.on.isoformat() if self.on else ""
        return f"{self.account}/{self.currency}/{day}/{plain_number(self.sequence) or self.id}"


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A whole file of statements. `sha256` is of its bytes."""

    format: str
    sha256: str
    statements: tuple[BankStatement, ...]
    entries: tuple[BankEntry, ...]
    _by_place: dict[tuple[int, str], BankStatement] = field(init=False, repr=False, compare=False)
    _last_days: dict[tuple[int, str], date] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_place = {(one.number, one.currency): one for one in self.statements}
        object.__setattr__(self, "_by_place", by_place)
        last_days: dict[tuple[int, str], date] = {}
        for entry in self.entries:
            place = (entry.statement_number, entry.currency)
            if entry.booking_date is not None:
                last_days[place] = max(entry.booking_date, last_days.get(place, entry.booking_date))
        object.__setattr__(self, "_last_days", last_days)

    @property
    def states_balances(self) -> bool:
        """Whether these are statements of account; else they only announce entries (camt.052 and camt.054)."""
        return self.format not in NOTICES

    def day_of(self, statement: BankStatement) -> date | None:
        """The day whose end it states; of what only announces, the last day of its entries."""
        return statement.on or self._last_days.get((statement.number, statement.currency))

    def key_of(self, statement: BankStatement) -> str:
        """Which statement or notice this is: a notice never replaces a statement."""
        return statement.key if self.states_balances else f"{self.format}:{statement.key}"

    def statement_of(self, entry: BankEntry) -> BankStatement:
        """The statement that an entry stands in."""
        return self._by_place[entry.statement_number, entry.currency]

    def entry_ids(self, region: str) -> list[str]:
        """An id per entry: a hash of what it says and of how many before it say the same, not of where it stands."""
        seen: dict[tuple[object, ...], int] = {}
        ids = []
        for entry in self.entries:
            said = (
                self.key_of(self.statement_of(entry)), entry.booking_date, entry.value_date, entry.kind, entry.status,
                entry.amount_minor, entry.bank_reference,
            )  # fmt: skip
            seen[said] = seen.get(said, 0) + 1
            text = "\x1f".join(str(part) for part in (region, *said, seen[said]))
            ids.append(hashlib.sha256(text.encode()).hexdigest()[:32])
        return ids


def plain_number(sequence: str | None) -> str:
    """A statement's number without the zeros before it, so that formats agree on it."""
    text = (sequence or "").strip()
    return text.lstrip("0") or "0" if text.isdecimal() else text
