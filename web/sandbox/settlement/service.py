"""Closing a business day: everything that no batch holds yet goes into one, with fees, payout and planted errors."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

from regions.ids import new_id
from web.sandbox.bank.domain import pay_day
from web.sandbox.clock import timestamp
from web.sandbox.database import Conn
from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.ids import psp_reference
from web.sandbox.settings import Account
from web.sandbox.settlement import adyen_report, repository
from web.sandbox.settlement import stripe_report as stripe_render
from web.sandbox.settlement.domain import Line, booking_time, closing_lines, day_end, line_of
from web.sandbox.settlement.planting import Invention, Plant, PlantingError, plant_errors


def close_batch(connection: Conn, account: Account, day: date, plants: Sequence[Plant]) -> dict[str, Any]:
    """Close the account's batch of a business day; with nothing new, the day's last batch is answered again.

    What happened after the day's end in the account's time zone waits for a later batch. Raises InvalidFieldError.
    """
    repository.lock(connection, account.name)
    items = repository.unbatched(connection, account.name, day_end(day, account.tz))
    earlier = repository.batches(connection, account.name, day)
    if not items and earlier:
        return _document(connection, earlier[-1])
    booked_at = booking_time(day, account.tz)
    true_lines = [line_of(item, booked_at) for item in items]
    currency = items[0].currency if items else account.currencies[0]
    template = true_lines[0] if true_lines else Line("Settled", booked_at, booked_at, currency, 0)

    def invent() -> Invention:
        return Invention(currency, new_id("attempt", account.region), psp_reference)

    try:
        lines, answer_key = plant_errors(true_lines, plants, template, invent)
    except PlantingError as error:
        raise InvalidFieldError("/plant", str(error)) from None
    number = repository.next_number(connection, account.name)
    lines += closing_lines(lines, account.name, number, day, booked_at)
    batch = repository.insert(connection, account.name, number, day, lines=lines, items=items, answer_key=answer_key)
    return _document(connection, batch)


def answer_keys(connection: Conn, account: Account, day: date) -> list[dict[str, Any]]:
    """All batches of a business day with what was planted in them."""
    return [_document(connection, batch) for batch in repository.batches(connection, account.name, day)]


def report(connection: Conn, account: Account, day: date) -> str | None:
    """The settlement report of a business day, all its batches, or None when none was closed."""
    batches = repository.batches(connection, account.name, day)
    if not batches:
        return None
    parts = [(batch.batch_number, repository.lines(connection, batch.id)) for batch in batches]
    return adyen_report.render(account.name, account.tz, parts)


def stripe_report(connection: Conn, account: Account, day: date, banking_days: int) -> str | None:
    """The payout reconciliation report of a business day, all its batches, or None when none was closed."""
    batches = repository.batches(connection, account.name, day)
    if not batches:
        return None
    paid_on = pay_day(day, banking_days)
    return stripe_render.render(
        (batch.batch_number, paid_on, repository.lines(connection, batch.id)) for batch in batches
    )


def reports(connection: Conn, account: Account, base_url: str) -> list[dict[str, Any]]:
    """One entry per batch; `sha256` is of the file at `url`, which holds all batches of its date."""
    entries = []
    digests: dict[date, str] = {}
    for batch in repository.batches(connection, account.name):
        day = batch.business_date
        if day not in digests:
            digests[day] = sha256(report(connection, account, day) or "")
        entries.append(
            {
                "date": day.isoformat(),
                "batch_number": batch.batch_number,
                "line_count": batch.line_count,
                "closed_at": timestamp(batch.closed_at),
                "url": f"{base_url}/v1/settlement_reports/{day.isoformat()}.csv",
                "sha256": digests[day],
            }
        )
    return entries


def sha256(text: str) -> str:
    """Hex SHA-256 of a report."""
    return hashlib.sha256(text.encode()).hexdigest()


def _document(connection: Conn, batch: repository.Batch) -> dict[str, Any]:
    return {
        "account": batch.account,
        "date": batch.business_date.isoformat(),
        "batch_number": batch.batch_number,
        "line_count": batch.line_count,
        "answer_key": batch.answer_key,
        "left_for_later": repository.left_for_later(connection, batch.account),
    }
