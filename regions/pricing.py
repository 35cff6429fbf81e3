"""What merchants pay the platform, by contract: plans of `contracts/pricing.toml`, and what a month's use comes to."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.money import exponent
from regions.tiers import Mode, Tier, are_in_order, slices

STANDARD: Final = "standard"
MINIMUM: Final = "up to the month's minimum"
_MILLION: Final = 1_000_000


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
    mode: Mode = Mode.GRADUATED


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
    fixed, tax = plan.fixed[currency], plan.tax_millionths
    lines = [
        InvoiceLine(
            f"volume at {part.millionths / 10_000:g} %",
            part.to_minor - part.from_minor,
            part.amount_minor,
            "volume",
            part.millionths,
            tax,
        )
        for part in slices(plan.mode, plan.tiers, 0, usage.volume_minor)
    ]
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
        mode = Mode(table.get("mode", Mode.GRADUATED))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: plans.{name} is not complete: {error}") from error
    if not are_in_order(tiers):
        raise ConfigurationError(f"{path}: plans.{name}.tiers must rise, and the last one must have no end")
    for currency in fixed:
        exponent(currency)
    if not 0 <= tax < _MILLION:
        raise ConfigurationError(f"{path}: plans.{name}.tax_millionths must be from 0 to less than a million")
    return Plan(name, tiers, fixed, tax, mode)
