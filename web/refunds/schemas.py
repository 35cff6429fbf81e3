from typing import Annotated, Any

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body
from web.refunds.models import Refund


class CreateRefund(Body):
    """POST /v1/payments/{id}/refunds. Without an amount, all that is refundable goes back."""

    amount_minor: Annotated[int, Field(ge=1)] | None = None
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}\z")] | None = None


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
        "created_at": timestamp(refund.created_at),
        "finished_at": None if refund.finished_at is None else timestamp(refund.finished_at),
    }
