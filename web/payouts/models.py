"""Rows as the payouts package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass, field
from datetime import date, datetime

from web.payouts.domain import PayoutStatus, Schedule, Terms


@dataclass(frozen=True, slots=True)
class PayoutSettings:
    """How a merchant is paid out in one currency."""

    merchant_id: str
    livemode: bool
    currency: str
    schedule: Schedule
    weekday: int | None
    month_day: int | None
    minimum_minor: int
    reserve_minor: int
    reserve_bps: int
    account_sealed: bytes = field(repr=False)
    account_last4: str
    next_due_on: date | None
    updated_at: datetime

    @property
    def terms(self) -> Terms:
        """What holds a payout back."""
        return Terms(self.minimum_minor, self.reserve_minor, self.reserve_bps)


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to a merchant's bank."""

    id: str
    livemode: bool
    currency: str
    amount_minor: int
    status: PayoutStatus
    batch_id: str | None
    failure_code: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ToSend:
    """A payout that waits for the next file."""

    id: str
    amount_minor: int
    account_sealed: bytes = field(repr=False)
