"""Errors on purpose: each is planted into a line of its own, and the answer key says what was done. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

from regions.money import exponent
from web.sandbox.settlement.domain import AUTOMATIC, Item, Line, LineType, fees_of, line_of

Plant = Literal[
    "missing_at_gateway", "missing_with_us", "amount", "duplicate", "fee", "currency",
    "fx", "timing", "chargeback", "unknown_type", "split",
]  # fmt: skip


INVENTED_HUNDREDTHS = 4711
EARLY = timedelta(days=45)  # longer than an authorisation lasts
_RATE = Decimal("1.0825")
_OTHER_CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KRW", "KWD", "BHD", "CLF", "UYW")


class PlantingError(ValueError):
    """The batch has too few payments for the errors that were asked for, or too small ones."""


@dataclass(frozen=True)
class Invention:
    """What a line about a payment that never was is made of."""

    currency: str
    merchant_reference: str
    new_reference: Callable[[], str]


def plant_errors(
    lines: Sequence[Line], plants: Sequence[Plant], template: Line, invent: Callable[[], Invention]
) -> tuple[list[Line], list[dict[str, Any]]]:
    """The lines with the errors in them, and the answer key. `template` gives an invented line its times.

    Raises PlantingError when there are fewer settled payments than errors that need one.
    """
    refunded = {line.psp_reference for line in lines if line.type == "Refunded"}
    settled = [index for index, line in enumerate(lines) if line.type == "Settled"]
    settled.sort(key=lambda index: lines[index].psp_reference in refunded)  # payments without refunds first
    settled.sort(key=lambda index: lines[index].gross_minor == 1)  # what has no halves last
    wanted = sum(name not in _INVENTED for name in plants)
    if wanted > len(settled):
        raise PlantingError(f"{wanted} of the errors need a payment each, the batch has {len(settled)}.")
    out: dict[int, list[Line]] = {index: [line] for index, line in enumerate(lines)}
    extra: list[Line] = []
    key: list[dict[str, Any]] = []
    victims = iter(settled)
    for name in plants:
        if name in _INVENTED:
            line = replace(_invented(template, invent()), type=_INVENTED[name])
            extra.append(line)
            key.append(_entry(name, line, expected_minor=0, reported_minor=line.gross_minor or 0))
        else:
            index = next(victims)
            out[index], entry = _PLANTERS[name](lines[index])
            key.append(entry)
    return [line for group in out.values() for line in group] + extra, key


def _missing_at_gateway(line: Line) -> tuple[list[Line], dict[str, Any]]:
    return [], _entry("missing_at_gateway", line, expected_minor=line.gross_minor or 0, reported_minor=0)


def _amount(line: Line) -> tuple[list[Line], dict[str, Any]]:
    gross_minor = line.gross_minor or 0
    unit = 10 ** exponent(line.net_currency)
    wrong = replace(line, gross_minor=gross_minor + unit, net_minor=line.net_minor + unit)
    return [wrong], _entry("amount", line, expected_minor=gross_minor, reported_minor=gross_minor + unit)


def _duplicate(line: Line) -> tuple[list[Line], dict[str, Any]]:
    gross_minor = line.gross_minor or 0
    return [line, line], _entry("duplicate", line, expected_minor=gross_minor, reported_minor=2 * gross_minor)


def _fee(line: Line) -> tuple[list[Line], dict[str, Any]]:
    unit = 10 ** exponent(line.net_currency)
    total_minor = line.fees.total_minor
    wrong = replace(line, commission_minor=line.commission_minor + unit, net_minor=line.net_minor - unit)
    return [wrong], _entry("fee", line, expected_minor=total_minor, reported_minor=total_minor + unit)


def _fx(line: Line) -> tuple[list[Line], dict[str, Any]]:
    """Settled in another currency, one unit less than the printed rate makes of it."""
    other = next(c for c in _OTHER_CURRENCIES if c != line.net_currency and exponent(c) == exponent(line.net_currency))
    true_minor = int((Decimal(line.gross_minor or 0) * _RATE).to_integral_value(ROUND_HALF_EVEN))
    unit = 10 ** exponent(other) + _rounding_minor(line.gross_minor or 0)
    wrong = replace(
        line, net_currency=other, net_minor=true_minor - unit, exchange_rate=str(_RATE), commission_minor=0,
        markup_minor=0, scheme_minor=0, interchange_minor=0,
    )  # fmt: skip
    entry = _entry("fx", line, expected_minor=true_minor, reported_minor=true_minor - unit)
    return [wrong], {**entry, "reported_currency": other}


def _rounding_minor(gross_minor: int) -> int:
    """What a rate that is printed with four decimals leaves open."""
    return gross_minor // 20_000 + 2


def _timing(line: Line) -> tuple[list[Line], dict[str, Any]]:
    gross_minor = line.gross_minor or 0
    entry = _entry("timing", line, expected_minor=gross_minor, reported_minor=gross_minor)
    return [replace(line, created_at=line.created_at - EARLY)], entry


def _chargeback(line: Line) -> tuple[list[Line], dict[str, Any]]:
    """The payment is settled, and taken back: of that our books know nothing."""
    gross_minor = line.gross_minor or 0
    taken = replace(
        line, type="Chargeback", gross_minor=-gross_minor, net_minor=-gross_minor, commission_minor=0, markup_minor=0,
        scheme_minor=0, interchange_minor=0, modification_reference=f"D{line.psp_reference}",
    )  # fmt: skip
    return [line, taken], _entry("chargeback", line, expected_minor=0, reported_minor=-gross_minor)


def _split(line: Line) -> tuple[list[Line], dict[str, Any]]:
    """In two lines, each with the fees of its amount."""
    gross_minor = line.gross_minor or 0
    if gross_minor < 2:  # noqa: PLR2004 - has no halves
        raise PlantingError("split needs a payment of two minor units at least.")
    parts = []
    for part_minor in (gross_minor // 2, gross_minor - gross_minor // 2):
        fees = fees_of(part_minor, line.payment_method)
        parts.append(
            replace(
                line, gross_minor=part_minor, net_minor=part_minor - fees.total_minor,
                commission_minor=fees.commission_minor, markup_minor=fees.markup_minor, scheme_minor=fees.scheme_minor,
                interchange_minor=fees.interchange_minor,
            )
        )  # fmt: skip
    return parts, _entry("split", line, expected_minor=gross_minor, reported_minor=gross_minor)


def _currency(line: Line) -> tuple[list[Line], dict[str, Any]]:
    currency = line.net_currency
    other = next(c for c in _OTHER_CURRENCIES if c != currency and exponent(c) == exponent(currency))
    gross_minor = line.gross_minor or 0
    entry = _entry("currency", line, expected_minor=gross_minor, reported_minor=gross_minor)
    return [replace(line, gross_currency=other, net_currency=other)], {**entry, "reported_currency": other}


_PLANTERS = {
    "missing_at_gateway": _missing_at_gateway,
    "amount": _amount,
    "duplicate": _duplicate,
    "fee": _fee,
    "currency": _currency,
    "fx": _fx,
    "timing": _timing,
    "chargeback": _chargeback,
    "split": _split,
}
_INVENTED: dict[str, LineType] = {"missing_with_us": "Settled", "unknown_type": "Enchantment"}  # lines about nothing


def _invented(template: Line, invention: Invention) -> Line:
    unit = 10 ** exponent(invention.currency)
    item = Item(
        payment_id=invention.new_reference(),
        capture_reference=invention.new_reference(),
        attempt_reference=invention.merchant_reference,
        brand="visa",
        currency=invention.currency,
        amount_minor=max(1, unit * INVENTED_HUNDREDTHS // 100),
        created_at=template.created_at,
    )
    return replace(line_of(item, template.booked_at), modification_merchant_reference=AUTOMATIC)


def _entry(name: Plant, line: Line, *, expected_minor: int, reported_minor: int) -> dict[str, Any]:
    """One error: what is true is expected, what the file says is reported.

    Amounts are the line's fees for `fee`, what arrives for `fx`, else its gross.
    """
    return {
        "class": name,
        "psp_reference": line.psp_reference,
        "merchant_reference": line.merchant_reference,
        "currency": line.net_currency,
        "expected_minor": expected_minor,
        "reported_minor": reported_minor,
    }
