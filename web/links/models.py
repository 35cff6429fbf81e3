"""Rows as the links package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A payment link. Its expiry is evaluated on read: see `web.links.domain.status_at`."""

    id: str
    code: str
    livemode: bool
    amount_minor: int
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
