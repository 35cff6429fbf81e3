"""Who gets which part of a payment, at each capture and of each refund. No clock, no database.

What a split says gives everybody an entitlement to the whole payment. A capture is shared in proportion to what is left
of the entitlements, a refund in proportion to what each still has: captured whole, everybody has exactly what was
agreed, and refunded whole, nobody keeps anything.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from web.ledger.shares import allocate

SPLIT_CLEARING = "split_clearing"  # between the two merchants' books: zero once both have booked
_PERCENT_PARTS = 1000  # percentages have three places at most


def entitlements(price_minor: int, splits: Sequence[Mapping[str, Any]]) -> list[int]:
    """What each split is of the whole price: amounts as they are, percentages by the largest remainder.

    Never more than there is: the first come first.
    """
    percents = [int(Decimal(split.get("percent") or 0) * _PERCENT_PARTS) for split in splits]
    rest = max(0, 100 * _PERCENT_PARTS - sum(percents))
    shares = allocate(price_minor, [*percents, rest])
    left, found = price_minor, []
    for split, share in zip(splits, shares[:-1], strict=True):
        part = min(left, split.get("amount_minor") or share)
        found.append(part)
        left -= part
    return found


def share_of_capture(
    captured_minor: int, price_minor: int, earlier_minor: int, entitled: Sequence[int], given: Sequence[int]
) -> list[int]:
    """What of a capture is whose, after captures of `earlier_minor` of which everybody was given something."""
    left = [whole - had for whole, had in zip(entitled, given, strict=True)]
    own = price_minor - earlier_minor - sum(left)
    return allocate(captured_minor, [*left, max(0, own)])[:-1]


def share_of_refund(refunded_minor: int, kept_minor: int, held: Sequence[int]) -> list[int]:
    """What everybody gives back of a refund, when `kept_minor` of the payment was left and they still `held` parts."""
    return allocate(refunded_minor, [*held, max(0, kept_minor - sum(held))])[:-1]
