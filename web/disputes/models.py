"""Rows as the disputes package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass
from datetime import datetime

from regions.money import Money
from web.gateways.disputes import DisputeStatus


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's complaint at the bank about one of our payments."""

    id: str
    livemode: bool
    payment_id: str
    gateway: str
    gateway_account: str
    gateway_reference: str
    amount_minor: int
    currency: str
    status: DisputeStatus
    reason: str
    gateway_reason: str | None
    evidence_kinds: list[str]
    taken_count: int
    opened_at: datetime
    evidence_due_at: datetime | None
    contested_at: datetime | None
    closed_at: datetime | None
    created_at: datetime

    @property
    def amount(self) -> Money:
        """What is contested."""
        return Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class EvidenceIntent:
    """Evidence that is about to be handed in; `object_id` is what an idempotency key is bound to."""

    dispute_id: str
    gateway: str
    gateway_reference: str

    @property
    def object_id(self) -> str:
        """The dispute's id."""
        return self.dispute_id


@dataclass(frozen=True, slots=True)
class Disputed:
    """The payment that a gateway's dispute is about, and whose it is."""

    payment_id: str
    attempt_id: str
    merchant_id: str
    livemode: bool
    gateway: str
    gateway_account: str
