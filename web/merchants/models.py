"""Rows as the merchants package sees them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who sells. `country` is ISO 3166-1 alpha-2; `settlement_currency` (ISO 4217) is what it is paid out in."""

    id: str
    name: str
    country: str
    settlement_currency: str
