"""Rows as the refunds package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass
from datetime import datetime

from regions.money import Money
from web.gateways.domain import RefundOrder
from web.refunds.domain import RefundStatus


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back to a payer."""

    id: str
    livemode: bool
    payment_id: str
    gateway: str
    gateway_reference: str | None
    amount_minor: int
    currency: str
    reason: str | None
    status: RefundStatus
    failure_code: str | None
    created_at: datetime
    resolve_count: int
    finished_at: datetime | None

    @property
    def amount(self) -> Money:
        """What goes back."""
        return Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class RefundIntent:
    """A refund that is committed and about to be sent; `object_id` is what an idempotency key is bound to."""

    refund_id: str
    gateway: str
    order: RefundOrder

    @property
    def object_id(self) -> str:
        """The refund's id."""
        return self.refund_id


@dataclass(frozen=True, slots=True)
class DueRefund:
    """A refund that the resolver has claimed, with whose it is and what is sent."""

    id: str
    merchant_id: str
    livemode: bool
    gateway: str
    payment_reference: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose refund it is, and which gateway makes it."""

    merchant_id: str
    livemode: bool
    gateway: str
