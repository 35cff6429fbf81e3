"""Amounts, dates and references as files print them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from regions.money import InexactAmountError, Money, UnknownCurrencyError

_AMOUNT = re.compile(r"([+-]?)(?=[.,]?[0-9])([0-9]{0,18})(?:([.,])([0-9]{0,8}))?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2}|[T ].*)?")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{2,63}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
REFERENCES_MAX = 100


class FieldError(ValueError):
    """A field does not hold what it should; the message continues "<field> …"."""


class Amounts:
    """Reads amounts in major units. A file writes its decimals with a point or with a comma, never both."""

    def __init__(self) -> None:
        self._mark: str | None = None

    def minor(self, text: str, currency: str) -> int:
        """In minor units of the currency, exactly. Raises FieldError."""
        found = _AMOUNT.fullmatch(text)
        if not found:
            raise FieldError(f"is {text!r}, not an amount such as 12.34")
        sign, whole, mark, decimals = found.groups()
        if mark and self._mark not in {None, mark}:
            raise FieldError(f"is {text!r}, but before it decimals stood behind {self._mark!r}")
        self._mark = mark or self._mark
        try:
            money = Money.from_decimal(Decimal(f"{sign}{whole or 0}.{decimals or 0}"), currency)
        except (InexactAmountError, UnknownCurrencyError) as error:
            raise FieldError(f"cannot be read: {error}") from error
        return money.amount_minor


def day(text: str) -> date:
    """An ISO 8601 date, whatever time or offset follows it. Raises FieldError."""
    found = _DATE.fullmatch(text)
    try:
        if found:
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    raise FieldError(f"is {text!r}, not a date such as 2026-01-31")


def references(texts: Iterable[str | None]) -> tuple[str, ...]:
    """What looks like a reference: words with a digit in them, but no IBAN. Names of people stay behind."""
    found: dict[str, None] = {}
    for text in texts:
        for token in _TOKEN.findall(text or ""):
            if len(found) >= REFERENCES_MAX:
                return tuple(found)
            if any(letter.isdigit() for letter in token) and not _IBAN.fullmatch(token.upper()):
                found[token.rstrip("./-")] = None
    return tuple(found)
