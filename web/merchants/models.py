"""Rows as the merchants package sees them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who sells. `country` is ISO 3166-1 alpha-2."""

    id: str
    name: str
    country: str
