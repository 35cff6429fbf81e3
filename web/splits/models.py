"""Rows as the splits package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Split:
    """One merchant's record of money that passes to another, or, with `reverses_id`, back."""

    id: str
    livemode: bool
    role: str  # sender or recipient: whose record it is
    sender_id: str
    recipient_id: str
    payment_id: str
    source_id: str
    reverses_id: str | None
    status: str
    amount_minor: int
    reversed_minor: int
    currency: str
    position: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What one of a link's splits gets, or gives back, now."""

    recipient_id: str
    amount_minor: int
    currency: str
    position: int
