from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.refunds.domain import RefundStatus
from web.refunds.models import Refund


class CreateRefund(Body):
    """Money to give back. Without an amount, all that is refundable goes back."""

    amount_minor: Annotated[int, Field(ge=1, le=9_007_199_254_740_991)] | None = doc(
        "How much, in minor units of the payment's currency; all that is refundable if left out.", 500, default=None
    )
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}\z")] | None = doc(
        "Why, as a code of yours.", "requested_by_customer", default=None
    )


class ListRefunds(Paged):
    """Which refunds to list, the newest first."""

    payment_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)] | None = doc(
        "Only refunds of this payment.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    status: RefundStatus | None = doc("Only refunds in this state.", "succeeded", default=None)


class RefundObject(Shown):
    """Money on its way back to a payer."""

    id: str = doc("The refund's id.", "re_eu_06p0wz9d4hk53g6qyt8nwc2mse")
    object: Literal["refund"] = doc("What this is.", "refund")
    payment_id: str = doc("The payment that it gives back.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    status: RefundStatus = doc("How it stands.", "succeeded")
    amount_minor: int = doc("How much, in minor units of `currency`.", 500)
    currency: str = doc("ISO 4217 code; the payment's.", "EUR")
    reason: str | None = doc("Why, as a code of yours.", "requested_by_customer")
    failure_code: str | None = doc("Why it failed.", "refund_failed")
    gateway: str = doc("Who moves the money.", "sandbox")
    gateway_reference: str | None = doc("That gateway's name for it.", "psr_8f14e45fceea")
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was asked for (RFC 3339, UTC).", "2026-03-15T10:00:00.000000Z")
    finished_at: datetime | None = doc("When it succeeded or failed (RFC 3339, UTC).", "2026-03-15T10:00:01.200000Z")


class RefundList(Shown):
    """A page of refunds."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[RefundObject] = doc("The refunds, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def refund_json(refund: Refund) -> dict[str, Any]:
    """A refund as the API shows it."""
    return {
        "id": refund.id,
        "object": "refund",
        "payment_id": refund.payment_id,
        "status": refund.status.value,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "reason": refund.reason,
        "failure_code": refund.failure_code,
        "gateway": refund.gateway,
        "gateway_reference": refund.gateway_reference,
        "livemode": refund.livemode,
        "created_at": timestamp(refund.created_at),
        "finished_at": None if refund.finished_at is None else timestamp(refund.finished_at),
    }
