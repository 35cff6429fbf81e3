from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.links.terms import Branding, Currency
from web.merchants.models import Account

Name = Annotated[Text, StringConstraints(min_length=1, max_length=100, pattern=r"\S")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}\z")]
Tone = Literal["formal", "friendly"]
LOGO_BYTES_MAX = 32_768


class CreateMerchant(Body):
    """A sub-account to make: a merchant of its own, whose parent you are."""

    name: Name = doc("Its name. Payers see it.", "Nordlicht AB")
    country: Country = doc("Where it is at home (ISO 3166-1 alpha-2).", "SE")
    settlement_currency: Currency | None = doc(
        "What it is paid out in, an ISO 4217 code of the region; the region's first if left out.", "EUR", default=None
    )


class ListMerchants(Paged):
    """Which sub-accounts to list, the newest first."""


class UpdateBranding(Branding):
    """What to change of how your pages look. A field that is left out stays; null takes the value away."""

    tone: Tone | None = doc("How your pages are to speak to payers.", "friendly", default=None)
    logo_png: Annotated[str, Field(max_length=4 * (LOGO_BYTES_MAX + 2) // 3)] | None = doc(
        "Your logo, a PNG of 32 KiB at most, in base64.",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=",
        default=None,
    )


class MerchantObject(Shown):
    """A merchant: you, or a sub-account of yours."""

    id: str = doc("The merchant's id.", "merch_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    object: Literal["merchant"] = doc("What this is.", "merchant")
    parent_id: str | None = doc("Whose sub-account it is; null for a merchant of its own.", None)
    name: str = doc("Its name.", "Nordlicht AB")
    country: str = doc("Where it is at home (ISO 3166-1 alpha-2).", "SE")
    settlement_currency: str = doc("What it is paid out in (ISO 4217).", "SEK")
    created_at: datetime = doc("When it was made (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")


class MerchantList(Shown):
    """A page of sub-accounts."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[MerchantObject] = doc("The sub-accounts, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


class BrandingObject(Shown):
    """How your pages look, where a link says nothing else."""

    object: Literal["branding"] = doc("What this is.", "branding")
    colour: str | None = doc("The colour of buttons and marks, #rrggbb.", "#0f766e")
    font: str | None = doc("The typeface, of a list that every device has.", "serif")
    tone: Tone | None = doc("How your pages are to speak to payers.", "friendly")
    display_name: str | None = doc("The name on pages instead of yours.", "Ada's Chairs")
    footer: str | None = doc("A legal line at the end of pages.", "Ada Chairs GmbH, Berlin")
    has_logo: bool = doc("Whether pages show a logo.", False)


def merchant_json(account: Account) -> dict[str, Any]:
    """A merchant as the API shows it."""
    return {
        "id": account.id,
        "object": "merchant",
        "parent_id": account.parent_id,
        "name": account.name,
        "country": account.country,
        "settlement_currency": account.settlement_currency,
        "created_at": timestamp(account.created_at),
    }


def branding_json(branding: dict[str, Any], *, has_logo: bool) -> dict[str, Any]:
    """Looks as the API shows them."""
    names = ("colour", "font", "tone", "display_name", "footer")
    return {"object": "branding", **{name: branding.get(name) for name in names}, "has_logo": has_logo}
