from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from regions.money import EXPONENTS, CurrencyMismatchError, InexactAmountError, Money, UnknownCurrencyError

AMOUNTS = st.integers(min_value=-(10**18), max_value=10**18)
CURRENCIES = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize("currency", sorted(EXPONENTS))
@given(amount=AMOUNTS)
def test_every_currency_survives_the_way_to_decimal_and_back(currency: str, amount: int) -> None:
    money = Money(amount, currency)
    decimal = money.to_decimal()
    assert Money.from_decimal(decimal, currency) == money
    assert -int(decimal.as_tuple().exponent) == EXPONENTS[currency]
    assert decimal == Decimal(amount) / Decimal(10) ** EXPONENTS[currency]


@pytest.mark.parametrize("currency", [c.code for c in Currency if c.exponent is None])
def test_codes_without_a_minor_unit_are_not_money(currency: str) -> None:
    with pytest.raises(UnknownCurrencyError, match=currency):
        Money(1, currency)


@given(amount=AMOUNTS, currency=CURRENCIES, part=st.integers(min_value=1, max_value=9))
def test_a_part_of_a_minor_unit_is_refused_never_rounded(amount: int, currency: str, part: int) -> None:
    decimal = Decimal(f"{amount}.{part}").scaleb(-EXPONENTS[currency])
    with pytest.raises(InexactAmountError):
        Money.from_decimal(decimal, currency)


@given(a=AMOUNTS, b=AMOUNTS, currency=CURRENCIES)
def test_sums_are_sums_of_minor_units(a: int, b: int, currency: str) -> None:
    x, y = Money(a, currency), Money(b, currency)
    assert (x + y).amount_minor == a + b
    assert x + y == y + x
    assert x + y - y == x
    assert x + -x == Money(0, currency)
    assert (x < y, x <= y) == (a < b, a <= b)


@given(pair=st.tuples(CURRENCIES, CURRENCIES).filter(lambda pair: pair[0] != pair[1]))
def test_two_currencies_never_meet(pair: tuple[str, str]) -> None:
    x, y = (Money(1, currency) for currency in pair)
    for mix in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(CurrencyMismatchError):
            mix(x, y)
    assert x != y
