"""What is paid out, and when. Pure: balances and terms come in, an amount and what is held back come out."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

MERCHANT_RESERVE = "merchant_reserve"
PAYOUT_CLEARING = "payout_clearing"
BANK = "bank"
RESERVE_DAYS = 90  # how far back sales count for a reserve in percent
_BPS = 10_000
_WEEK = 7
_MONTH_DAYS_MAX = 28  # every month has it
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_LOCAL = re.compile(r"[A-Za-z0-9]{4,34}")
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")


class Schedule(StrEnum):
    """When a merchant is paid out."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    MANUAL = "manual"  # when the merchant asks


class PayoutStatus(StrEnum):
    """Where a payout stands."""

    CREATED = "created"  # booked, and waits for the next file
    SUBMITTED = "submitted"  # in a file to the bank
    PAID = "paid"
    FAILED = "failed"  # the bank could not; the money is available again


TRANSITIONS = {
    (PayoutStatus.CREATED, PayoutStatus.SUBMITTED),
    (PayoutStatus.SUBMITTED, PayoutStatus.PAID),
    (PayoutStatus.SUBMITTED, PayoutStatus.FAILED),
    (PayoutStatus.PAID, PayoutStatus.FAILED),  # it came back from the payee's bank
}


@dataclass(frozen=True, slots=True)
class Balance:
    """A merchant's money in one currency, in minor units; negative is what the merchant owes."""

    available_minor: int  # settled
    pending_minor: int  # captured and not settled; refunds of paid-out money make it negative
    pending_refunds_minor: int  # asked for and not booked yet
    reserved_minor: int
    recent_minor: int  # what became available in the reserve's days

    @property
    def free_minor(self) -> int:
        """What may leave: available, less what refunds will take of it."""
        return self.available_minor + min(0, self.pending_minor - self.pending_refunds_minor)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds a payout back."""

    minimum_minor: int = 1
    reserve_minor: int = 0  # always held back
    reserve_bps: int = 0  # and of what became available lately


@dataclass(frozen=True, slots=True)
class Plan:
    """What one payout does: `reserve_minor` more is held back, less if negative. `why`: nothing is paid."""

    amount_minor: int
    reserve_minor: int
    why: str | None = None


def plan(balance: Balance, terms: Terms) -> Plan:
    """Pay what is free beyond the reserve, unless that is less than the minimum."""
    free = balance.free_minor
    target = terms.reserve_minor + max(balance.recent_minor, 0) * terms.reserve_bps // _BPS
    held = min(target - balance.reserved_minor, max(free, 0))  # never more than there is; less than zero is let go
    amount = free - held
    if amount <= 0:
        return Plan(0, 0, "nothing_available" if free >= 0 else "negative_balance")
    if amount < terms.minimum_minor:
        return Plan(0, 0, "below_minimum")
    return Plan(amount, held)


def next_due(after: date, schedule: Schedule, weekday: int | None, month_day: int | None) -> date | None:
    """The first day after this one on which a payout is due; weekday 1 is Monday. None: only when asked for."""
    match schedule:
        case Schedule.DAILY:
            return after + timedelta(days=1)
        case Schedule.WEEKLY:
            return after + timedelta(days=((weekday or 1) - after.isoweekday() - 1) % _WEEK + 1)
        case Schedule.MONTHLY:
            wanted = min(month_day or 1, _MONTH_DAYS_MAX)
            if after.day < wanted:
                return after.replace(day=wanted)
            first = (after.replace(day=_MONTH_DAYS_MAX) + timedelta(days=_WEEK)).replace(day=1)
            return first.replace(day=wanted)
        case Schedule.MANUAL:
            return None


def is_iban(account: str) -> bool:
    """Whether it is an IBAN whose check digits are right (ISO 13616)."""
    if not _IBAN.fullmatch(account):
        return False
    digits = "".join(str(int(char, 36)) for char in account[4:] + account[:4])
    return int(digits) % 97 == 1


def is_account(account: str) -> bool:
    """Whether it can be an account's number: an IBAN, or a local one; what begins as an IBAN must be one."""
    return is_iban(account) or (_LOCAL.fullmatch(account) is not None and _IBAN.fullmatch(account) is None)


def is_bic(bic: str) -> bool:
    """Whether it can be a bank's code (ISO 9362)."""
    return _BIC.fullmatch(bic) is not None
