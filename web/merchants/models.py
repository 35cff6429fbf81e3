"""Rows as the merchants package sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who sells. `country` is ISO 3166-1 alpha-2; `settlement_currency` (ISO 4217) is what it is paid out in."""

    id: str
    name: str
    country: str
    settlement_currency: str


@dataclass(frozen=True, slots=True)
class Account:
    """A merchant as it sees itself and its sub-accounts."""

    id: str
    parent_id: str | None
    name: str
    country: str
    settlement_currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Looks:
    """How a merchant's pages look; `branding` is JSON as UpdateBranding describes it, without the logo."""

    branding: dict[str, Any]
    has_logo: bool
