"""Rows as the links package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """A payment link. Its expiry is evaluated on read: see `web.links.domain.status_at`."""

    id: str
    code: str
    livemode: bool
    amount_minor: int | None  # None: the payer chooses
    currency: str
    reference: str
    description: str | None
    metadata: dict[str, str]
    usage: str
    status: str
    channel: str | None
    campaign: str | None
    expires_at: datetime | None
    created_at: datetime
    deactivated_at: datetime | None
    max_payments: int | None = None
    terms: dict[str, Any] = field(default_factory=dict)  # JSON as web.links.terms describes it
    regenerated_from: str | None = None

    @property
    def capacity(self) -> int | None:
        """How many payments it takes; None: any number."""
        return 1 if self.usage == "single" else self.max_payments


@dataclass(frozen=True, slots=True)
class DueLink:
    """A link whose time has passed, with whose it is."""

    id: str
    merchant_id: str
    livemode: bool
    expires_at: datetime
