from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.invoices.models import Invoice
from web.recon.schemas import Currency, MerchantId, Minor, Reason, Reference, Word

LINES_MAX = 100
Rate = Annotated[int, Field(ge=0, lt=1_000_000)]
Number = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{1,7}(-TEST)?-[0-9]{4}-[0-9]{6,10}\z")]


class Line(Body):
    """A line: a quantity at a price, and what it was counted from."""

    what: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    quantity: Annotated[Minor, Field(ge=0)]
    unit: Literal["volume", "piece"]
    price: Annotated[Minor, Field(ge=0)]
    amount_minor: Minor
    tax_millionths: Rate
    basis: Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class Tax(Body):
    """The tax of one rate."""

    tax_millionths: Rate
    net_minor: Minor
    tax_minor: Minor


class IssueInvoice(Body):
    """POST /internal/v1/invoices."""

    merchant_id: MerchantId
    livemode: bool
    currency: Currency
    month: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\z")]
    plan: Word
    build: Annotated[int, Field(ge=0)]
    lines: Annotated[list[Line], Field(min_length=1, max_length=LINES_MAX)]
    amount_minor: Minor
    taxes: Annotated[list[Tax], Field(max_length=LINES_MAX)]
    tax_minor: Minor
    total_minor: Minor
    actor: Reference

    def figures(self) -> dict[str, Any]:
        """What the invoice says, as it is stored."""
        since = date.fromisoformat(f"{self.month}-01")
        until = (since + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        found = self.model_dump(exclude={"merchant_id", "livemode", "actor"})
        return found | {"since": since.isoformat(), "until": until.isoformat()}


class TakeBack(Body):
    """POST /internal/v1/invoices/credit-notes."""

    merchant_id: MerchantId
    livemode: bool
    number: Number
    reason: Reason
    actor: Reference


def invoice_json(one: Invoice) -> dict[str, Any]:
    """An invoice or credit note as the internal API shows it."""
    return {
        **one.document,
        "object": "invoice",
        "number": one.number,
        "kind": one.kind,
        "credits": one.credits,
        "merchant_id": one.merchant_id,
        "livemode": one.livemode,
        "reason": one.reason,
        "issued_on": one.issued_on.isoformat(),
        "issued_at": timestamp(one.issued_at),
        "problem": None,
    }
