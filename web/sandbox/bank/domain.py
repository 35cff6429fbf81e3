"""The merchant's bank account, as its bank books it: payouts some banking days after their batch, and charges. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from regions.money import exponent
from web.sandbox.bank.planting import Plant, plant_errors

CHARGE_HUNDREDTHS = 15  # of the major unit, for every payout that arrives
_SATURDAY = 5


@dataclass(frozen=True)
class Payout:
    """What a batch pays out in one currency. Negative if the merchant owes it."""

    batch_number: int
    business_date: date
    currency: str
    amount_minor: int
    reference: str


@dataclass(frozen=True)
class Entry:
    """One entry of the account. Credit is positive."""

    booked_on: date
    currency: str
    amount_minor: int
    reference: str
    text: str
    is_charge: bool = False


@dataclass(frozen=True)
class Statement:
    """A day of the account in one currency. `closing_minor` is what is printed, right or not."""

    account_number: str
    currency: str
    on: date
    opening_minor: int
    closing_minor: int
    entries: Sequence[Entry]

    @property
    def sequence(self) -> int:
        """The statement's number within its year."""
        return self.on.timetuple().tm_yday

    @property
    def id(self) -> str:
        """Its name."""
        return f"{self.on:%Y%m%d}{self.currency}"


def pay_day(business_date: date, banking_days: int) -> date:
    """When a batch's payout reaches the bank: so many days later that are no weekend; on the same day if 0."""
    day = business_date
    for _ in range(banking_days):
        day += timedelta(days=1)
        while day.weekday() >= _SATURDAY:
            day += timedelta(days=1)
    return day


def entries_of(payouts: Iterable[Payout], banking_days: int) -> list[Entry]:
    """What the bank truly books, in order."""
    found = []
    for payout in payouts:
        if not payout.amount_minor:
            continue
        day = pay_day(payout.business_date, banking_days)
        text = f"{payout.reference} batch {payout.batch_number} po_{payout.batch_number:09d}"
        found.append(Entry(day, payout.currency, payout.amount_minor, payout.reference, text))
        charge_minor = 10 ** exponent(payout.currency) * CHARGE_HUNDREDTHS // 100
        if charge_minor:
            name = f"CHG{payout.batch_number:09d}{payout.currency}"
            found.append(Entry(day, payout.currency, -charge_minor, name, f"Charge {name}", is_charge=True))
    return sorted(found, key=lambda entry: (entry.booked_on, entry.currency, entry.reference))


def statements_of(
    name: str, day: date, entries: Sequence[Entry], plants: Mapping[date, Sequence[Plant]]
) -> list[Statement]:
    """The day's statement of each currency that has moved so far; what it closes with, the next one opens with.

    Planted errors stay in the account: later balances contain them, but for the one that is only misprinted.
    """
    days = sorted({entry.booked_on for entry in entries if entry.booked_on <= day} | {day})
    balances: dict[str, int] = {}
    made: list[Statement] = []
    for at in days:
        booked, _ = plant_errors([entry for entry in entries if entry.booked_on == at], plants.get(at, ()))
        made = []
        for currency in sorted({entry.currency for entry in booked} | set(balances)):
            members = [entry for entry in booked if entry.currency == currency]
            opening = balances.get(currency, 0)
            closing = opening + sum(entry.amount_minor for entry in members)
            balances[currency] = closing
            wrong = 10 ** exponent(currency) if "unbalanced" in plants.get(at, ()) else 0
            made.append(Statement(account_number(name, currency), currency, at, opening, closing + wrong, members))
    return made


def account_number(name: str, currency: str) -> str:
    """The bank account of a merchant account in one currency; the same each time, and nobody's."""
    digits = int.from_bytes(f"{name}{currency}".encode()) % 10**10
    return f"SBX{digits:010d}{currency}"
