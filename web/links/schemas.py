from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, WithJsonSchema

from regions.events import timestamp
from web.http.bodies import TEXT_PATTERN, Body, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.links.domain import AMOUNT_MINOR_MAX, status_at
from web.links.models import Link

MetadataKey = Annotated[Text, StringConstraints(min_length=1, max_length=40)]
MetadataValue = Annotated[Text, StringConstraints(max_length=500)]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue],
    Field(max_length=50),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 50,
            "propertyNames": {"minLength": 1, "maxLength": 40, "pattern": TEXT_PATTERN},
            "additionalProperties": {"type": "string", "maxLength": 500, "pattern": TEXT_PATTERN},
        }
    ),
]


CAMPAIGN_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z"
Currency = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}\z"), Field(json_schema_extra={"x-region": "currencies"})
]
Channel = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}\z")]
Campaign = Annotated[str, StringConstraints(pattern=CAMPAIGN_PATTERN)]
Reference = Annotated[Text, StringConstraints(min_length=1, max_length=128)]
Status = Literal["active", "expired", "deactivated", "completed"]


class CreateLink(Body):
    """A payment link to make."""

    amount_minor: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)] = doc(
        "The price, in minor units of `currency`.", 1999
    )
    currency: Currency = doc("The price's currency, an ISO 4217 code that the region takes.", "EUR")
    reference: Reference = doc("Your own reference: an invoice or order number. The payer sees it.", "INV-1")
    description: Annotated[Text, StringConstraints(max_length=500)] | None = doc(
        "What is paid for. The payer sees it.", "Two chairs", default=None
    )
    usage: Literal["single", "multi"] = doc(
        "How often the link may be paid: once, or any number of times.", "single", default="single"
    )
    metadata: Metadata = doc(
        "Your own data: up to 50 keys of 40 characters with values of 500. The payer never sees it.",
        {"order": "17"},
        default_factory=dict,
    )
    channel: Channel | None = doc("Where you send the link: email, sms, social, qr, in_app, …", "email", default=None)
    campaign: Campaign | None = doc("Your campaign's code.", "spring-2026", default=None)
    expires_at: AwareDatetime | None = doc(
        "When the link ends (RFC 3339), within five years; without it the link does not end by itself.",
        "2030-01-31T12:00:00Z",
        default=None,
    )


class NoFields(Body):
    """A POST that takes no fields: an empty body, or {}."""


class ListLinks(Paged):
    """Which links to list, the newest first."""

    status: Status | None = doc("Only links that are in this state now.", "active", default=None)
    reference: Reference | None = doc("Only links with this reference.", "INV-1", default=None)
    campaign: Campaign | None = doc("Only links of this campaign.", "spring-2026", default=None)
    metadata_key: MetadataKey | None = doc("Only links whose metadata has this key.", "order", default=None)
    metadata_value: MetadataValue | None = doc(
        "With `metadata_key`: only links that have this value there.", "17", default=None
    )


class LinkObject(Shown):
    """A payment link."""

    id: str = doc("The link's id.", "plink_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    object: Literal["link"] = doc("What this is.", "link")
    url: str = doc(
        "The page where it is paid. Whoever has it can pay.", "https://eu.meridian.test/l/4cJrV8tQ2sYw0n6ZbXk1Lm"
    )
    status: Status = doc(
        "Whether it can be paid now: active, expired (its time has passed), deactivated (by you), completed (paid).",
        "active",
    )
    amount_minor: int = doc("The price, in minor units of `currency`.", 1999)
    currency: str = doc("The price's currency (ISO 4217).", "EUR")
    reference: str = doc("Your reference.", "INV-1")
    description: str | None = doc("What is paid for.", "Two chairs")
    usage: Literal["single", "multi"] = doc("How often it may be paid.", "single")
    metadata: dict[str, str] = doc("Your own data.", {"order": "17"})
    channel: str | None = doc("Where you send it.", "email")
    campaign: str | None = doc("Your campaign's code.", "spring-2026")
    expires_at: datetime | None = doc("When it ends (RFC 3339, UTC).", "2030-01-31T12:00:00.000000Z")
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was made (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")


class LinkList(Shown):
    """A page of links."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[LinkObject] = doc("The links, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


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
