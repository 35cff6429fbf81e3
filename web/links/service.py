from dataclasses import replace
from functools import partial
from typing import Any

from regions.events import timestamp
from regions.ids import new_code, new_id
from web import outbox
from web.db.scope import Scope
from web.http.answers import Write
from web.http.bodies import field_error
from web.http.problems import ConflictError, FieldError, InvalidFieldsError, NotFoundError
from web.links import repository
from web.links.domain import expiry_fault
from web.links.models import Link
from web.links.schemas import CreateLink, ListLinks
from web.outbox.service import parameters


def create(scope: Scope, wanted: CreateLink) -> tuple[Link, Write]:
    """Make a link, and the write that stores it with its event, which the edge runs.

    Raises InvalidFieldsError for what only the region or the clock can judge.
    """
    if wanted.currency not in scope.region.currencies:
        raise field_error(
            "currency", f"must be one of {', '.join(scope.region.currencies)} in region {scope.region.code}"
        )
    fault = expiry_fault(wanted.expires_at, scope.now)
    if fault:
        raise field_error("expires_at", fault)
    link = Link(
        id=new_id("link", scope.region.code),
        code=new_code(),
        livemode=scope.livemode,
        amount_minor=wanted.amount_minor,
        currency=wanted.currency,
        reference=wanted.reference,
        description=wanted.description,
        metadata=wanted.metadata,
        usage=wanted.usage,
        status="active",
        channel=wanted.channel,
        campaign=wanted.campaign,
        expires_at=wanted.expires_at,
        created_at=scope.now,
        deactivated_at=None,
    )
    event = parameters(scope, "link.created", link.id, _created(link))
    return link, partial(repository.insert, scope, link, event)


def get(scope: Scope, link_id: str) -> Link:
    """One link of the merchant; raises NotFoundError."""
    link = repository.get(scope, link_id)
    if link is None:
        raise NotFoundError("There is no such link.")
    return link


def page(scope: Scope, asked: ListLinks) -> tuple[list[Link], bool]:
    """A page of the merchant's links, newest first, and whether there are more."""
    if asked.metadata_value is not None and asked.metadata_key is None:
        raise InvalidFieldsError([FieldError("?metadata_value", "needs metadata_key")])
    return repository.page(scope, asked)


def deactivate(scope: Scope, link_id: str) -> Link:
    """End a link: nobody can start to pay it any more. Ending it again changes nothing.

    Raises NotFoundError, and ConflictError for a link that was paid.
    """
    link = repository.get(scope, link_id, is_locked=True)
    if link is None:
        raise NotFoundError("There is no such link.")
    if link.status == "deactivated":
        return link
    if link.status == "completed":
        raise ConflictError("The link was paid already: there is nothing left to deactivate.")
    repository.deactivate(scope, link_id)
    outbox.append(scope, "link.deactivated", link.id, {"link_id": link.id, "deactivated_at": timestamp(scope.now)})
    return replace(link, status="deactivated", deactivated_at=scope.now)


def complete(scope: Scope, link_id: str, payment_id: str) -> None:
    """End a link for one payment, which has succeeded; the caller holds the link's lock. Once done, it stays so.

    A link that was deactivated while its payment was under way is completed all the same: it was paid.
    """
    if repository.complete(scope, link_id):
        data = {"link_id": link_id, "payment_id": payment_id, "completed_at": timestamp(scope.now)}
        outbox.append(scope, "link.completed", link_id, data)


def _created(link: Link) -> dict[str, Any]:
    data = {
        "link_id": link.id,
        "amount_minor": link.amount_minor,
        "currency": link.currency,
        "reference": link.reference,
        "usage": link.usage,
        "channel": link.channel,
        "campaign": link.campaign,
        "expires_at": None if link.expires_at is None else timestamp(link.expires_at),
        "created_at": timestamp(link.created_at),
    }
    return {name: value for name, value in data.items() if value is not None}
