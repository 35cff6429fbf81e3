"""Gateways' minor units: an amount goes there and back without a change, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.money import EXPONENTS, Money
from web.gateways.adyen.tables import MINOR_UNITS as ADYEN
from web.gateways.errors import GatewayDocumentError
from web.gateways.minor_units import AmountUnsupportedError, MinorUnits
from web.gateways.stripe.tables import MINOR_UNITS as STRIPE

AMOUNTS = st.integers(1, 10**12)
CURRENCIES = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize("units", [ADYEN, STRIPE])
@given(amount=AMOUNTS, currency=CURRENCIES)
def test_there_and_back(units: MinorUnits, amount: int, currency: str) -> None:
    money = Money(amount, currency)
    try:
        wire = units.to_wire(money)
    except AmountUnsupportedError:
        assert currency in {**units.exponents, **units.steps}
        return
    assert units.from_wire(wire, currency) == money
    assert units.from_wire(wire, currency.lower()) == money


@pytest.mark.parametrize(
    ("units", "money", "wire"),
    [
        (ADYEN, Money(1999, "EUR"), 1999),
        (ADYEN, Money(5000, "CLP"), 500_000),
        (ADYEN, Money(700, "ISK"), 70_000),
        (ADYEN, Money(120_000, "CVE"), 1200),
        (ADYEN, Money(1_000_000, "IDR"), 10_000),
        (ADYEN, Money(1234, "KWD"), 1234),
        (STRIPE, Money(500, "JPY"), 500),
        (STRIPE, Money(700, "ISK"), 70_000),
        (STRIPE, Money(700, "UGX"), 70_000),
        (STRIPE, Money(5000, "MGA"), 50),
        (STRIPE, Money(1230, "KWD"), 1230),
    ],
)
def test_known_deviations(units: MinorUnits, money: Money, wire: int) -> None:
    assert units.to_wire(money) == wire


@pytest.mark.parametrize(("units", "money"), [(ADYEN, Money(150, "CVE")), (STRIPE, Money(1234, "KWD"))])
def test_nothing_is_rounded(units: MinorUnits, money: Money) -> None:
    with pytest.raises(AmountUnsupportedError):
        units.to_wire(money)


@pytest.mark.parametrize(("units", "wire", "currency"), [(ADYEN, 50, "ISK"), (STRIPE, 1, "XXQ")])
def test_what_no_amount_can_be_is_unreadable(units: MinorUnits, wire: int, currency: str) -> None:
    with pytest.raises(GatewayDocumentError):
        units.from_wire(wire, currency)
