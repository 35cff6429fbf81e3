from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from web.fees.models import FeeRecord
from web.http.bodies import Text
from web.http.contract import Shown, doc
from web.http.paging import Paged

FeeKind = Literal["charge", "adjustment"]
LineKind = Literal["percent", "flat", "minimum", "maximum", "rerate"]


class ListFees(Paged):
    """Which fees to list, the newest first."""

    payment_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)] | None = doc(
        "Only fees on this payment.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    kind: FeeKind | None = doc("Only charges, or only adjustments.", "charge", default=None)
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\z")] | None = doc(
        "Only fees in this currency (ISO 4217).", "EUR", default=None
    )
    month: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\z")] | None = doc(
        "Only fees by the volume of this month.", "2026-03", default=None
    )


class FeeLine(Shown):
    """A part of a fee: how it comes about."""

    kind: LineKind = doc(
        "`percent` of a stretch of money; `flat`; what a `minimum` adds or a `maximum` takes off; `rerate`: what a"
        " stretch costs at another rate than it did.",
        "percent",
    )
    amount_minor: int = doc("What it comes to, in minor units of the fee's currency; below zero for a credit.", 28)
    tier: int | None = doc("The tier of the plan, from 1.", None)
    percent: str | None = doc("The rate.", "1.4")
    previous_percent: str | None = doc("The rate that was charged before.", None)
    from_minor: int | None = doc(
        "Where the stretch begins, in minor units of the captured money or of the month's volume.", 0
    )
    to_minor: int | None = doc("Where it ends, in minor units.", 1999)


class FeeObject(Shown):
    """What the platform has taken of captured money, or has changed of what it took earlier in the month."""

    id: str = doc("The fee's id.", "fee_eu_06p0wz8m4hk53g6qyt8nwc2mse")
    object: Literal["fee"] = doc("What this is.", "fee")
    kind: FeeKind = doc(
        "`charge`, told by `fee.charged`: on a capture. `adjustment`, told by `fee.adjusted`: the month's volume has"
        " reached another rate, which holds for what was captured before too.",
        "charge",
    )
    payment_id: str = doc(
        "The payment; of an adjustment, the one that reached the rate.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse"
    )
    source_id: str = doc("The payment, or the capture, that is charged for.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    pricing_plan: str = doc("The price list.", "standard")
    method: str | None = doc("The payment method; of an adjustment, none.", "card")
    amount_minor: int = doc("What it is charged on, in minor units: the captured money, or the volume before it.", 1999)
    fee_minor: int = doc("The fee without tax, in minor units of `currency`; below zero for a credit.", 53)
    tax_minor: int = doc("The tax on it, in minor units.", 10)
    currency: str = doc("ISO 4217 code; the payment's.", "EUR")
    month: str | None = doc("Priced by volume: the month that it counts in, in the region's time zone.", None)
    volume_before_minor: int | None = doc(
        "Priced by volume: what its month had come to before it, in minor units.", None
    )
    lines: list[FeeLine] = doc("How the fee comes about: the lines sum to `fee_minor`.", [])
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was booked (RFC 3339, UTC).", "2026-03-14T09:26:55.102030Z")


class FeeList(Shown):
    """A page of fees."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[FeeObject] = doc("The fees, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


_LINE = ("kind", "amount_minor", "tier", "percent", "previous_percent", "from_minor", "to_minor")


def fee_json(fee: FeeRecord) -> dict[str, Any]:
    """A fee as the API shows it."""
    return {
        "id": fee.id,
        "object": "fee",
        "kind": fee.kind,
        "payment_id": fee.payment_id,
        "source_id": fee.source_id,
        "pricing_plan": fee.pricing_plan,
        "method": fee.method,
        "amount_minor": fee.amount_minor,
        "fee_minor": fee.fee_minor,
        "tax_minor": fee.tax_minor,
        "currency": fee.currency,
        "month": None if fee.month is None else f"{fee.month:%Y-%m}",
        "volume_before_minor": fee.volume_before_minor,
        "lines": [{name: line.get(name) for name in _LINE} for line in fee.lines],
        "livemode": fee.livemode,
        "created_at": timestamp(fee.created_at),
    }
