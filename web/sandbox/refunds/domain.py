"""Refunds. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from web.sandbox.cards.scenarios import Scenario
from web.sandbox.clock import timestamp
from web.sandbox.payments.domain import Payment

Status = Literal["succeeded", "pending", "failed"]


@dataclass(frozen=True)
class Refund:
    """Money that goes back to the payer."""

    id: str
    account: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    status: Status
    failure_code: str | None
    created_at: datetime
    due_at: datetime | None
    succeeded_at: datetime | None

    def document(self) -> dict[str, Any]:
        """The refund as the API and the webhooks show it."""
        return {
            "id": self.id,
            "object": "refund",
            "payment_id": self.payment_id,
            "reference": self.reference,
            "status": self.status,
            "failure_code": self.failure_code,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "created_at": timestamp(self.created_at),
            "succeeded_at": timestamp(self.succeeded_at) if self.succeeded_at else None,
        }


@dataclass(frozen=True)
class Outcome:
    """What becomes of a refund."""

    status: Status
    failure_code: str | None = None


def decide(payment: Payment, gone_minor: int, amount_minor: int, currency: str) -> Outcome:
    """Whether this much more may go back. `gone_minor`: refunds that succeeded or are pending, and disputed money."""
    if not payment.captured_minor:
        return Outcome("failed", "payment_not_captured")
    if currency != payment.currency:
        return Outcome("failed", "currency_mismatch")
    if amount_minor > payment.captured_minor - gone_minor:
        return Outcome("failed", "amount_exceeds_refundable")
    if payment.scenario in {Scenario.REFUND_LATER, Scenario.REFUND_FAILS_LATER}:
        return Outcome("pending")
    return Outcome("succeeded")


def finish(payment: Payment) -> Outcome:
    """How a pending refund of this payment ends."""
    if payment.scenario == Scenario.REFUND_FAILS_LATER:
        return Outcome("failed", "expired_or_closed_card")
    return Outcome("succeeded")
