from datetime import date

from sqlalchemy import text

from web.db.scope import Scope
from web.ledger.domain import Journal

_INSERT_JOURNAL = text("""
INSERT INTO ledger_journals
  (id, merchant_id, livemode, kind, source_id, reverses_id, occurred_at, booked_at, accounting_date)
VALUES (:id, :merchant_id, :livemode, :kind, :source_id, :reverses_id, :occurred_at, :booked_at, :accounting_date)
""")
_INSERT_ENTRIES = text("""
INSERT INTO ledger_entries (journal_id, line, merchant_id, account, currency, amount_minor)
SELECT :journal_id, e.line, :merchant_id, e.account, e.currency, e.amount_minor
  FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[]), CAST(:amounts AS bigint[]))
       WITH ORDINALITY AS e (account, currency, amount_minor, line)
""")


def insert(scope: Scope, journal_id: str, journal: Journal, accounting_date: date) -> None:
    """Write a journal and its entries; the database checks the balance once more when the transaction ends."""
    scope.connection.execute(
        _INSERT_JOURNAL,
        {
            "id": journal_id,
            "merchant_id": scope.merchant_id,
            "livemode": scope.livemode,
            "kind": journal.kind,
            "source_id": journal.source_id,
            "reverses_id": journal.reverses_id,
            "occurred_at": journal.occurred_at,
            "booked_at": scope.now,
            "accounting_date": accounting_date,
        },
    )
    scope.connection.execute(
        _INSERT_ENTRIES,
        {
            "journal_id": journal_id,
            "merchant_id": scope.merchant_id,
            "accounts": [entry.account for entry in journal.entries],
            "currencies": [entry.amount.currency for entry in journal.entries],
            "amounts": [entry.amount.amount_minor for entry in journal.entries],
        },
    )
