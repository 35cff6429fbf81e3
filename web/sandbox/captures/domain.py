"""Captures and voids: taking money that was set aside, and letting it go. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from web.sandbox.clock import timestamp
from web.sandbox.payments.domain import Payment

Status = Literal["succeeded", "failed"]


@dataclass(frozen=True)
class Capture:
    """One taking of money. `reference` is the merchant's, None for an automatic one."""

    id: str
    account: str
    payment_id: str
    reference: str | None
    amount_minor: int
    currency: str
    status: Status
    failure_code: str | None
    is_final: bool
    created_at: datetime

    def document(self) -> dict[str, Any]:
        """The capture as the API and the webhooks show it."""
        return {
            "id": self.id,
            "object": "capture",
            "payment_id": self.payment_id,
            "reference": self.reference,
            "status": self.status,
            "failure_code": self.failure_code,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "is_final": self.is_final,
            "created_at": timestamp(self.created_at),
        }


@dataclass(frozen=True)
class Void:
    """One letting go."""

    id: str
    account: str
    payment_id: str
    reference: str
    status: Status
    failure_code: str | None
    created_at: datetime

    def document(self) -> dict[str, Any]:
        """The void as the API and the webhooks show it."""
        return {
            "id": self.id,
            "object": "void",
            "payment_id": self.payment_id,
            "reference": self.reference,
            "status": self.status,
            "failure_code": self.failure_code,
            "created_at": timestamp(self.created_at),
        }


def why_no_capture(payment: Payment, amount_minor: int, currency: str) -> str | None:
    """Why this much cannot be captured now, as a code, or None."""
    if payment.status != "authorised":
        return "payment_not_authorised"
    if currency != payment.currency:
        return "currency_mismatch"
    if amount_minor > payment.amount_minor - payment.captured_minor:
        return "amount_exceeds_authorised"
    return None


def why_no_void(payment: Payment) -> str | None:
    """Why there is nothing to let go of, as a code, or None."""
    return None if payment.status == "authorised" else "payment_not_authorised"
