"""Rows as the payments package sees them. Times are UTC; amounts are minor units."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from web.gateways.domain import CaptureMode
from web.payments.domain import AttemptStatus, PaymentStatus
from web.refunds.domain import Balance


@dataclass(frozen=True, slots=True)
class Payment:
    """One intention to move money."""

    id: str
    link_id: str
    session_id: str
    livemode: bool
    amount_minor: int
    currency: str
    status: PaymentStatus
    failure_code: str | None
    capturable_minor: int  # set aside at the gateway, and neither captured nor asked for yet
    pending_capture_minor: int
    captured_minor: int
    refunded_minor: int
    pending_refund_minor: int
    disputed_minor: int
    is_late: bool
    created_at: datetime
    authorised_at: datetime | None
    authorised_until: datetime | None  # then we let the rest go, before the gateway does
    capture_after: datetime | None  # then we capture the rest by ourselves
    released_at: datetime | None  # from then on nothing is set aside any more
    succeeded_at: datetime | None
    failed_at: datetime | None

    @property
    def balance(self) -> Balance:
        """What has become of its money; under the payment's lock, what may be refunded."""
        return Balance(self.captured_minor, self.refunded_minor, self.pending_refund_minor, self.disputed_minor)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one gateway."""

    id: str
    payment_id: str
    gateway: str
    gateway_account: str
    gateway_reference: str | None
    method: str
    card_brand: str | None
    capture_mode: CaptureMode
    authorisation_seconds: int  # how long the gateway sets money aside for us
    amount_minor: int
    currency: str
    status: AttemptStatus
    action_url: str | None
    decline_code: str | None
    created_at: datetime
    resolve_count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All that an outcome may change, locked in this order: link (if limited), session, payment, attempt."""

    payment: Payment
    attempt: Attempt
    is_latest: bool  # whether no other attempt has followed it
    capacity: int | None  # how many payments the link takes; None: any number
    link_status: str
    link_expires_at: datetime | None
    capture_after_hours: int | None  # what the link says about a manual capture that nobody asks for
    splits: tuple[Mapping[str, Any], ...]  # who else gets a part, as the link says
    session_status: str
    has_room: bool  # whether this payment has one of the link's slots, or could have
    session_winner: str | None  # the payment that has already succeeded in the same session
    is_renewal: bool  # whether the link pays a period of a renewal


@dataclass(frozen=True, slots=True)
class DueAttempt:
    """An attempt that the resolver has claimed, with whose it is."""

    id: str
    merchant_id: str
    livemode: bool
    gateway: str
