from typing import Annotated, Literal

from pydantic import Field, StringConstraints, WithJsonSchema

from web.http.bodies import TEXT_PATTERN, Body, Moment, Text
from web.http.contract import doc
from web.http.paging import Paged
from web.links.terms import (
    AfterCompletion,
    AmountMinor,
    Attribution,
    Branding,
    Currency,
    CurrencyOption,
    CustomerAmount,
    CustomField,
    LineItem,
    Locale,
    Method,
    Split,
)

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
Channel = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}\z")]
Campaign = Annotated[str, StringConstraints(pattern=CAMPAIGN_PATTERN)]
Reference = Annotated[Text, StringConstraints(min_length=1, max_length=128)]
Description = Annotated[Text, StringConstraints(max_length=500)]
Status = Literal["active", "expired", "deactivated", "completed"]
Usage = Literal["single", "multi", "limited"]
Lifetime = Annotated[int, Field(ge=1, le=5 * 366 * 86_400 - 86_400)]
MaxPayments = Annotated[int, Field(ge=1, le=1_000_000)]
Collected = Literal["name", "phone", "address"]


class Presentation(Body):
    """What the payer's page shows and asks; all of it may change later."""

    description: Description | None = doc("What is paid for. The payer sees it.", "Two chairs", default=None)
    metadata: Metadata = doc(
        "Your own data: up to 50 keys of 40 characters with values of 500. The payer never sees it.",
        {"order": "17"},
        default_factory=dict,
    )
    channel: Channel | None = doc("Where you send the link: email, sms, social, qr, in_app, …", "email", default=None)
    campaign: Campaign | None = doc("Your campaign's code.", "spring-2026", default=None)
    attribution: Attribution | None = doc("More about where payers come from.", {"source": "newsletter"}, default=None)
    expires_at: Moment | None = doc(
        "When the link ends (RFC 3339), within five years; without it the link does not end by itself.",
        "2030-01-31T12:00:00Z",
        default=None,
    )
    expires_in: Lifetime | None = doc("Instead of `expires_at`: how long from now, in seconds.", 86400, default=None)
    max_payments: MaxPayments | None = doc(
        "With usage `limited`, and only then: how many payments the link takes.", 10, default=None
    )
    custom_fields: Annotated[list[CustomField], Field(max_length=10)] | None = doc(
        "Questions to the payer, up to 10.",
        [{"key": "size", "label": "Size", "type": "dropdown", "options": ["S", "M"]}],
        default=None,
    )
    collect: Annotated[list[Collected], Field(max_length=3)] | None = doc(
        'What the payer is asked beside the e-mail address, which always is; ["name"] if left out.',
        ["name", "address"],
        default=None,
    )
    locale: Locale | None = doc("The page's language; `auto` follows the payer's browser.", "auto", default=None)
    payment_methods: Annotated[list[Method], Field(min_length=1, max_length=20)] | None = doc(
        "The methods to offer, the preferred first; all that the region has if left out.", ["card"], default=None
    )
    branding: Branding | None = doc("How the page looks.", {"colour": "#0f766e"}, default=None)
    after_completion: AfterCompletion | None = doc(
        "What the payer meets after paying.", {"type": "message", "message": "Thank you!"}, default=None
    )


class CreateLink(Presentation):
    """A payment link to make. It has one price: `amount_minor`, `customer_amount` or `line_items`."""

    amount_minor: AmountMinor | None = doc("A fixed price, in minor units of `currency`.", 1999, default=None)
    customer_amount: CustomerAmount | None = doc(
        "The payer chooses the amount.", {"min_minor": 500, "max_minor": 50000, "preset_minor": 2000}, default=None
    )
    line_items: Annotated[list[LineItem], Field(min_length=1, max_length=50)] | None = doc(
        "What is paid for, line by line.", [{"name": "Chair", "quantity": 2, "unit_amount_minor": 4500}], default=None
    )
    currency: Currency = doc("The price's currency, an ISO 4217 code that the region takes.", "EUR")
    currency_options: Annotated[list[CurrencyOption], Field(max_length=20)] | None = doc(
        "Prices in more currencies; the payer chooses.", [{"currency": "SEK", "amount_minor": 22900}], default=None
    )
    reference: Reference = doc("Your own reference: an invoice or order number. The payer sees it.", "INV-1")
    usage: Usage = doc(
        "How often the link may be paid: once, any number of times, or `max_payments` times.",
        "single",
        default="single",
    )
    capture_method: Literal["automatic", "manual"] = doc(
        "Whether money is captured at once or when you ask.", "automatic", default="automatic"
    )
    capture_after_hours: Annotated[int, Field(ge=1, le=160)] | None = doc(
        "With `capture_method` manual: after so many hours what you have neither captured nor voided is captured by "
        "itself; if left out, it is let go when the authorisation runs out.",
        24,
        default=None,
    )
    statement_descriptor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 .,-]{5,22}\z")] | None = doc(
        "What the payer's statement says, 5 to 22 characters.", "ADAS CHAIRS", default=None
    )
    splits: Annotated[list[Split], Field(min_length=1, max_length=10)] | None = doc(
        "Who else gets a part of each payment.",
        [{"merchant_id": "merch_eu_06p0wz3q4hk53g6qyt8nwc2mse", "percent": "12.5"}],
        default=None,
    )


class UpdateLink(Presentation):
    """What to change. A field that is left out stays; null takes the value away. A price never changes."""

    reference: Reference = doc("Your own reference.", "INV-1", default="")


class RegenerateLink(Body):
    """A new link like an old one that has ended: same terms, another address and another end."""

    expires_at: Moment | None = doc("When the new link ends (RFC 3339).", "2030-01-31T12:00:00Z", default=None)
    expires_in: Lifetime | None = doc("Instead of `expires_at`: how long from now, in seconds.", 86400, default=None)


class QrCode(Body):
    """Which QR code to draw."""

    format: Literal["svg", "png"] = doc("The kind of image.", "svg", default="svg")
    channel: Channel = doc("Which channel's address it holds.", "qr", default="qr")
    scale: Annotated[int, Field(ge=1, le=20)] = doc("The size of a module, in pixels.", 8, default=8)


class ListLinks(Paged):
    """Which links to list, the newest first."""

    status: Status | None = doc("Only links that are in this state now.", "active", default=None)
    reference: Reference | None = doc("Only links with this reference.", "INV-1", default=None)
    campaign: Campaign | None = doc("Only links of this campaign.", "spring-2026", default=None)
    metadata_key: MetadataKey | None = doc("Only links whose metadata has this key.", "order", default=None)
    metadata_value: MetadataValue | None = doc(
        "With `metadata_key`: only links that have this value there.", "17", default=None
    )
