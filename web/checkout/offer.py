"""What a link's page shows of its price: choices, lines and bounds, written as the payer's locale writes them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from babel import Locale

from regions.money import Money
from regions.money_text import show_money
from web.checkout.choice import ChoiceError, bounds_in, fixed_price, price_of
from web.links.models import Link
from web.links.pricing import bill, currencies_of


@dataclass(frozen=True, slots=True)
class Offer:
    """A link's price as its page shows it."""

    currency: str
    currencies: Sequence[tuple[str, str]]  # the code, and what to read
    amount: str | None  # None: the payer enters it
    entered: str = ""
    bounds: Mapping[str, str] = field(default_factory=dict)  # `least` and `most`
    lines: Sequence[Mapping[str, Any]] = ()


def offer_of(link: Link, form: Mapping[str, str], locale: str) -> Offer:
    """The offer, with what the payer has entered so far."""
    codes = currencies_of(link.terms, link.currency)
    currency = form.get("currency") if form.get("currency") in codes else link.currency
    if currency is None:
        currency = link.currency
    if link.terms.get("customer_amount"):
        bounds = bounds_in(link, currency)
        shown = {
            "least": show_money(Money(bounds["min_minor"], currency), locale),
            "most": show_money(Money(bounds["max_minor"], currency), locale),
        }
        entered = form.get("amount")
        if entered is None:
            preset = bounds.get("preset_minor")
            entered = "" if preset is None else _plain(Money(preset, currency), locale)
        return Offer(currency, [(code, code) for code in codes], None, entered[:20], shown)
    if link.terms.get("line_items"):
        return _of_items(link, codes, currency, form, locale)
    prices = {code: show_money(Money(fixed_price(link, code).amount_minor, code), locale) for code in codes}
    return Offer(currency, list(prices.items()), prices[currency])


def bill_lines(lines: Iterable[Mapping[str, Any]], currency: str, locale: str) -> list[dict[str, Any]]:
    """The lines of a bill to read."""
    return [
        {
            "name": line["name"],
            "quantity": line["quantity"],
            "unit": show_money(Money(line["unit_amount_minor"], currency), locale),
            "discount": _unless_zero(line["discount_minor"], currency, locale),
            "tax": _unless_zero(line["tax_minor"], currency, locale),
            "total": show_money(Money(line["total_minor"], currency), locale),
        }
        for line in lines
    ]


def countries(locale: str) -> list[tuple[str, str]]:
    """Every country with its name in the payer's language, by name."""
    names = Locale.parse(locale.replace("-", "_")).territories
    return sorted(
        ((code, name) for code, name in names.items() if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY),  # noqa: PLR2004
        key=lambda each: each[1],
    )


_NO_COUNTRY = {"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"}


def _of_items(link: Link, codes: Sequence[str], currency: str, form: Mapping[str, str], locale: str) -> Offer:
    try:
        price = price_of(link, {**form, "currency": currency}, locale)
    except ChoiceError:
        price = bill(link.terms, currency, link.currency)
    lines = bill_lines(map(asdict, price.lines), currency, locale)
    for line, item in zip(lines, link.terms["line_items"], strict=True):
        line["bounds"] = item.get("adjustable_quantity")
        line["tax_name"] = (item.get("tax") or {}).get("name")
    total = show_money(Money(price.amount_minor, currency), locale)
    return Offer(currency, [(code, code) for code in codes], total, lines=lines)


def _plain(amount: Money, locale: str) -> str:
    """An amount without its currency, as it can be entered."""
    decimal = Locale.parse(locale.replace("-", "_")).number_symbols["latn"]["decimal"]
    return str(amount.to_decimal()).replace(".", decimal)


def _unless_zero(amount_minor: int, currency: str, locale: str) -> str | None:
    return show_money(Money(amount_minor, currency), locale) if amount_minor else None
