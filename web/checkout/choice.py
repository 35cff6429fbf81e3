"""What a payer may choose on a link's page (currency, amount, quantities), and the price that comes of it."""

from collections.abc import Mapping
from typing import Any

from babel.numbers import NumberFormatError, parse_decimal

from regions.money import InexactAmountError, Money
from web.links.models import Link
from web.links.pricing import Price, bill, currencies_of, option_in

_DIGITS_MAX = 20
_QUANTITY_DIGITS_MAX = 4


class ChoiceError(Exception):
    """A choice that the link does not offer: fields with the key of the text that says what to do."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = dict(faults)


def price_of(link: Link, form: Mapping[str, str], locale: str) -> Price:
    """The price of a payer's choice; what the form does not say is as the link says. Raises ChoiceError."""
    currency = form.get("currency") or link.currency
    if currency not in currencies_of(link.terms, link.currency):
        raise ChoiceError({"currency": "fix_choice"})
    if link.terms.get("line_items"):
        price = bill(link.terms, currency, link.currency, _quantities(link.terms["line_items"], form))
        if price.amount_minor < 1:
            raise ChoiceError({"quantity_0": "fix_quantity"})
        return price
    if link.terms.get("customer_amount"):
        return Price(_amount(bounds_in(link, currency), currency, form.get("amount", ""), locale), currency)
    return fixed_price(link, currency)


def fixed_price(link: Link, currency: str) -> Price:
    """The price of a link that has one, in a currency that it offers."""
    if currency == link.currency and link.amount_minor is not None:
        return Price(link.amount_minor, currency)
    return Price(option_in(link.terms, currency)["amount_minor"], currency)


def bounds_in(link: Link, currency: str) -> Mapping[str, Any]:
    """Between what a payer may choose in a currency."""
    if currency == link.currency:
        found: Mapping[str, Any] = link.terms["customer_amount"]
    else:
        found = option_in(link.terms, currency)["customer_amount"]
    return found


def _amount(bounds: Mapping[str, Any], currency: str, text: str, locale: str) -> int:
    try:
        if len(text) > _DIGITS_MAX:
            raise ChoiceError({"amount": "fix_amount"})
        chosen = Money.from_decimal(parse_decimal(text.strip(), locale=locale.replace("-", "_"), strict=True), currency)
    except (NumberFormatError, InexactAmountError):
        raise ChoiceError({"amount": "fix_amount"}) from None
    if not bounds["min_minor"] <= chosen.amount_minor <= bounds["max_minor"]:
        raise ChoiceError({"amount": "fix_bounds"})
    return chosen.amount_minor


def _quantities(items: list[Mapping[str, Any]], form: Mapping[str, str]) -> list[int]:
    faults, found = {}, []
    for number, item in enumerate(items):
        name, bounds = f"quantity_{number}", item.get("adjustable_quantity")
        text = form.get(name, "").strip() if bounds else ""
        quantity = item["quantity"]
        if text:
            is_number = text.isascii() and text.isdigit() and len(text) <= _QUANTITY_DIGITS_MAX
            quantity = int(text) if is_number else -1
        if bounds and not bounds["min"] <= quantity <= bounds["max"]:
            faults[name] = "fix_quantity"
        found.append(quantity)
    if faults:
        raise ChoiceError(faults)
    return found
