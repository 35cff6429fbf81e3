from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from web.gateways.domain import CaptureMode
from web.http.bodies import Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.links.schemas import CAMPAIGN_PATTERN
from web.payments.domain import AttemptStatus, PaymentStatus
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
    reference: str = doc("The reference that you gave the link.", "INV-1")
    status: PaymentStatus = doc(
        "How it stands. `authorised`: set aside, and waits for your capture; `voided`: let go, or run out, before any "
        "capture; `superseded`: captured, and on its way back to the payer.",
        "succeeded",
    )
    amount_minor: int = doc("What the payer agreed to pay, in minor units of `currency`.", 1999)
    currency: str = doc("ISO 4217 code.", "EUR")
    capture_method: CaptureMode = doc("Whether the money is taken at once, or when you ask.", "automatic")
    capturable_minor: int = doc("What is set aside and can be captured, in minor units of `currency`.", 0)
    captured_minor: int = doc("What has arrived, in minor units of `currency`.", 1999)
    refunded_minor: int = doc("What has gone back, in minor units of `currency`.", 0)
    refundable_minor: int = doc("What can still be refunded, in minor units of `currency`.", 1999)
    disputed_minor: int = doc("What a bank contests or has taken back, in minor units of `currency`.", 0)
    method: str = doc("How the payer paid.", "card")
    failure_code: str | None = doc("Why it failed.", "card_declined")
    gateway: str = doc("Who moved the money.", "sandbox")
    gateway_reference: str | None = doc("That gateway's name for it.", "psp_8f14e45fceea")
    is_late: bool = doc("True if the money came after what it pays for had ended.", False)
    livemode: bool = doc("True if real money moved.", False)
    authorised_until: datetime | None = doc("Until when it can be captured (RFC 3339, UTC).", None)
    created_at: datetime = doc("When the payer submitted it (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    succeeded_at: datetime | None = doc("When it succeeded (RFC 3339, UTC).", "2026-03-14T09:26:55.102030Z")


class RoutedCandidate(Shown):
    """One gateway account as the decision saw it."""

    gateway: str = doc("The gateway.", "sandbox")
    account: str = doc("Our account there.", "MeridianEU")
    rank: int | None = doc("When it is asked: 1 is first; null is never.", 1)
    score_bps: int = doc("What an attempt there costs, in basis points of the amount.", 140)
    reasons: list[str] = doc("What spoke for it and against it.", ["costs 140 bps", "the region's number 1"])


class RoutedAfter(Shown):
    """An attempt of the same payment that had failed before."""

    attempt_id: str = doc("The attempt.", "att_eu_06p0wz7d4hk53g6qyt8nwc2mse")
    gateway: str = doc("The gateway.", "sandbox")
    code: str = doc("Why it failed, definitely.", "gateway_unreachable")


class Routed(Shown):
    """Why an attempt went where it went."""

    chosen: str = doc("The gateway that was asked.", "sandbox")
    number: int = doc("Which attempt of its submission it was.", 1)
    rules_version: str = doc("The routing rules' version.", "0d2c6f6f5f0f4d6a")
    rules: list[str] = doc("The rules that applied.", [])
    candidates: list[RoutedCandidate] = doc("Every account of the region, in the order of preference.", [])
    after: list[RoutedAfter] = doc("What had failed before it.", [])


class AttemptObject(Shown):
    """One try at one gateway, and why it was made there."""

    id: str = doc("The attempt's id.", "att_eu_06p0wz7d4hk53g6qyt8nwc2mse")
    object: Literal["attempt"] = doc("What this is.", "attempt")
    gateway: str = doc("Who was asked.", "sandbox")
    gateway_reference: str | None = doc("That gateway's name for it.", "psp_8f14e45fceea")
    method: str = doc("How the payer pays.", "card")
    status: AttemptStatus = doc("How it stands. `unknown`: no answer yet that proves anything.", "succeeded")
    decline_code: str | None = doc("Why it failed.", "card_declined")
    routing: Routed | None = doc("Why it went there; null where there was nothing to choose.", None)
    created_at: datetime = doc("When it was sent (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    finished_at: datetime | None = doc("When it ended (RFC 3339, UTC).", "2026-03-14T09:26:55.102030Z")


class AttemptList(Shown):
    """All attempts of a payment."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[AttemptObject] = doc("The attempts, the first one first.", [])


class PaymentList(Shown):
    """A page of payments."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PaymentObject] = doc("The payments, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def payment_json(payment: Payment, attempt: Attempt, reference: str) -> dict[str, Any]:
    """A payment as the API shows it; `attempt` is the one that speaks for it, `reference` its link's."""
    return {
        "id": payment.id,
        "object": "payment",
        "link_id": payment.link_id,
        "reference": reference,
        "status": payment.status.value,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "capture_method": attempt.capture_mode.value,
        "capturable_minor": payment.capturable_minor,
        "captured_minor": payment.captured_minor,
        "refunded_minor": payment.refunded_minor,
        "refundable_minor": payment.balance.refundable_minor,
        "disputed_minor": payment.disputed_minor,
        "method": attempt.method,
        "failure_code": payment.failure_code,
        "gateway": attempt.gateway,
        "gateway_reference": attempt.gateway_reference,
        "is_late": payment.is_late,
        "livemode": payment.livemode,
        "authorised_until": _moment(payment.authorised_until),
        "created_at": timestamp(payment.created_at),
        "succeeded_at": _moment(payment.succeeded_at),
    }


def attempt_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt as the API shows it."""
    return {
        "id": row["id"],
        "object": "attempt",
        "gateway": row["gateway"],
        "gateway_reference": row["gateway_reference"],
        "method": row["method"],
        "status": row["status"],
        "decline_code": row["decline_code"],
        "routing": row["routing"],
        "created_at": timestamp(row["created_at"]),
        "finished_at": _moment(row["finished_at"]),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
