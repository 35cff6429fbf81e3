from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.links.domain import AMOUNT_MINOR_MAX, status_at
from web.links.models import Link

LIST_LIMIT_MAX = 100

MetadataKey = Annotated[Text, StringConstraints(min_length=1, max_length=40)]
MetadataValue = Annotated[Text, StringConstraints(max_length=500)]


class CreateLink(Body):
    """POST /v1/links."""

    amount_minor: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\z")]
    reference: Annotated[Text, StringConstraints(min_length=1, max_length=128)]
    description: Annotated[Text, StringConstraints(max_length=500)] | None = None
    usage: Literal["single", "multi"] = "single"
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = Field(default_factory=dict)
    channel: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}\z")] | None = None
    campaign: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")] | None = None
    expires_at: AwareDatetime | None = None


class NoFields(Body):
    """A POST that takes no fields: an empty body, or {}."""


class ListLinks(Body):
    """GET /v1/links: the newest first; `cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=LIST_LIMIT_MAX)] = 20
    cursor: Annotated[Text, StringConstraints(max_length=64)] | None = None


def link_url(api_base_url: str, code: str) -> str:
    """The hosted page of a link."""
    return f"{api_base_url}/l/{code}"


def link_json(link: Link, api_base_url: str, now: datetime) -> dict[str, Any]:
    """A link as the API shows it."""
    return {
        "id": link.id,
        "object": "link",
        "url": link_url(api_base_url, link.code),
        "status": status_at(link.status, link.expires_at, now),
        "amount_minor": link.amount_minor,
        "currency": link.currency,
        "reference": link.reference,
        "description": link.description,
        "usage": link.usage,
        "metadata": link.metadata,
        "channel": link.channel,
        "campaign": link.campaign,
        "expires_at": None if link.expires_at is None else timestamp(link.expires_at),
        "livemode": link.livemode,
        "created_at": timestamp(link.created_at),
    }


def links_json(links: Sequence[Link], next_cursor: str | None, api_base_url: str, now: datetime) -> dict[str, Any]:
    """A page of links."""
    data = [link_json(link, api_base_url, now) for link in links]
    return {"object": "list", "data": data, "has_more": next_cursor is not None, "next_cursor": next_cursor}
