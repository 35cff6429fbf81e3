"""What a payer owes: quantities, discounts and taxes in whole minor units. No clock, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

_ONE = Decimal(1)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill. `total_minor` is what the payer pays for it; `tax_minor` is in it, or was added to it."""

    name: str
    quantity: int
    unit_amount_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Price:
    """What one payer pays, with its lines if the link has any."""

    amount_minor: int
    currency: str
    lines: tuple[Line, ...] = ()

    @property
    def tax_minor(self) -> int:
        """All the tax in the price."""
        return sum(line.tax_minor for line in self.lines)


def price_line(item: Mapping[str, Any], unit_amount_minor: int, quantity: int) -> Line:
    """Quantity times unit amount, less the discount, plus the tax unless it is included. Each step rounds half-even."""
    gross = unit_amount_minor * quantity
    discount = min(gross, _discount(item.get("discount") or {}, gross))
    net = gross - discount
    tax, total = _tax(item.get("tax") or {}, net)
    return Line(item["name"], quantity, unit_amount_minor, discount, tax, total)


def _discount(discount: Mapping[str, Any], gross: int) -> int:
    if discount.get("amount_minor") is not None:
        return int(discount["amount_minor"])
    return _rounded(gross * Decimal(discount.get("percent") or 0) / _HUNDRED)


def _tax(tax: Mapping[str, Any], net: int) -> tuple[int, int]:
    rate = Decimal(tax.get("rate_percent") or 0) / _HUNDRED
    if tax.get("is_inclusive"):
        return net - _rounded(net / (_ONE + rate)), net
    added = _rounded(net * rate)
    return added, net + added


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(_ONE, rounding=ROUND_HALF_EVEN))


def unit_amounts(terms: Mapping[str, Any], currency: str, home: str) -> list[int]:
    """What one of each line item costs in a currency that the link offers."""
    if currency == home:
        return [item["unit_amount_minor"] for item in terms["line_items"]]
    return list(option_in(terms, currency)["unit_amounts_minor"])


def option_in(terms: Mapping[str, Any], currency: str) -> Mapping[str, Any]:
    """The price in another currency than the link's own; KeyError when it offers none."""
    for option in terms.get("currency_options") or ():
        if option["currency"] == currency:
            found: Mapping[str, Any] = option
            return found
    raise KeyError(currency)


def currencies_of(terms: Mapping[str, Any], home: str) -> list[str]:
    """The currencies that a payer may choose from, the link's own first."""
    return [home, *(option["currency"] for option in terms.get("currency_options") or ())]


def bill(terms: Mapping[str, Any], currency: str, home: str, quantities: Sequence[int] | None = None) -> Price:
    """The price of line items, in the quantities that the payer chose or else those of the link."""
    items = terms["line_items"]
    chosen = [item["quantity"] for item in items] if quantities is None else quantities
    lines = tuple(
        price_line(item, unit, quantity)
        for item, unit, quantity in zip(items, unit_amounts(terms, currency, home), chosen, strict=True)
    )
    return Price(sum(line.total_minor for line in lines), currency, lines)
