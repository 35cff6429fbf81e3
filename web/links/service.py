from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from regions.events import timestamp
from regions.ids import new_code, new_id
from web import outbox
from web.db.scope import Scope
from web.http.answers import Answer, Read, Write
from web.http.bodies import field_error
from web.http.problems import ConflictError, FieldError, InvalidFieldsError, InvalidTermsError, NotFoundError
from web.links import events, repository
from web.links.checks import check_terms, check_update
from web.links.domain import expiry_fault, status_at
from web.links.models import Link
from web.links.pricing import bill
from web.links.schemas import CreateLink, ListLinks, RegenerateLink, UpdateLink
from web.outbox.service import parameters

# What has a column of its own; all else of a link is `terms`.
_COLUMNS = {
    "amount_minor", "currency", "reference", "description", "usage", "metadata", "channel", "campaign", "expires_at",
    "expires_in", "max_payments",
}  # fmt: skip
_STORED = _COLUMNS - {"expires_in"}


def create(scope: Scope, wanted: CreateLink) -> tuple[Link, Write]:
    """Make a link, and the write that stores it with its event, which the edge runs. Raises what `build` raises."""
    link = build(scope, wanted)
    return link, _insertion(scope, link)


def build(scope: Scope, wanted: CreateLink) -> Link:
    """A link as wanted, which is not stored yet.

    Raises InvalidFieldsError for what only the region or the clock can judge, InvalidTermsError for fields that do not
    go together.
    """
    if wanted.currency not in scope.region.currencies:
        raise field_error(
            "currency", f"must be one of {', '.join(scope.region.currencies)} in region {scope.region.code}"
        )
    terms: dict[str, Any] = {}
    amount_minor = wanted.amount_minor
    if amount_minor is None or wanted.usage == "limited" or not wanted.model_fields_set <= _STORED:
        terms = wanted.model_dump(mode="json", include=wanted.model_fields_set - _COLUMNS, exclude_none=True)
        check_terms(scope.region, wanted, terms)
        if wanted.line_items:
            amount_minor = bill(terms, wanted.currency, wanted.currency).amount_minor
    elif wanted.max_payments is not None:
        raise InvalidTermsError([FieldError("/max_payments", "goes with usage limited, and only with it")])
    return Link(
        id=new_id("link", scope.region.code),
        code=new_code(),
        livemode=scope.livemode,
        amount_minor=amount_minor,
        currency=wanted.currency,
        reference=wanted.reference,
        description=wanted.description,
        metadata=wanted.metadata,
        usage=wanted.usage,
        status="active",
        channel=wanted.channel,
        campaign=wanted.campaign,
        expires_at=_end(scope, wanted.expires_at, wanted.expires_in),
        created_at=scope.now,
        deactivated_at=None,
        max_payments=wanted.max_payments,
        terms=terms,
    )


def get(scope: Scope, link_id: str, *, is_locked: bool = False) -> Link:
    """One link of the merchant; raises NotFoundError."""
    return _found(repository.get(scope, link_id, is_locked=is_locked))


def reading(link_id: str, show: Callable[[Scope, Link], Answer]) -> Read:
    """How to read and show one link in one round trip; shows NotFoundError if the merchant has none of that id."""

    def conclude(scope: Scope, link: Link | None) -> Answer:
        return show(scope, _found(link))

    return repository.reading(link_id, conclude)


def page(scope: Scope, asked: ListLinks) -> tuple[list[Link], bool]:
    """A page of the merchant's links, newest first, and whether there are more."""
    if asked.metadata_value is not None and asked.metadata_key is None:
        raise InvalidFieldsError([FieldError("?metadata_value", "needs metadata_key")])
    return repository.page(scope, asked)


def update(scope: Scope, link_id: str, wanted: UpdateLink) -> Link:
    """Change what the page shows and asks, how long and how often; never the price.

    Raises NotFoundError, ConflictError for a link that has been paid for good, InvalidTermsError.
    """
    link = get(scope, link_id, is_locked=True)
    if link.status == "completed":
        raise ConflictError("The link was paid already: nothing of it can change.")
    given = wanted.model_fields_set
    said = wanted.model_dump(mode="json", include=given - _COLUMNS)
    terms = {name: value for name, value in (link.terms | said).items() if value is not None}
    check_update(scope, link, wanted, terms)
    changes: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in given & {"reference", "description", "metadata", "channel", "campaign", "max_payments"}
    }
    if given & {"expires_at", "expires_in"}:
        changes["expires_at"] = _end(scope, wanted.expires_at, wanted.expires_in)
    changed = replace(link, terms=terms, **changes)
    if changed == link:
        return link
    repository.update(scope, changed)
    names = sorted(given if "expires_in" not in given else given - {"expires_in"} | {"expires_at"})
    outbox.append(scope, "link.updated", link.id, events.updated(changed, names, scope.now))
    return changed


def end_at(scope: Scope, link_id: str, expires_at: datetime) -> Link:
    """Let an open link end at a moment, which may be now; the caller holds its lock."""
    changed = replace(get(scope, link_id), expires_at=expires_at)
    repository.update(scope, changed)
    outbox.append(scope, "link.updated", link_id, events.updated(changed, ["expires_at"], scope.now))
    return changed


def deactivate(scope: Scope, link_id: str) -> Link:
    """End a link: nobody can start to pay it any more. Ending it again changes nothing.

    Raises NotFoundError, and ConflictError for a link that was paid.
    """
    link = get(scope, link_id, is_locked=True)
    if link.status == "deactivated":
        return link
    if link.status == "completed":
        raise ConflictError("The link was paid already: there is nothing left to deactivate.")
    repository.deactivate(scope, link)
    outbox.append(scope, "link.deactivated", link.id, {"link_id": link.id, "deactivated_at": timestamp(scope.now)})
    return replace(link, status="deactivated", deactivated_at=scope.now)


def reactivate(scope: Scope, link_id: str) -> Link:
    """Open a deactivated link again. Opening an open one changes nothing.

    Raises NotFoundError, and ConflictError for one that was paid or whose time has passed.
    """
    link = get(scope, link_id, is_locked=True)
    if link.status == "completed":
        raise ConflictError("The link was paid already: make a new one.")
    if status_at("active", link.expires_at, scope.now) == "expired":
        raise ConflictError("The link's time has passed: give it a new expires_at, or regenerate it.")
    if link.status == "active":
        return link
    repository.reactivate(scope, link)
    outbox.append(scope, "link.reactivated", link.id, {"link_id": link.id, "reactivated_at": timestamp(scope.now)})
    return replace(link, status="active", deactivated_at=None)


def regenerate(scope: Scope, link_id: str, wanted: RegenerateLink) -> Link:
    """A new link on the terms of one that has ended, with an address of its own. The old one stays as it is.

    Raises NotFoundError, and ConflictError for a link that can still be paid.
    """
    if wanted.expires_at is not None and wanted.expires_in is not None:
        raise InvalidTermsError([FieldError("/expires_in", "cannot be given together with expires_at")])
    link = get(scope, link_id)
    if status_at(link.status, link.expires_at, scope.now) == "active":
        raise ConflictError("The link can still be paid: deactivate it first, or change its expires_at.")
    made = replace(
        link,
        id=new_id("link", scope.region.code),
        code=new_code(),
        status="active",
        expires_at=_end(scope, wanted.expires_at, wanted.expires_in),
        created_at=scope.now,
        deactivated_at=None,
        regenerated_from=link.id,
    )
    insert(scope, made)
    return made


def insert(scope: Scope, link: Link) -> None:
    """Store a link that `build` has made, with its event."""
    _insertion(scope, link)({})


def complete(scope: Scope, link_id: str, payment_id: str) -> None:
    """End a link whose capacity is used up by this payment; the caller holds the link's lock. Once done, it stays so.

    A link that was deactivated while its payment was under way is completed all the same: it was paid.
    """
    if repository.complete(scope, link_id):
        data = {"link_id": link_id, "payment_id": payment_id, "completed_at": timestamp(scope.now)}
        outbox.append(scope, "link.completed", link_id, data)


def announce_expiry(scope: Scope, link_id: str, expires_at: datetime) -> None:
    """Tell that a link's time has passed; the caller holds the link's lock."""
    repository.mark_expired(scope, link_id)
    outbox.append(scope, "link.expired", link_id, {"link_id": link_id, "expired_at": timestamp(expires_at)})


def _found(link: Link | None) -> Link:
    if link is None:
        raise NotFoundError("There is no such link.")
    return link


def _insertion(scope: Scope, link: Link) -> Write:
    event = parameters(scope, "link.created", link.id, events.created(link))
    return partial(repository.insert, scope, link, event)


def _end(scope: Scope, expires_at: datetime | None, expires_in: int | None) -> datetime | None:
    end = scope.now + timedelta(seconds=expires_in) if expires_in is not None else expires_at
    fault = expiry_fault(end, scope.now)
    if fault:
        raise field_error("expires_in" if expires_in is not None else "expires_at", fault)
    return end
