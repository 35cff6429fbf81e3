"""Gateways that count some currencies in other minor units than ISO 4217. Pure; each adapter has its own table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from regions.money import Money, UnknownCurrencyError, exponent
from web.gateways.errors import GatewayDocumentError


class AmountUnsupportedError(ValueError):
    """An amount that this gateway has no way to write: it would have to be rounded."""


@dataclass(frozen=True)
class MinorUnits:
    """Where a gateway deviates: other `exponents`, and `steps` that an amount on the wire must be a multiple of."""

    exponents: Mapping[str, int]
    steps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def to_wire(self, amount: Money) -> int:
        """The gateway's number for an amount. Raises AmountUnsupportedError instead of rounding."""
        shift = self._shift(amount.currency)
        scale = _power(shift)
        if shift < 0 and amount.amount_minor % scale:
            raise AmountUnsupportedError(f"{amount.currency} has fewer digits at this gateway.")
        wire = amount.amount_minor * scale if shift >= 0 else amount.amount_minor // scale
        if wire % self.steps.get(amount.currency, 1):
            raise AmountUnsupportedError(f"{amount.currency} comes in steps at this gateway.")
        return wire

    def from_wire(self, wire: int, currency: str) -> Money:
        """The amount behind a gateway's number. Raises GatewayDocumentError for one that cannot be."""
        code = currency.upper()
        try:
            shift = self._shift(code)
            scale = _power(shift)
            if shift > 0 and wire % scale:
                raise GatewayDocumentError(f"The gateway names a part of a minor unit of {code}.")
            return Money(wire // scale if shift >= 0 else wire * scale, code)
        except UnknownCurrencyError as error:
            raise GatewayDocumentError("The gateway names a currency that does not exist.") from error

    def _shift(self, currency: str) -> int:
        return self.exponents.get(currency, exponent(currency)) - exponent(currency)


def _power(shift: int) -> int:
    return int(10 ** abs(shift))
