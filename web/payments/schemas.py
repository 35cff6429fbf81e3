from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.payments.models import Attempt, Payment

LIST_LIMIT_MAX = 100


class ListPayments(Body):
    """GET /v1/payments: the newest first; `cursor` is the `next_cursor` of the page before."""

    link_id: Annotated[Text, StringConstraints(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=LIST_LIMIT_MAX)] = 20
    cursor: Annotated[Text, StringConstraints(max_length=64)] | None = None


def payment_json(payment: Payment, attempt: Attempt) -> dict[str, Any]:
    """A payment as the API shows it; `attempt` is the one that speaks for it."""
    return {
        "id": payment.id,
        "object": "payment",
        "link_id": payment.link_id,
        "status": payment.status.value,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "captured_minor": payment.captured_minor,
        "refunded_minor": payment.refunded_minor,
        "method": attempt.method,
        "failure_code": payment.failure_code,
        "gateway": attempt.gateway,
        "gateway_reference": attempt.gateway_reference,
        "is_late": payment.is_late,
        "livemode": payment.livemode,
        "created_at": timestamp(payment.created_at),
        "succeeded_at": _moment(payment.succeeded_at),
    }


def payments_json(page: Sequence[tuple[Payment, Attempt]], next_cursor: str | None) -> dict[str, Any]:
    """A page of payments."""
    data = [payment_json(payment, attempt) for payment, attempt in page]
    return {"object": "list", "data": data, "has_more": next_cursor is not None, "next_cursor": next_cursor}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
