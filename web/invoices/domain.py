"""What an invoice says when it is issued, and what takes it back. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from regions.billing import totals

FIGURES: Final = (
    "currency",
    "month",
    "since",
    "until",
    "plan",
    "lines",
    "amount_minor",
    "taxes",
    "tax_minor",
    "total_minor",
)


def says_the_same(issued: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether two documents have the same figures, whichever build they were read from."""
    return all(issued[name] == asked[name] for name in FIGURES)


def taken_back(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a credit note: every line with the opposite sign."""
    lines = [
        line | {"quantity": -line["quantity"], "amount_minor": -line["amount_minor"]} for line in document["lines"]
    ]
    return {**document, "lines": lines, **totals(lines)}
