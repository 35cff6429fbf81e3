"""What merchants pay the platform, by contract: plans of `contracts/pricing.toml`, and what a month's use comes to."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.money import exponent

STANDARD: Final = "standard"
MINIMUM: Final = "up to the month's minimum"
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """The rate of the volume below `up_to_minor` and above the tier before; None: all the rest."""

    up_to_minor: int | None
    millionths: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """Prices by the piece in one currency, and the least that a month comes to."""

    payment_minor: int
    refund_minor: int
    minimum_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One price list."""

    name: str
    tiers: tuple[Tier, ...]
    fixed: Mapping[str, Fixed]
    tax_millionths: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a merchant used in a month, in one currency."""

    payment_count: int
    volume_minor: int
    refund_count: int


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line: how many (or how much volume), at what price, and what that comes to before tax.

    `quantity` and `price` of a "volume" are minor units and millionths of them; of a "piece", a count and minor units.
    """

    what: str
    quantity: int
    amount_minor: int
    unit: Literal["volume", "piece"]
    price: int
    tax_millionths: int


@dataclass(frozen=True, slots=True)
class Pricing:
    """All plans, and who has which by contract."""

    plans: Mapping[str, Plan]
    contracts: Mapping[str, str]

    def plan_of(self, merchant_id: str) -> Plan:
        """The merchant's own plan, or the standard one."""
        return self.plans[self.contracts.get(merchant_id, STANDARD)]


def invoice(plan: Plan, currency: str, usage: Usage) -> list[InvoiceLine]:
    """The lines of a month's invoice, each rounded once, half-even. Raises ConfigurationError for another currency."""
    if currency not in plan.fixed:
        raise ConfigurationError(f"plan {plan.name} has no prices in {currency}: add them to pricing.toml")
    fixed, lines, below, tax = plan.fixed[currency], [], 0, plan.tax_millionths
    for tier in plan.tiers:
        top = usage.volume_minor if tier.up_to_minor is None else min(usage.volume_minor, tier.up_to_minor)
        part = max(0, top - below)
        if part:
            amount = round(Fraction(part * tier.millionths, _MILLION))
            what = f"volume at {tier.millionths / 10_000:g} %"
            lines.append(InvoiceLine(what, part, amount, "volume", tier.millionths, tax))
        below = max(below, top)
    for what, count, price in (
        ("payments", usage.payment_count, fixed.payment_minor),
        ("refunds", usage.refund_count, fixed.refund_minor),
    ):
        if count and price:
            lines.append(InvoiceLine(what, count, count * price, "piece", price, tax))
    short = fixed.minimum_minor - sum(line.amount_minor for line in lines)
    if short > 0:
        lines.append(InvoiceLine(MINIMUM, 1, short, "piece", short, tax))
    return lines


def load_pricing(path: Path = CONTRACTS / "pricing.toml") -> Pricing:
    """Read and judge the price lists. Raises ConfigurationError naming the file and the field."""
    found = tomllib.loads(path.read_text("utf-8"))
    plans = {name: _plan(path, name, table) for name, table in found.get("plans", {}).items()}
    contracts = found.get("contracts", {})
    if STANDARD not in plans:
        raise ConfigurationError(f"{path}: plans has no {STANDARD}")
    for merchant_id, name in contracts.items():
        if name not in plans:
            raise ConfigurationError(f"{path}: contracts.{merchant_id} is {name!r}, which is no plan")
    return Pricing(plans, contracts)


def _plan(path: Path, name: str, table: Mapping[str, Any]) -> Plan:
    try:
        tiers = tuple(Tier(int(one["up_to_minor"]) or None, int(one["millionths"])) for one in table["tiers"])
        fixed = {currency: Fixed(**prices) for currency, prices in table["fixed"].items()}
        tax = int(table.get("tax_millionths", 0))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: plans.{name} is not complete: {error}") from error
    ends = [tier.up_to_minor for tier in tiers]
    if (
        not ends
        or ends[-1] is not None
        or None in ends[:-1]
        or ends[:-1] != sorted(set(ends[:-1]), key=lambda e: e or 0)
    ):
        raise ConfigurationError(f"{path}: plans.{name}.tiers must rise, and the last one must have no end")
    for currency in fixed:
        exponent(currency)
    if not 0 <= tax < _MILLION:
        raise ConfigurationError(f"{path}: plans.{name}.tax_millionths must be from 0 to less than a million")
    return Plan(name, tiers, fixed, tax)
