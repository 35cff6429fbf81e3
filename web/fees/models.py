"""Rows as the fees package sees them. Times are UTC; amounts are minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class FeeRecord:
    """What the platform has taken of captured money, or has changed of what it took earlier in a month."""

    id: str
    livemode: bool
    kind: str  # charge or adjustment
    payment_id: str
    source_id: str
    pricing_plan: str
    method: str | None
    amount_minor: int
    fee_minor: int
    tax_minor: int
    currency: str
    month: date | None
    volume_before_minor: int | None
    lines: Sequence[Mapping[str, Any]]
    created_at: datetime
