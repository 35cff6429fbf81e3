"""What gateways may charge: contracts, which of them holds for a line, and what it makes of an amount. Pure.

A contract names a gateway, and may name an account, method, card variant, region and currency; `*` is any. It holds
from its first day until the day before its end. Of several that fit a line the one holds that every other one contains:
it names all that they name, and more. Contracts are refused where two fit and neither contains the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from itertools import combinations
from types import MappingProxyType
from typing import Final

from regions.errors import UsageError

ANY: Final = "*"
COMPONENTS: Final = ("interchange", "scheme", "markup", "commission")
KINDS: Final = ("payment", "refund", "chargeback", "second_chargeback", "chargeback_reversal")
FREE: Final = MappingProxyType(dict.fromkeys(COMPONENTS, 0))
_MILLION = 1_000_000
_DIMENSIONS = ("account", "method", "variant", "region", "currency")


class FeeContractError(UsageError):
    """Contracts that contradict each other, or themselves; the message names them."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What of a line decides its contract; what it does not say is empty."""

    gateway: str
    account: str
    method: str
    variant: str
    region: str
    currency: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How a component is charged: a share of the amount and a fixed sum, within a minimum and a maximum."""

    percent_millionths: int = 0
    fixed_minor: int = 0
    minimum_minor: int = 0
    maximum_minor: int | None = None

    def charge_minor(self, amount_minor: int) -> int:
        """What is due on an amount, whichever way that goes, in its minor units. The share is rounded half to even."""
        due = round(Fraction(abs(amount_minor) * self.percent_millionths, _MILLION)) + self.fixed_minor
        due = max(due, self.minimum_minor)
        return due if self.maximum_minor is None else min(due, self.maximum_minor)

    @property
    def names_amounts(self) -> bool:
        """Whether there are amounts in it, which are of one currency."""
        return bool(self.fixed_minor or self.minimum_minor or self.maximum_minor is not None)


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract, by kind of line, component and currency (`*`: every other). What it does not name is free."""

    name: str
    gateway: str
    account: str = ANY
    method: str = ANY
    variant: str = ANY
    region: str = ANY
    currency: str = ANY
    valid_from: date = date.min
    valid_until: date = date.max  # it does not hold on this day any more
    terms: Mapping[tuple[str, str, str], Terms] = field(default_factory=dict)

    def fits(self, traits: Traits, on: date) -> bool:
        """Whether it holds for lines of this kind on that day, if nothing more specific does."""
        return (
            self.gateway == traits.gateway
            and self.valid_from <= on < self.valid_until
            and all(getattr(self, name) in {ANY, getattr(traits, name)} for name in _DIMENSIONS)
        )

    def expected(self, kind: str, currency: str, amount_minor: int) -> dict[str, int]:
        """What it charges on an amount, by component, in minor units."""
        charged = {}
        for component in COMPONENTS:
            own = self.terms.get((kind, component, currency)) or self.terms.get((kind, component, ANY))
            charged[component] = own.charge_minor(amount_minor) if own else 0
        return charged

    @property
    def scope(self) -> tuple[str, ...]:
        """What it names, `*` where it does not."""
        return self.gateway, *(getattr(self, name) for name in _DIMENSIONS)


class FeeBook:
    """All contracts. Raises FeeContractError if for some line two of them could hold."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.contracts: Final[Sequence[Contract]] = sorted(contracts, key=lambda one: one.name)
        self._gateways = {contract.gateway for contract in self.contracts}
        for contract in self.contracts:
            _check(contract)
        for one, other in combinations(self.contracts, 2):
            if one.name == other.name:
                raise FeeContractError(f"There are two contracts {one.name!r}")
            self._check_pair(one, other)

    def has(self, gateway: str) -> bool:
        """Whether there is any contract with a gateway: its lines are held against it then."""
        return gateway in self._gateways

    def choose(self, traits: Traits, on: date) -> Contract | None:
        """The contract that holds for such a line made on that day in the region."""
        fitting = [contract for contract in self.contracts if contract.fits(traits, on)]
        return next((one for one in fitting if all(_contains(other.scope, one.scope) for other in fitting)), None)

    def _check_pair(self, one: Contract, other: Contract) -> None:
        """Two contracts that share lines: one contains the other, or a third one decides wherever both fit."""
        since, until = max(one.valid_from, other.valid_from), min(one.valid_until, other.valid_until)
        shared = _shared(one.scope, other.scope)
        if since >= until or shared is None:
            return
        if one.scope == other.scope:
            raise FeeContractError(
                f"Contracts {one.name!r} and {other.name!r} say the same of whom they are about and both hold from "
                f"{_day(since)}{_end(until)}: end one before the other begins"
            )
        if shared in {one.scope, other.scope}:
            return
        for begin, end in self._left(shared, since, until):
            raise FeeContractError(
                f"Contracts {one.name!r} and {other.name!r} both hold for {_words(shared)} from "
                f"{_day(begin)}{_end(end)}, and neither is the more specific: add one for exactly these"
            )

    def _left(self, scope: tuple[str, ...], since: date, until: date) -> Iterator[tuple[date, date]]:
        """The days of a range on which no contract has exactly that scope."""
        for begin, end in sorted((one.valid_from, one.valid_until) for one in self.contracts if one.scope == scope):
            if begin > since:
                yield since, min(begin, until)
            since = max(since, end)
            if since >= until:
                return
        yield since, until


def _check(contract: Contract) -> None:
    if contract.gateway == ANY:
        raise FeeContractError(f"Contract {contract.name!r} names no gateway")
    if contract.valid_from >= contract.valid_until:
        raise FeeContractError(
            f"Contract {contract.name!r} ends on {contract.valid_until}, before it begins on {contract.valid_from}"
        )
    for (kind, component, currency), terms in contract.terms.items():
        what = f"Contract {contract.name!r}, {component} of {kind}"
        if kind not in KINDS or component not in COMPONENTS:
            raise FeeContractError(f"{what}: use {', '.join(COMPONENTS)} of {', '.join(KINDS)}")
        if contract.currency not in {ANY, currency} and currency != ANY:
            raise FeeContractError(f"{what}: its terms are in {currency}, but it is about {contract.currency}")
        if terms.names_amounts and currency == ANY:
            raise FeeContractError(f"{what}: names amounts, and no currency that they are in")
        amounts = (terms.percent_millionths, terms.fixed_minor, terms.minimum_minor, terms.maximum_minor or 0)
        if min(amounts) < 0:
            raise FeeContractError(f"{what}: a share or an amount is negative")
        if terms.maximum_minor is not None and terms.maximum_minor < terms.minimum_minor:
            raise FeeContractError(
                f"{what}: the maximum {terms.maximum_minor} is below the minimum {terms.minimum_minor}"
            )


def _contains(outer: Sequence[str], inner: Sequence[str]) -> bool:
    return all(one in {ANY, other} for one, other in zip(outer, inner, strict=True))


def _shared(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...] | None:
    """What both are about; None if that is nothing."""
    found = []
    for left, right in zip(one, other, strict=True):
        if ANY not in {left, right} and left != right:
            return None
        found.append(right if left == ANY else left)
    return tuple(found)


def _words(scope: Sequence[str]) -> str:
    named = zip(("gateway", *_DIMENSIONS), scope, strict=True)
    return ", ".join(f"{name} {value}" for name, value in named if value != ANY)


def _day(day: date) -> str:
    return "the beginning" if day == date.min else day.isoformat()


def _end(day: date) -> str:
    return "" if day == date.max else f" until {day.isoformat()}"
