from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from web.http.bodies import Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.splits.models import Split


class ListSplits(Paged):
    """Which records to list, the newest first."""

    payment_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)] | None = doc(
        "Only parts of this payment.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    role: Literal["sender", "recipient"] | None = doc("Only what you gave, or what you got.", "sender", default=None)


class SplitObject(Shown):
    """A part of a payment that passes from one merchant to another, or back, as it stands in your books."""

    id: str = doc("The record's id.", "spl_eu_06p0wz8m4hk53g6qyt8nwc2mse")
    object: Literal["split"] = doc("What this is.", "split")
    kind: Literal["split", "reversal"] = doc("Whether the money passes on, or, with a refund, back.", "split")
    role: Literal["sender", "recipient"] = doc("Which of the two you are.", "sender")
    status: Literal["booked", "refused"] = doc("`refused`: the recipient is no merchant here; you keep it.", "booked")
    sender_merchant_id: str = doc("Whose payment it is.", "merch_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    recipient_merchant_id: str = doc("Who gets the part.", "merch_eu_06p0wz3t4hk53g6qyt8nwc2mse")
    payment_id: str = doc("The payment.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    source_id: str = doc("The payment, capture or refund that it is a part of.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    reverses_id: str | None = doc("The record that a reversal takes back.", None)
    amount_minor: int = doc("How much, in minor units of `currency`.", 250)
    reversed_minor: int = doc("How much of it has passed back, in minor units of `currency`.", 0)
    currency: str = doc("ISO 4217 code; the payment's.", "EUR")
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was booked (RFC 3339, UTC).", "2026-03-14T09:26:55.102030Z")


class SplitList(Shown):
    """A page of records."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[SplitObject] = doc("The records, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def split_json(split: Split) -> dict[str, Any]:
    """A record as the API shows it."""
    return {
        "id": split.id,
        "object": "split",
        "kind": "split" if split.reverses_id is None else "reversal",
        "role": split.role,
        "status": split.status,
        "sender_merchant_id": split.sender_id,
        "recipient_merchant_id": split.recipient_id,
        "payment_id": split.payment_id,
        "source_id": split.source_id,
        "reverses_id": split.reverses_id,
        "amount_minor": split.amount_minor,
        "reversed_minor": split.reversed_minor,
        "currency": split.currency,
        "livemode": split.livemode,
        "created_at": timestamp(split.created_at),
    }
