from collections.abc import Sequence

from regions.events import timestamp
from regions.ids import new_id
from web import outbox
from web.db.scope import Scope
from web.ledger import repository
from web.ledger.domain import Journal

EVENT = "journal.posted"


def post_journal(scope: Scope, journal: Journal) -> str:
    """Post a journal and tell of it, in the scope's transaction; returns the journal's id.

    A second journal of the same kind for the same source violates a unique constraint: lock the source, look first.
    """
    return post_journals(scope, [journal])[0]


def post_journals(scope: Scope, journals: Sequence[Journal]) -> list[str]:
    """Post journals and tell of them, in three statements however many they are; returns their ids."""
    if not journals:
        return []
    named = {new_id("journal", scope.region.code): journal for journal in journals}
    dates = repository.insert(scope, named)
    told = {
        journal_id: {
            "journal_id": journal_id,
            "kind": journal.kind,
            "source_id": journal.source_id,
            "occurred_at": timestamp(journal.occurred_at),
            "booked_at": timestamp(scope.now),
            "accounting_date": dates[journal_id].isoformat(),
            "entries": [
                {
                    "line": line,
                    "account": entry.account,
                    "currency": entry.amount.currency,
                    "amount_minor": entry.amount.amount_minor,
                }
                for line, entry in enumerate(journal.entries, start=1)
            ],
        }
        for journal_id, journal in named.items()
    }
    outbox.append_first(scope, EVENT, told)
    return list(named)
