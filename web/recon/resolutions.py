"""Resolving breaks: a maker proposes, a checker approves, finance re-opens. Each step is a balanced journal."""

from collections.abc import Iterable, Sequence

from regions.ids import house_id, new_id
from web import ledger
from web.db.scope import Scope
from web.http.problems import ConflictError, ForbiddenError, IdempotencyKeyReusedError
from web.ledger import repository as journals
from web.ledger.domain import MERCHANT_PAYABLE_PENDING, Entry, Journal, gateway_clearing, reversal_of
from web.recon import domain, repository
from web.recon.models import Resolution
from web.recon.schemas import DecideResolution, ProposeResolution

LOCK = "resolutions"
_BOOKED = domain.BY_SOURCE | domain.BY_JOURNAL


def propose(scope: Scope, asked: ProposeResolution, person: str, key: str) -> tuple[Resolution, bool]:
    """Propose how a break is resolved; whether that is new. A match that leaves nothing over is approved at once.

    Raises ConflictError for a break that is being resolved or not open in the books, and IdempotencyKeyReusedError.
    """
    repository.lock(scope, LOCK)
    known = repository.resolution_by_key(scope, key)
    if known is not None:
        if (known.break_id, known.action, known.reason, known.proposed_by) != (
            asked.break_id, asked.action, asked.reason, person,
        ):  # fmt: skip
            raise IdempotencyKeyReusedError
        return known, False
    if repository.open_resolutions(scope, [name for name in (asked.line_id, asked.item_id) if name]):
        raise ConflictError(f"{asked.break_id} is being resolved already: reject or re-open that first.")
    entries = _entries(scope, asked.gateway, asked.action, asked.line_id, asked.item_id)
    left = domain.difference(entries, asked.gateway)
    if len(left) > 1:
        raise ConflictError("The two sides are in different currencies: write each off by itself.")
    currency, amount_minor = next(iter(left.items()), (entries[0].amount.currency, 0))
    proposed = Resolution(
        id=new_id("resolution", scope.region.code),
        livemode=scope.livemode,
        currency=currency,
        amount_minor=amount_minor,
        needs_checker=asked.action != "match" or amount_minor != 0,
        idempotency_key=key,
        proposed_by=person,
        proposed_at=scope.now,
        status="proposed",
        journal_id=None,
        **asked.model_dump(exclude={"merchant_id", "livemode", "actor"}),
    )
    repository.insert_resolution(scope, proposed)
    if not proposed.needs_checker:
        _approve(scope, proposed, person, None)
    return _again(scope, proposed.id), True


def decide(scope: Scope, resolution_id: str, asked: DecideResolution, person: str) -> Resolution:
    """Approve, reject or re-open. Saying the same again changes nothing. Raises ConflictError, ForbiddenError."""
    repository.lock(scope, LOCK)
    found = _again(scope, resolution_id)
    if found.status == asked.decision:
        return found
    wanted = "approved" if asked.decision == "reopened" else "proposed"
    if found.status != wanted:
        raise ConflictError(f"{resolution_id} is {found.status}, so it cannot be {asked.decision}.")
    if asked.decision == "reopened":
        _reopen(scope, found, person, asked.reason)
    elif asked.decision == "rejected":
        repository.insert_decision(scope, found, "rejected", person, asked.reason, None)
    else:
        if found.needs_checker and person == found.proposed_by:
            raise ForbiddenError("Who proposed a write-off cannot approve it: ask somebody else of finance.")
        _approve(scope, found, person, asked.reason)
    return _again(scope, resolution_id)


def reopen_touching(scope: Scope, names: Sequence[str]) -> int:
    """Take back what was resolved about lines or items that reconciliation now books otherwise; how many."""
    found = repository.open_resolutions(scope, names)
    for resolution_id, merchant_id in found:
        with repository.books_of(scope, merchant_id) as there:
            one = _again(there, resolution_id)
            if one.status == "approved":
                _reopen(there, one, None, "The match has changed.")
            else:
                repository.insert_decision(there, one, "rejected", None, "The match has changed.", None)
    return len(found)


def _again(scope: Scope, resolution_id: str) -> Resolution:
    found = repository.resolution(scope, resolution_id)
    if found is None:
        raise ConflictError(f"There is no resolution {resolution_id}.")
    return found


def _approve(scope: Scope, found: Resolution, person: str, reason: str | None) -> None:
    entries = _entries(scope, found.gateway, found.action, found.line_id, found.item_id)
    left = domain.difference(entries, found.gateway)
    if left.get(found.currency, 0) != found.amount_minor or len(left) > 1:
        raise ConflictError("What the books hold of this break has changed since it was proposed: propose again.")
    kind = "write_off" if found.action == "write_off" else "manual_match"
    (journal_id,) = ledger.post_journals(scope, [Journal(kind, found.id, scope.now, entries)])
    repository.insert_decision(scope, found, "approved", person, reason, journal_id)


def _reopen(scope: Scope, found: Resolution, person: str | None, reason: str | None) -> None:
    posted = journals.journals_of(scope, [found.journal_id] if found.journal_id else [])
    (journal_id,) = ledger.post_journals(scope, [reversal_of(one, scope.now) for one in posted])
    repository.insert_decision(scope, found, "reopened", person, reason, journal_id)


def _entries(scope: Scope, gateway: str, action: str, line_id: str | None, item_id: str | None) -> tuple[Entry, ...]:
    """What would be booked, from what the books have open now. Raises ConflictError if they have nothing."""
    found: list[Entry] = []
    if line_id is not None and (action == "match" or item_id is None or _is_in_suspense(scope, line_id)):
        found += _in_suspense(scope, line_id, is_elsewhere=action == "match")
    if item_id is not None and (action == "match" or line_id is None):
        found += _in_clearing(scope, gateway, item_id)
    if not found:
        raise ConflictError("The books have nothing open of this break: run `meridian recon post` first.")
    entries = domain.write_off_entries(gateway, found)
    if not entries:
        raise ConflictError("The books hold nothing of this break any more: both sides add up.")
    return entries


def _is_in_suspense(scope: Scope, line_id: str) -> bool:
    return bool(_in_suspense(scope, line_id, is_elsewhere=False))


def _in_suspense(scope: Scope, line_id: str, *, is_elsewhere: bool) -> list[Entry]:
    """What of a line's posting waits in suspense; of a match that may be in the platform's own books."""
    tenants: Iterable[str] = (scope.merchant_id,)
    if is_elsewhere:
        tenants = (scope.merchant_id, house_id(scope.region.code))
    found: list[Entry] = []
    for tenant in dict.fromkeys(tenants):
        with repository.books_of(scope, tenant) as there:
            posting = repository.newest(there, [line_id]).get(line_id)
            if posting is not None and posting.is_live:
                posted = journals.journals_of(there, [posting.journal_id])
                found += domain.open_part(posted, ["suspense", "disputes"])
                found += _under_way(there, line_id)
    return found


def _under_way(scope: Scope, payout_id: str) -> list[Entry]:
    """What a payout said is on its way, and what the bank's entries have taken of it; nothing for any other subject."""
    names = {payout_id, *repository.settled_by(scope, [payout_id]).get(payout_id, ())}
    live = [one.journal_id for one in repository.newest(scope, names).values() if one.is_live]
    entries = domain.open_part(journals.journals_of(scope, live), ["bank_clearing"])
    return [entry for entry in entries if entry.account.endswith(domain.PAID_OUT)]


def _in_clearing(scope: Scope, gateway: str, item_id: str) -> list[Entry]:
    """What of a payment or refund the gateway still holds, with the merchant's side of it; of a payout, what is due."""
    if payout := _under_way(scope, item_id):
        return payout
    if repository.settled_by(scope, [item_id]):
        raise ConflictError(f"{item_id} is settled already.")
    posted = [one for one in journals.journals_of(scope, [item_id]) if one.kind in _BOOKED]
    return list(domain.open_part(posted, [gateway_clearing(gateway), MERCHANT_PAYABLE_PENDING]))
