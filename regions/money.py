"""Money: integer minor units and an ISO 4217 code. No floats, no implicit exchange, no rounding."""

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from types import MappingProxyType
from typing import Final, Self

from iso4217 import Currency

from regions.errors import MeridianError

# Codes without a minor unit (gold, SDR, the test code) are not money here.
EXPONENTS: Final = MappingProxyType({c.code: int(c.exponent) for c in Currency if c.exponent is not None})

# Wide enough that shifting any amount by an exponent is exact; anything inexact raises instead of rounding.
_EXACT = Context(prec=60, traps=[Inexact])


class UnknownCurrencyError(MeridianError):
    """Not an ISO 4217 code with a minor unit."""


class CurrencyMismatchError(MeridianError):
    """Two currencies met in one sum; exchange is explicit and lives elsewhere."""


class InexactAmountError(MeridianError):
    """The decimal amount has more digits than the currency's minor unit, or is not a number."""


def exponent(currency: str) -> int:
    """How many decimal digits the currency's minor unit has: 2 for EUR, 0 for JPY, 3 for KWD."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrencyError(f"{currency!r} is not an ISO 4217 currency with a minor unit") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency; may be negative (a credit)."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError(f"amount_minor is an int in minor units, not {type(self.amount_minor).__name__}")
        exponent(self.currency)

    @classmethod
    def from_decimal(cls, amount: Decimal, currency: str) -> Self:
        """Exact or an error: Decimal("19.99") EUR is 1999; Decimal("19.999") EUR raises InexactAmountError."""
        if not isinstance(amount, Decimal):
            raise TypeError(f"amount is a Decimal, not {type(amount).__name__}")
        digits = exponent(currency)
        if not amount.is_finite():
            raise InexactAmountError(f"{amount} is not an amount")
        try:
            minor = _EXACT.scaleb(amount, digits).to_integral_exact(context=_EXACT)
        except Inexact:
            raise InexactAmountError(f"{amount} {currency} is not a whole number of minor units") from None
        return cls(int(minor), currency)

    def to_decimal(self) -> Decimal:
        """In major units, with exactly the currency's digits: Money(1990, "EUR") is Decimal("19.90")."""
        digits = exponent(self.currency)
        return Decimal((int(self.amount_minor < 0), Decimal(abs(self.amount_minor)).as_tuple().digits, -digits))

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatchError(f"{self.currency} and {other.currency} do not add up without an exchange")

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return self.amount_minor < other.amount_minor

    def __le__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return self.amount_minor <= other.amount_minor

    def __str__(self) -> str:
        return f"{self.to_decimal()} {self.currency}"
