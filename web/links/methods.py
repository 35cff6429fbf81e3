from collections.abc import Mapping
from typing import Any

from regions.region import Region

CARD, DEBIT, UPI = "card", "sepa_debit", "upi"
SHOWN = frozenset({CARD, DEBIT, UPI})  # what the payer's page has words for


def payable_by(region: Region, terms: Mapping[str, Any], currency: str) -> list[str]:
    """The ways in which a link with these terms can be paid in a currency, in the region's order."""
    wanted = terms.get("payment_methods")
    is_manual = terms.get("capture_method") == "manual"
    return [
        method.name
        for method in region.payment_methods
        if method.name in SHOWN
        and currency in method.currencies
        and (wanted is None or method.name in wanted)
        and (method.name == CARD or not is_manual)  # a debit cannot be set aside
    ]
