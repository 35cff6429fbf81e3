"""Rows as the captures package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass
from datetime import datetime

from regions.money import Money
from web.captures.domain import StepStatus
from web.gateways.domain import CaptureOrder, VoidOrder


@dataclass(frozen=True, slots=True)
class Capture:
    """Money that was set aside and that we ask for."""

    id: str
    livemode: bool
    payment_id: str
    attempt_id: str
    gateway: str
    gateway_reference: str | None
    amount_minor: int
    currency: str
    is_final: bool
    status: StepStatus
    failure_code: str | None
    created_at: datetime
    resolve_count: int
    finished_at: datetime | None

    @property
    def amount(self) -> Money:
        """What is asked for."""
        return Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Void:
    """Money that was set aside and that we let go of."""

    id: str
    livemode: bool
    payment_id: str
    attempt_id: str
    gateway: str
    gateway_reference: str | None
    reason: str
    status: StepStatus
    failure_code: str | None
    created_at: datetime
    resolve_count: int
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaptureIntent:
    """A capture that is committed and about to be sent; `object_id` is what an idempotency key is bound to."""

    gateway: str
    order: CaptureOrder

    @property
    def object_id(self) -> str:
        """The capture's id."""
        return self.order.capture_id


@dataclass(frozen=True, slots=True)
class VoidIntent:
    """A void that is committed and about to be sent; `object_id` is what an idempotency key is bound to."""

    gateway: str
    order: VoidOrder

    @property
    def object_id(self) -> str:
        """The void's id."""
        return self.order.void_id


@dataclass(frozen=True, slots=True)
class DueCapture:
    """A capture that the resolver has claimed, with whose it is and what is sent."""

    id: str
    merchant_id: str
    livemode: bool
    gateway: str
    payment_reference: str
    amount_minor: int
    currency: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class DueVoid:
    """A void that the resolver has claimed, with whose it is and what is sent."""

    id: str
    merchant_id: str
    livemode: bool
    gateway: str
    payment_reference: str


@dataclass(frozen=True, slots=True)
class DuePayment:
    """An authorised payment whose time has come, with whose it is."""

    id: str
    merchant_id: str
    livemode: bool
    is_expired: bool  # let it go; else capture it


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose capture or void it is, and which gateway makes it."""

    merchant_id: str
    livemode: bool
    gateway: str
