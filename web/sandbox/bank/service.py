"""The merchant's bank: statements of each day since its first payout, made from the PSP's own books."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from web.sandbox.bank import repository
from web.sandbox.bank.domain import Entry, Statement, entries_of, statements_of
from web.sandbox.bank.planting import BankPlantingError, Plant, plant_errors
from web.sandbox.database import Conn
from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.settings import Account

LISTED_DAYS_MAX = 400


def statements(connection: Conn, account: Account, day: date, banking_days: int) -> list[Statement]:
    """The day's statements, one for each currency; none before the first payout or for a day that is not yet here."""
    entries = _entries(connection, account, banking_days)
    if not entries or not entries[0].booked_on <= day <= _today(account):
        return []
    return statements_of(account.name, day, entries, repository.plants(connection, account.name))


def days(connection: Conn, account: Account, banking_days: int) -> list[date]:
    """The days that have a statement, the latest ones, in order."""
    entries = _entries(connection, account, banking_days)
    if not entries:
        return []
    last = _today(account)
    count = min((last - entries[0].booked_on).days + 1, LISTED_DAYS_MAX)
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


def plant(
    connection: Conn, account: Account, day: date, names: Sequence[Plant], banking_days: int
) -> list[dict[str, Any]]:
    """Put errors into a day's statement; the answer key. The first wish counts. Raises InvalidFieldError."""
    if names:
        repository.keep_plants(connection, account.name, day, names)
    kept = repository.plants(connection, account.name).get(day, [])
    booked = [entry for entry in _entries(connection, account, banking_days) if entry.booked_on == day]
    try:
        return plant_errors(booked, kept)[1]
    except BankPlantingError as error:
        raise InvalidFieldError("/plant", str(error)) from None


def _entries(connection: Conn, account: Account, banking_days: int) -> list[Entry]:
    return entries_of(repository.payouts(connection, account.name), banking_days)


def _today(account: Account) -> date:
    return datetime.now(account.tz).date()
