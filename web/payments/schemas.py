from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from web.http.bodies import Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.links.schemas import CAMPAIGN_PATTERN
from web.payments.domain import PaymentStatus
from web.payments.models import Attempt, Payment

Id = Annotated[Text, StringConstraints(min_length=1, max_length=64)]


class ListPayments(Paged):
    """Which payments to list, the newest first."""

    link_id: Id | None = doc("Only payments of this link.", "plink_eu_06p0wz3q4hk53g6qyt8nwc2mse", default=None)
    status: PaymentStatus | None = doc("Only payments in this state.", "succeeded", default=None)
    reference: Annotated[Text, StringConstraints(min_length=1, max_length=128)] | None = doc(
        "Only payments of links with this reference.", "INV-1", default=None
    )
    campaign: Annotated[str, StringConstraints(pattern=CAMPAIGN_PATTERN)] | None = doc(
        "Only payments of links of this campaign.", "spring-2026", default=None
    )


class PaymentObject(Shown):
    """One intention to move money, and how it stands."""

    id: str = doc("The payment's id.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    object: Literal["payment"] = doc("What this is.", "payment")
    link_id: str = doc("The link that was paid.", "plink_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    status: PaymentStatus = doc("How it stands. `superseded`: captured, and on its way back to the payer.", "succeeded")
    amount_minor: int = doc("What the payer agreed to pay, in minor units of `currency`.", 1999)
    currency: str = doc("ISO 4217 code.", "EUR")
    captured_minor: int = doc("What has arrived, in minor units of `currency`.", 1999)
    refunded_minor: int = doc("What has gone back, in minor units of `currency`.", 0)
    method: str = doc("How the payer paid.", "card")
    failure_code: str | None = doc("Why it failed.", "card_declined")
    gateway: str = doc("Who moved the money.", "sandbox")
    gateway_reference: str | None = doc("That gateway's name for it.", "psp_8f14e45fceea")
    is_late: bool = doc("True if the money came after what it pays for had ended.", False)
    livemode: bool = doc("True if real money moved.", False)
    created_at: datetime = doc("When the payer submitted it (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    succeeded_at: datetime | None = doc("When it succeeded (RFC 3339, UTC).", "2026-03-14T09:26:55.102030Z")


class PaymentList(Shown):
    """A page of payments."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PaymentObject] = doc("The payments, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


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


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
