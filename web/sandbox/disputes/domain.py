"""Disputes: a payer complains at the bank, the merchant may answer until a deadline, the bank decides. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from web.sandbox.clock import timestamp

Status = Literal["needs_response", "under_review", "won", "lost"]
Verdict = Literal["won", "lost"]

# Words in the evidence that decide without a judge, as at Stripe.
_VERDICTS: dict[str, Verdict] = {"winning_evidence": "won", "losing_evidence": "lost"}
EVIDENCE_KINDS = frozenset(
    {
        "text",
        "receipt",
        "shipping_documentation",
        "customer_communication",
        "refund_policy",
        "service_documentation",
        "product_description",
    }
)


@dataclass(frozen=True)
class Dispute:
    """One complaint. `evidence` says by kind what the merchant has handed in."""

    id: str
    account: str
    payment_id: str
    reason: str
    network_code: str
    amount_minor: int
    currency: str
    status: Status
    evidence: dict[str, str]
    opened_at: datetime
    evidence_due_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None

    def document(self, payment_reference: str) -> dict[str, Any]:
        """The dispute as the API and the webhooks show it."""
        return {
            "id": self.id,
            "object": "dispute",
            "payment_id": self.payment_id,
            "payment_reference": payment_reference,
            "reason": self.reason,
            "network_code": self.network_code,
            "status": self.status,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "evidence": sorted(self.evidence),
            "opened_at": timestamp(self.opened_at),
            "evidence_due_at": timestamp(self.evidence_due_at),
            "submitted_at": timestamp(self.submitted_at) if self.submitted_at else None,
            "closed_at": timestamp(self.closed_at) if self.closed_at else None,
        }


def verdict_on(evidence: dict[str, str]) -> Verdict | None:
    """What the bank says of the evidence by itself; None when it waits for somebody to decide."""
    for text in evidence.values():
        for word, verdict in _VERDICTS.items():
            if word in text:
                return verdict
    return None


def end_of_wait(dispute: Dispute) -> Verdict:
    """How a dispute ends whose time has come: unanswered it is lost, answered it is what the evidence says."""
    if dispute.status == "needs_response":
        return "lost"
    return verdict_on(dispute.evidence) or "lost"
