"""Made-up reference rates for the days after the history that everybody has. Pure, and the same on every machine.

From the last real day on, each currency takes one small step per publication day. A step depends on the currency and
the day alone, so whoever asks, in whatever order, gets the same file.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from regions.target_days import business_days

FIRST_DAY: Final = date(2026, 10, 30)
"""The last day of which real rates are known; it is served as it was, and the walk begins there."""
FIRST_RATES: Final = MappingProxyType({
    "USD": "1.1172", "JPY": "175.68", "CZK": "24.353", "DKK": "7.4735", "GBP": "0.8338", "HUF": "366.33",
    "PLN": "4.4038", "RON": "5.3447", "SEK": "10.978", "CHF": "0.9194", "ISK": "136", "NOK": "10.312", "TRY": "55.8015",
    "AUD": "1.5904", "BRL": "6.0692", "CAD": "1.5606", "CNY": "7.4326", "HKD": "8.7652", "IDR": "20275.17",
    "ILS": "3.495", "INR": "106.084", "KRW": "1491.76", "MXN": "21.1237", "MYR": "4.5325", "NZD": "1.9823",
    "PHP": "71.143", "SGD": "1.4282", "THB": "37.683", "ZAR": "18.6455",
})  # fmt: skip
STEP_MAX: Final = Decimal("0.004")
_DIGITS: Final = 5  # significant digits that the bank prints
_PEGGED: Final = frozenset({"DKK"})


def daily_file(day: date) -> str | None:
    """The file of one day in the bank's daily form; None for a day without publication or before FIRST_DAY."""
    if day < FIRST_DAY or not business_days(day, day):
        return None
    rates = rates_of(day)
    header = "".join(f", {currency}" for currency in rates)
    values = "".join(f", {rate:f}" for rate in rates.values())
    return f"Date{header}, \n{day:%d %B %Y}{values}, \n"


@lru_cache(maxsize=1024)
def rates_of(day: date) -> MappingProxyType[str, Decimal]:
    """Units of each currency for one euro on a publication day from FIRST_DAY on."""
    rates = {currency: Decimal(rate) for currency, rate in FIRST_RATES.items()}
    for step_day in business_days(FIRST_DAY + timedelta(days=1), day):
        rates = {currency: _printed(rate * (1 + step(currency, step_day))) for currency, rate in rates.items()}
    return MappingProxyType(rates)


def step(currency: str, day: date) -> Decimal:
    """The relative change of a day: uniform within ± STEP_MAX."""
    if currency in _PEGGED:
        return Decimal(0)
    draw = int.from_bytes(hashlib.sha256(f"{currency}/{day.isoformat()}".encode()).digest()[:4])
    return STEP_MAX * (Decimal(draw) / (1 << 31) - 1)


def _printed(rate: Decimal) -> Decimal:
    return rate.quantize(Decimal(1).scaleb(rate.adjusted() - _DIGITS + 1), rounding=ROUND_HALF_EVEN)
