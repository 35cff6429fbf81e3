from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.disputes.models import Dispute
from web.gateways.declines import DisputeReason
from web.gateways.disputes import DisputeStatus
from web.http.bodies import Body, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}\z")]
Words = Annotated[Text, StringConstraints(min_length=1, max_length=20_000)]


class Evidence(Body):
    """One piece of evidence."""

    kind: Kind = doc("receipt, shipping_documentation, customer_communication, refund_policy, text, …", "receipt")
    text: Words = doc("What it says.", "Invoice INV-1 of 14 March")


class SubmitEvidence(Body):
    """What speaks for you. It goes to the gateway and on to the bank, once; we keep the kinds, not the words."""

    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=20)] = doc(
        "The pieces; of one kind, the last counts.", [{"kind": "receipt", "text": "Invoice INV-1 of 14 March"}]
    )


class ListDisputes(Paged):
    """Which disputes to list, the newest first."""

    payment_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)] | None = doc(
        "Only disputes about this payment.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    status: DisputeStatus | None = doc("Only disputes in this state.", "needs_response", default=None)


class DisputeObject(Shown):
    """A payer's complaint at the bank."""

    id: str = doc("The dispute's id.", "dp_eu_06p0wz8k4hk53g6qyt8nwc2mse")
    object: Literal["dispute"] = doc("What this is.", "dispute")
    payment_id: str = doc("The payment that it is about.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    status: DisputeStatus = doc(
        "How it stands. `inquiry`: a question, no money has moved; `needs_response`: the money is gone unless you "
        "contest it; `under_review`: the bank has your evidence.",
        "needs_response",
    )
    amount_minor: int = doc("How much, in minor units of `currency`.", 1999)
    currency: str = doc("ISO 4217 code; the payment's.", "EUR")
    reason: DisputeReason = doc("Why the payer complains, in our words.", "fraudulent")
    gateway_reason: str | None = doc("The same in the gateway's or the network's words.", "10.4")
    gateway: str = doc("Who told of it.", "sandbox")
    gateway_reference: str = doc("That gateway's name for it.", "psd_8f14e45fceea")
    evidence_kinds: list[str] = doc("The kinds of evidence that you have handed in.", ["receipt"])
    evidence_due_at: datetime | None = doc("Until when it can be contested (RFC 3339, UTC).", None)
    opened_at: datetime = doc("When it was opened (RFC 3339, UTC).", "2026-03-20T10:00:00.000000Z")
    contested_at: datetime | None = doc("When your evidence was with the bank (RFC 3339, UTC).", None)
    closed_at: datetime | None = doc("When the bank decided (RFC 3339, UTC).", None)
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When we learned of it (RFC 3339, UTC).", "2026-03-20T10:00:01.000000Z")


class DisputeList(Shown):
    """A page of disputes."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[DisputeObject] = doc("The disputes, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def dispute_json(dispute: Dispute) -> dict[str, Any]:
    """A dispute as the API shows it."""
    return {
        "id": dispute.id,
        "object": "dispute",
        "payment_id": dispute.payment_id,
        "status": dispute.status.value,
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "gateway_reason": dispute.gateway_reason,
        "gateway": dispute.gateway,
        "gateway_reference": dispute.gateway_reference,
        "evidence_kinds": dispute.evidence_kinds,
        "evidence_due_at": _moment(dispute.evidence_due_at),
        "opened_at": timestamp(dispute.opened_at),
        "contested_at": _moment(dispute.contested_at),
        "closed_at": _moment(dispute.closed_at),
        "livemode": dispute.livemode,
        "created_at": timestamp(dispute.created_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
