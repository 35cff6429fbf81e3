"""The parts of a link beyond a plain price: how the price is made, and what the payer's page shows and asks."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from web.http.bodies import Body, Text
from web.http.contract import doc
from web.links.domain import AMOUNT_MINOR_MAX

AmountMinor = Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)]
Currency = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}\z"), Field(json_schema_extra={"x-region": "currencies"})
]
Percent = Annotated[str, StringConstraints(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)\z")]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}\z")]
Label = Annotated[Text, StringConstraints(min_length=1, max_length=80)]
ItemName = Annotated[Text, StringConstraints(min_length=1, max_length=120)]
Method = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}\z"), Field(json_schema_extra={"x-region": "payment_methods"})
]
Locale = Annotated[str, StringConstraints(max_length=16), Field(json_schema_extra={"x-region": "locales"})]
HttpsUrl = Annotated[
    str, StringConstraints(pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?(/[!-~]{0,1500})?\z")
]


class CustomerAmount(Body):
    """The payer chooses the amount, within bounds."""

    min_minor: AmountMinor = doc("The least, in minor units of `currency`.", 500)
    max_minor: AmountMinor = doc("The most, in minor units of `currency`.", 50000)
    preset_minor: AmountMinor | None = doc("What the page suggests, in minor units of `currency`.", 2000, default=None)


class Tax(Body):
    """A tax on a line."""

    name: Label = doc("What the payer reads.", "VAT")
    rate_percent: Percent = doc("The rate in percent, as a decimal string.", "19")
    is_inclusive: bool = doc("True if the unit amount includes the tax; else it is added.", True)


class Discount(Body):
    """Less to pay for a line: a percentage or an amount, one of the two."""

    percent: Percent | None = doc("Off the line, in percent, as a decimal string.", "10", default=None)
    amount_minor: AmountMinor | None = doc("Off the line, in minor units of `currency`.", 200, default=None)


class Adjustable(Body):
    """The payer chooses the quantity, within bounds."""

    min: Annotated[int, Field(ge=0, le=9999)] = doc("The least, in pieces.", 1)
    max: Annotated[int, Field(ge=1, le=9999)] = doc("The most, in pieces.", 10)


class LineItem(Body):
    """One thing to pay for."""

    name: ItemName = doc("What it is. The payer sees it.", "Chair")
    quantity: Annotated[int, Field(ge=1, le=9999)] = doc("How many, in pieces.", 2, default=1)
    adjustable_quantity: Adjustable | None = doc(
        "Lets the payer change the quantity.", {"min": 1, "max": 10}, default=None
    )
    unit_amount_minor: AmountMinor = doc("The price of one, in minor units of `currency`.", 4500)
    tax: Tax | None = doc("The tax on it.", {"name": "VAT", "rate_percent": "19", "is_inclusive": True}, default=None)
    discount: Discount | None = doc("What is taken off the line, before tax.", {"percent": "10"}, default=None)


class CurrencyOption(Body):
    """The price in one more currency, said in the same way as the link's own."""

    currency: Currency = doc("ISO 4217 code.", "SEK")
    amount_minor: AmountMinor | None = doc("For a fixed price: minor units of this `currency`.", 22900, default=None)
    customer_amount: CustomerAmount | None = doc(
        "For an amount that the payer chooses, in this currency.",
        {"min_minor": 5000, "max_minor": 500000},
        default=None,
    )
    unit_amounts_minor: Annotated[list[AmountMinor], Field(min_length=1, max_length=50)] | None = doc(
        "For line items: the unit amount of each, in order, in minor units of this `currency`.", [51000], default=None
    )


class CustomField(Body):
    """A question to the payer. The answer is the payer's personal data and is kept sealed."""

    key: Key = doc("Your name for the answer.", "size")
    label: Label = doc("What the payer reads.", "Size")
    type: Literal["text", "number", "dropdown", "checkbox"] = doc("How it is answered.", "dropdown")
    is_required: bool = doc("Whether the payer must answer.", True, default=False)
    options: Annotated[list[Label], Field(min_length=1, max_length=50)] | None = doc(
        "For a dropdown, and only for it: what to choose from.", ["S", "M", "L"], default=None
    )


class AfterCompletion(Body):
    """What the payer meets after paying: your message, or your page."""

    type: Literal["message", "redirect"] = doc("Which of the two.", "redirect")
    message: Annotated[Text, StringConstraints(min_length=1, max_length=500)] | None = doc(
        "For a message: what the payer reads.", "Thank you! We ship tomorrow.", default=None
    )
    url: HttpsUrl | None = doc(
        "For a redirect: where to; `{PAYMENT_ID}` in it becomes the payment's id.",
        "https://shop.example/thanks?payment={PAYMENT_ID}",
        default=None,
    )


class Branding(Body):
    """How this link's page looks, where it differs from the merchant's."""

    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}\z")] | None = doc(
        "The colour of buttons and marks, #rrggbb.", "#0f766e", default=None
    )
    font: Literal["system", "serif", "rounded", "mono"] | None = doc(
        "The typeface, of a list that every device has.", "serif", default=None
    )
    display_name: Label | None = doc("The name on the page instead of the merchant's.", "Ada's Chairs", default=None)
    footer: Annotated[Text, StringConstraints(min_length=1, max_length=300)] | None = doc(
        "A legal line at the end of the page.", "Ada Chairs GmbH, Berlin", default=None
    )


class Split(Body):
    """A part of the money for a sub-merchant: a percentage or an amount, one of the two."""

    merchant_id: Annotated[str, StringConstraints(pattern=r"^merch_[a-z0-9]{2,8}_[0-9a-z]{26}\z")] = doc(
        "Who gets it.", "merch_eu_06p0wz3q4hk53g6qyt8nwc2mse"
    )
    percent: Percent | None = doc("Of the payment, in percent, as a decimal string.", "12.5", default=None)
    amount_minor: AmountMinor | None = doc("Of each payment, in minor units of `currency`.", 250, default=None)


class Attribution(Body):
    """Where a payer comes from, beside campaign and channel."""

    source: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")] | None = doc(
        "The site or list.", "newsletter", default=None
    )
    medium: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")] | None = doc(
        "The kind of place.", "email", default=None
    )
    term: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")] | None = doc(
        "What was searched for.", "oak-chair", default=None
    )
    content: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")] | None = doc(
        "Which variant of your message.", "button-b", default=None
    )
