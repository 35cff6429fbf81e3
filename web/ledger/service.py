from regions.events import timestamp
from regions.ids import new_id
from web import outbox
from web.db.scope import Scope
from web.ledger import repository
from web.ledger.domain import Journal


def post_journal(scope: Scope, journal: Journal) -> str:
    """Post a journal and tell of it, in the scope's transaction; returns the journal's id.

    A second journal of the same kind for the same source violates a unique constraint: lock the source, look first.
    """
    journal_id = new_id("journal", scope.region.code)
    accounting_date = scope.region.accounting_date(journal.occurred_at)
    repository.insert(scope, journal_id, journal, accounting_date)
    entries = [
        {
            "line": line,
            "account": entry.account,
            "currency": entry.amount.currency,
            "amount_minor": entry.amount.amount_minor,
        }
        for line, entry in enumerate(journal.entries, start=1)
    ]
    data = {
        "journal_id": journal_id,
        "kind": journal.kind,
        "source_id": journal.source_id,
        "occurred_at": timestamp(journal.occurred_at),
        "booked_at": timestamp(scope.now),
        "accounting_date": accounting_date.isoformat(),
        "entries": entries,
    }
    outbox.append(scope, "journal.posted", journal_id, data)
    return journal_id
