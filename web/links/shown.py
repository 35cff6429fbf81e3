"""A link as the API shows it."""

from datetime import datetime
from typing import Any, Literal

from regions.events import timestamp
from web.http.contract import Shown, doc
from web.links.domain import CHANNELS, status_at
from web.links.models import Link
from web.links.schemas import Collected, Status, Usage
from web.links.terms import (
    AfterCompletion,
    Attribution,
    Branding,
    CurrencyOption,
    CustomerAmount,
    CustomField,
    LineItem,
    Split,
)


class LinkChannel(Shown):
    """Where a link is sent, with an address and a QR code of its own."""

    channel: str = doc("email, sms, social, qr or in_app.", "qr")
    url: str = doc(
        "The link's page, tagged for this channel.", "https://eu.meridian.test/l/4cJrV8tQ2sYw0n6Zb?channel=qr"
    )
    qr_url: str = doc(
        "Where the API draws its QR code.",
        "https://eu.meridian.test/v1/links/plink_eu_06p0wz3q4hk53g6qyt8nwc2mse/qr?channel=qr",
    )


class LinkObject(Shown):
    """A payment link."""

    id: str = doc("The link's id.", "plink_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    object: Literal["link"] = doc("What this is.", "link")
    url: str = doc("The page where it is paid. Whoever has it can pay.", "https://eu.meridian.test/l/4cJrV8tQ2sYw0n6Zb")
    channels: list[LinkChannel] = doc("The same page, tagged for each channel.", [])
    status: Status = doc(
        "Whether it can be paid now: active, expired (its time has passed), deactivated (by you), completed (paid as "
        "often as it may be).",
        "active",
    )
    amount_minor: int | None = doc(
        "The price, in minor units of `currency`; of line items in their own quantities; null if the payer chooses.",
        1999,
    )
    customer_amount: CustomerAmount | None = doc("The bounds of an amount that the payer chooses.", None)
    line_items: list[LineItem] | None = doc("What is paid for, line by line.", None)
    currency: str = doc("The price's currency (ISO 4217).", "EUR")
    currency_options: list[CurrencyOption] | None = doc("Prices in more currencies.", None)
    reference: str = doc("Your reference.", "INV-1")
    description: str | None = doc("What is paid for.", "Two chairs")
    usage: Usage = doc("How often it may be paid.", "single")
    max_payments: int | None = doc("With usage `limited`: how many payments it takes.", None)
    metadata: dict[str, str] = doc("Your own data.", {"order": "17"})
    channel: str | None = doc("Where you send it.", "email")
    campaign: str | None = doc("Your campaign's code.", "spring-2026")
    attribution: Attribution | None = doc("More about where payers come from.", None)
    custom_fields: list[CustomField] | None = doc("Questions to the payer.", None)
    collect: list[Collected] = doc("What the payer is asked beside the e-mail address.", ["name"])
    locale: str = doc("The page's language.", "auto")
    payment_methods: list[str] | None = doc("The methods to offer; null means all.", None)
    branding: Branding | None = doc("How the page looks.", None)
    after_completion: AfterCompletion | None = doc("What the payer meets after paying.", None)
    capture_method: Literal["automatic", "manual"] = doc("When money is captured.", "automatic")
    capture_after_hours: int | None = doc("When it is captured by itself, in hours after the payer is done.", None)
    statement_descriptor: str | None = doc("What the payer's statement says.", None)
    splits: list[Split] | None = doc("Who else gets a part of each payment.", None)
    regenerated_from: str | None = doc("The link that this one takes the place of.", None)
    expires_at: datetime | None = doc("When it ends (RFC 3339, UTC).", "2030-01-31T12:00:00.000000Z")
    deactivated_at: datetime | None = doc("When you ended it (RFC 3339, UTC).", None)
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
    url, terms = link_url(api_base_url, link.code), link.terms
    qr_url = f"{api_base_url}/v1/links/{link.id}/qr"
    return {
        "id": link.id,
        "object": "link",
        "url": url,
        "channels": [
            {"channel": name, "url": f"{url}?channel={name}", "qr_url": f"{qr_url}?channel={name}"} for name in CHANNELS
        ],
        "status": status_at(link.status, link.expires_at, now),
        "amount_minor": link.amount_minor,
        "customer_amount": terms.get("customer_amount"),
        "line_items": terms.get("line_items"),
        "currency": link.currency,
        "currency_options": terms.get("currency_options"),
        "reference": link.reference,
        "description": link.description,
        "usage": link.usage,
        "max_payments": link.max_payments,
        "metadata": link.metadata,
        "channel": link.channel,
        "campaign": link.campaign,
        "attribution": terms.get("attribution"),
        "custom_fields": terms.get("custom_fields"),
        "collect": terms.get("collect", ["name"]),
        "locale": terms.get("locale", "auto"),
        "payment_methods": terms.get("payment_methods"),
        "branding": terms.get("branding"),
        "after_completion": terms.get("after_completion"),
        "capture_method": terms.get("capture_method", "automatic"),
        "capture_after_hours": terms.get("capture_after_hours"),
        "statement_descriptor": terms.get("statement_descriptor"),
        "splits": terms.get("splits"),
        "regenerated_from": link.regenerated_from,
        "expires_at": None if link.expires_at is None else timestamp(link.expires_at),
        "deactivated_at": None if link.deactivated_at is None else timestamp(link.deactivated_at),
        "livemode": link.livemode,
        "created_at": timestamp(link.created_at),
    }
