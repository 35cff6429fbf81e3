"""Rows as the checkout package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from regions.money import Money
from web.links.models import Link


@dataclass(frozen=True, slots=True)
class Merchant:
    """Whom the payer pays, and how its pages look."""

    id: str
    name: str
    branding: dict[str, Any] = field(default_factory=dict)
    has_logo: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One payer's visit that may pay. It froze the link's price."""

    id: str
    link_id: str
    amount_minor: int
    currency: str
    locale: str
    status: str
    expires_at: datetime
    terms: dict[str, Any] = field(default_factory=dict)  # {"lines": […], "tax_minor"}: what the payer chose

    @property
    def amount(self) -> Money:
        """What the payer pays."""
        return Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Visit:
    """A session with what its pages show."""

    session: Session
    link: Link
    merchant: Merchant


@dataclass(frozen=True, slots=True)
class NewSession:
    """What is known about a visit when it opens."""

    id: str
    token_hash: bytes
    locale: str
    device_class: str
    channel: str | None
    campaign: str | None


@dataclass(frozen=True, slots=True)
class DueSession:
    """An open session whose time has passed, with whose it is."""

    id: str
    link_id: str
    merchant_id: str
    livemode: bool
