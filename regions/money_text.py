"""Amounts as people read them, on the hosted page and in the console."""

import copy
import functools

from babel.core import Locale
from babel.numbers import NumberPattern

from regions.money import Money, exponent


def show_money(amount: Money, locale: str) -> str:
    """An amount as people of that locale write it, with every digit of the minor unit.

    CLDR leaves out digits that people seldom use (IQD, LAK, COP, …); an amount to pay leaves out nothing.
    """
    digits = exponent(amount.currency)
    pattern, spoken = _pattern(locale.replace("-", "_"), digits)
    return str(pattern.apply(amount.to_decimal(), spoken, currency=amount.currency, currency_digits=False))


@functools.cache
def _pattern(locale: str, digits: int) -> tuple[NumberPattern, Locale]:
    spoken = Locale.parse(locale)
    pattern = copy.copy(spoken.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern, spoken
