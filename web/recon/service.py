"""Books what reconciliation wants, subject by subject: what is booked so stays, anything else is reversed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from regions.posting import posting_id
from web import ledger
from web.db.scope import Scope
from web.http.problems import ConflictError
from web.ledger import repository as journals
from web.ledger.domain import Entry, Journal, Posted, reversal_of
from web.recon import domain, repository, resolutions
from web.recon.models import NewPosting, Posting, Wanted

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "settlement": "settlement",
        "item": "settlement",
        "payout": "bank",
        "bank": "bank",
        "revaluation": "fx_revaluation",
    }
)


@dataclass(frozen=True, slots=True)
class Converged:
    """What a batch did."""

    posted: int = 0
    reversed: int = 0
    unchanged: int = 0
    reopened: int = 0


def converge(scope: Scope, rule_version: int, wanted: Sequence[Wanted]) -> Converged:
    """Book each subject as wanted, in the scope's transaction; asking again changes nothing.

    Raises ConflictError for an item that is not booked, or that another line settles.
    """
    repository.lock(scope, resolutions.LOCK)
    known = repository.newest(scope, (one.subject_id for one in wanted))
    live = {name: posting for name, posting in known.items() if posting.is_live}
    stale = [live[one.subject_id] for one in wanted if _differs(live.get(one.subject_id), one)]
    new = [
        one for one in wanted if one.fact is not None and (one.subject_id not in live or live[one.subject_id] in stale)
    ]
    items = {one.subject_id: _item_of(one.fact) for one in new if one.fact is not None}
    paid = {one.subject_id: one.fact.get("payout_id") for one in new if one.fact is not None}
    named = [name for one in stale for name in (one.subject_id, one.item_id) if name]
    named += [name for name in (*items.values(), *paid.values()) if name]
    reopened = resolutions.reopen_touching(scope, named)
    _reverse(scope, stale)
    _post(scope, rule_version, new, (items, paid), {name: posting.generation for name, posting in known.items()})
    return Converged(
        len(new),
        len(stale),
        len(wanted) - len({one.subject_id for one in new} | {p.subject_id for p in stale}),
        reopened,
    )


def _differs(live: Posting | None, wanted: Wanted) -> bool:
    return live is not None and (wanted.fact is None or wanted.key != live.key)


def _item_of(fact: Mapping[str, Any]) -> str | None:
    item: str | None = fact.get("item_id")
    return item


def _reverse(scope: Scope, stale: Sequence[Posting]) -> None:
    found = journals.journals_of(scope, (posting.journal_id for posting in stale))
    ledger.post_journals(scope, [reversal_of(posted, posted.occurred_at) for posted in found])


def _post(
    scope: Scope,
    rule_version: int,
    new: Sequence[Wanted],
    named: tuple[Mapping[str, str | None], Mapping[str, str | None]],
    generations: Mapping[str, int],
) -> None:
    items, paid = named
    booked = _booked(scope, [item for item in items.values() if item])
    settled = repository.settled_by(scope, booked)
    rows, posted = [], []
    for one in new:
        if one.fact is None:
            continue
        item_id = items[one.subject_id]
        if item_id is not None:
            if item_id not in booked:
                raise ConflictError(f"{item_id} is not booked here.")
            if settled.get(item_id, set()) - {one.subject_id}:
                raise ConflictError(f"{item_id} is settled by another line: take that posting back first.")
            settled[item_id] = {one.subject_id}
        generation = generations.get(one.subject_id, 0) + 1
        row_id = posting_id(scope.region.code, scope.merchant_id, one.subject_id, one.key, generation)
        entries = _ENTRIES[one.fact["type"]](one.fact, booked.get(item_id or ""))
        if not entries:
            continue  # a line that moves nothing
        posted.append(Journal(KINDS[one.fact["type"]], row_id, one.fact["occurred_at"], entries))
        rows.append(NewPosting(row_id, one.subject_id, generation, one.key, item_id or paid[one.subject_id]))
    if rows:
        repository.insert(scope, rule_version, rows, ledger.post_journals(scope, posted))


def _booked(scope: Scope, items: Sequence[str]) -> dict[str, Posted]:
    found = journals.journals_of(scope, items)
    by_source = {one.source_id: one for one in found if one.kind in domain.BY_SOURCE}
    return by_source | {one.id: one for one in found if one.kind in domain.BY_JOURNAL}


_ENTRIES: Final[Mapping[str, Callable[[Mapping[str, Any], Posted | None], tuple[Entry, ...]]]] = MappingProxyType(
    {
        "settlement": domain.settlement_entries,
        "item": domain.item_entries,
        "payout": lambda fact, _: domain.payout_entries(fact),
        "bank": lambda fact, _: domain.bank_entries(fact),
        "revaluation": lambda fact, _: domain.revaluation_entries(fact),
    }
)
