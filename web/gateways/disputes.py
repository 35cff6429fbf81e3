"""A payer's complaint at the bank, in our words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from regions.money import Money
from web.gateways.declines import DisputeReason


class DisputeStatus(StrEnum):
    """Where a payer's complaint at the bank stands."""

    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"  # the money is ours again
    LOST = "lost"
    INQUIRY = "inquiry"  # a question: no money has moved yet


@dataclass(frozen=True)
class Dispute:
    """One dispute as the gateway knows it. `reason` is ours, `gateway_reason` the gateway's or the network's word."""

    gateway_reference: str
    payment_reference: str
    amount: Money
    status: DisputeStatus
    reason: DisputeReason
    opened_at: datetime
    evidence_due_at: datetime | None = None
    gateway_reason: str | None = None
    attempt_id: str | None = None


@dataclass(frozen=True)
class DisputePage:
    """Some disputes, oldest news last; `next_cursor` is None at the end."""

    disputes: tuple[Dispute, ...]
    next_cursor: str | None = None


@dataclass(frozen=True)
class DisputeNews:
    """A webhook's news of a dispute."""

    dispute: Dispute
