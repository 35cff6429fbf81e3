from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import bindparam, text

from web.db.engine import driver_of
from web.db.scope import Scope
from web.ledger.domain import Entry, Journal, Posted

# A journal of a closed day is booked on the first day that is open.
_INSERT_JOURNALS = """
INSERT INTO ledger_journals
  (id, merchant_id, livemode, kind, source_id, reverses_id, occurred_at, booked_at, accounting_date)
SELECT id, %(merchant_id)s, %(livemode)s, kind, source_id, reverses_id, occurred_at, %(now)s,
       ledger_open_date(accounting_date)
  FROM unnest(%(ids)s::text[], %(kinds)s::text[], %(sources)s::text[], %(reverses)s::text[], %(moments)s::timestamptz[],
              %(dates)s::date[]) AS given (id, kind, source_id, reverses_id, occurred_at, accounting_date)
RETURNING id, accounting_date
"""
_INSERT_ENTRIES = """
INSERT INTO ledger_entries (journal_id, line, merchant_id, account, currency, amount_minor)
SELECT e.journal_id, e.line, %(merchant_id)s, e.account, e.currency, e.amount_minor
  FROM unnest(%(journals)s::text[], %(lines)s::smallint[], %(accounts)s::text[], %(currencies)s::text[],
              %(amounts)s::bigint[]) AS e (journal_id, line, account, currency, amount_minor)
"""
_OF_JOURNALS = text("""
SELECT j.id, j.kind, j.source_id, j.occurred_at, e.account, e.currency, e.amount_minor
  FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
 WHERE j.merchant_id = :merchant_id AND (j.id IN :names OR j.source_id IN :names AND j.reverses_id IS NULL)
 ORDER BY j.id, e.line
""").bindparams(bindparam("names", expanding=True))


def insert(scope: Scope, journals: Mapping[str, Journal]) -> dict[str, date]:
    """Write journals by id, with their entries; returns accounting dates. The database checks balances once more."""
    ids, values = list(journals), list(journals.values())
    driver = driver_of(scope.connection)
    rows = driver.execute(
        _INSERT_JOURNALS,
        {
            "merchant_id": scope.merchant_id,
            "livemode": scope.livemode,
            "now": scope.now,
            "ids": ids,
            "kinds": [journal.kind for journal in values],
            "sources": [journal.source_id for journal in values],
            "reverses": [journal.reverses_id for journal in values],
            "moments": [journal.occurred_at for journal in values],
            "dates": [scope.region.accounting_date(journal.occurred_at) for journal in values],
        },
    ).fetchall()
    entries = [(key, line, entry) for key in ids for line, entry in enumerate(journals[key].entries, start=1)]
    driver.execute(
        _INSERT_ENTRIES,
        {
            "merchant_id": scope.merchant_id,
            "journals": [key for key, _, _ in entries],
            "lines": [line for _, line, _ in entries],
            "accounts": [entry.account for _, _, entry in entries],
            "currencies": [entry.amount.currency for _, _, entry in entries],
            "amounts": [entry.amount.amount_minor for _, _, entry in entries],
        },
    )
    return dict(rows)


def journals_of(scope: Scope, names: Iterable[str]) -> list[Posted]:
    """The merchant's journals that have these ids or book these sources, with their entries."""
    wanted = sorted(set(names))
    if not wanted:
        return []
    found: dict[str, Posted] = {}
    for row in scope.connection.execute(_OF_JOURNALS, {"merchant_id": scope.merchant_id, "names": wanted}):
        posted = found.setdefault(row.id, Posted(row.id, row.kind, row.source_id, row.occurred_at, []))
        posted.entries.append(Entry.of(row.account, row.currency, row.amount_minor))
    return list(found.values())
