"""What the platform charges for captured money: flat, percentage, tiered, per method, with tax. No clock, no database.

A plan is data: {"name", "tax_percent", "rules": […]}, the first rule that fits decides. A rule may say `methods` and
`currency` that it is for, and charges `percent` and `flat_minor`, or `tiers` of both by the amount captured. With
`by_volume` its tiers are of percentages by the month's volume (`volume.py`), and `flat_minor` stands beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Self

from regions.errors import ConfigurationError
from regions.money import Money
from regions.tiers import Mode, Tier, are_in_order
from web.ledger.domain import MERCHANT_PAYABLE_PENDING, Entry

PLATFORM_FEES = "platform_fees"
TAX = "tax"
_HUNDRED = Decimal(100)
_MILLIONTHS = 10_000  # of a percent
_RULE_FIELDS = {"methods", "currency", "percent", "flat_minor", "tiers", "minimum_minor", "maximum_minor", "by_volume"}
_VOLUME_FIELDS = {"methods", "currency", "flat_minor", "tiers", "by_volume"}
_TIER_FIELDS = {"up_to_minor", "percent", "flat_minor"}


@dataclass(frozen=True)
class Rate:
    """A percentage and a flat amount. `up_to_minor`: the most that a tier is for; None for any amount."""

    percent: Decimal
    flat_minor: int
    up_to_minor: int | None = None


@dataclass(frozen=True)
class Volume:
    """Tiers by what is captured in a month, and what each capture costs beside them."""

    mode: Mode
    tiers: tuple[Tier, ...]
    flat_minor: int


@dataclass(frozen=True)
class Line:
    """A part of a fee: percent of a stretch, flat, what a minimum adds or a maximum takes off, a change of rates."""

    kind: str
    amount_minor: int
    tier: int | None = None
    percent: str | None = None
    previous_percent: str | None = None
    from_minor: int | None = None
    to_minor: int | None = None


@dataclass(frozen=True)
class Rule:
    """Rates for some methods and a currency; None means all. Tiers come in order, the last without an end."""

    rates: tuple[Rate, ...]
    methods: frozenset[str] | None = None
    currency: str | None = None
    minimum_minor: int = 0
    maximum_minor: int | None = None
    volume: Volume | None = None  # instead of rates

    def fits(self, method: str, currency: str) -> bool:
        """Whether the rule is for them."""
        return (self.methods is None or method in self.methods) and self.currency in {None, currency}

    def lines(self, amount_minor: int) -> tuple[Line, ...]:
        """How the fee without tax comes about: the lines sum to it. It is rounded half-even once."""
        number, rate = next(
            (number, rate)
            for number, rate in enumerate(self.rates, start=1)
            if rate.up_to_minor is None or amount_minor <= rate.up_to_minor
        )
        share_minor = _round(amount_minor * rate.percent / _HUNDRED)
        fee_minor = share_minor + rate.flat_minor
        least_minor = max(fee_minor, self.minimum_minor)
        most_minor = least_minor if self.maximum_minor is None else min(least_minor, self.maximum_minor)
        tier = number if len(self.rates) > 1 else None
        found = (
            Line("percent", share_minor, tier, f"{rate.percent.normalize():f}", from_minor=0, to_minor=amount_minor),
            Line("flat", rate.flat_minor, tier),
            Line("minimum", least_minor - fee_minor),
            Line("maximum", most_minor - least_minor),
        )
        return tuple(line for line in found if line.amount_minor)


@dataclass(frozen=True)
class Fee:
    """What is charged, in minor units of the captured money, and how that comes about."""

    fee_minor: int
    tax_minor: int
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A merchant's price list."""

    name: str
    rules: tuple[Rule, ...]
    tax_percent: Decimal = Decimal(0)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """A plan from its data; ConfigurationError names what is wrong with it."""
        unknown = set(document) - {"name", "tax_percent", "rules"}
        name = document.get("name")
        if unknown or not isinstance(name, str) or not name.replace("_", "a").isalnum() or name.lower() != name:
            raise ConfigurationError(
                "A pricing plan has a name (a-z, 0-9, _), rules, and tax_percent if there is a tax."
            )
        rules = document.get("rules")
        if not isinstance(rules, list) or not rules:
            raise ConfigurationError(f"Pricing plan {name}: give at least one rule.")
        read = tuple(_rule(f"Pricing plan {name}, rule {number}", rule) for number, rule in enumerate(rules, start=1))
        return cls(name, read, _percent(f"Pricing plan {name}: tax_percent", document.get("tax_percent", "0")))

    @property
    def is_by_volume(self) -> bool:
        """Whether a month's volume decides about some of it."""
        return any(rule.volume for rule in self.rules)

    def rule_for(self, method: str, currency: str) -> Rule | None:
        """The rule that decides: the first that fits."""
        return next((rule for rule in self.rules if rule.fits(method, currency)), None)

    def fee(self, method: str, captured: Money) -> Fee | None:
        """What a capture costs at once; None where no rule fits, nothing is charged, or the month's volume decides."""
        rule = self.rule_for(method, captured.currency)
        lines = () if rule is None or rule.volume else rule.lines(captured.amount_minor)
        fee_minor = sum(line.amount_minor for line in lines)
        return Fee(fee_minor, self.tax_minor(fee_minor), lines) if fee_minor else None

    def tax_minor(self, fee_minor: int) -> int:
        """The tax on a fee, rounded half-even once."""
        return _round(fee_minor * self.tax_percent / _HUNDRED)


def entries(fee: Fee, currency: str) -> tuple[Entry, ...]:
    """What a fee books: the merchant is owed less, the platform has earned it, the tax is the state's.

    A fee below zero gives that back.
    """
    booked = (
        Entry(MERCHANT_PAYABLE_PENDING, Money(fee.fee_minor + fee.tax_minor, currency)),
        Entry(PLATFORM_FEES, Money(-fee.fee_minor, currency)),
    )
    return booked if not fee.tax_minor else (*booked, Entry(TAX, Money(-fee.tax_minor, currency)))


def _rule(where: str, rule: Any) -> Rule:
    if not isinstance(rule, Mapping) or set(rule) - _RULE_FIELDS:
        raise ConfigurationError(f"{where}: its fields are {', '.join(sorted(_RULE_FIELDS))}.")
    if "by_volume" in rule:
        return _volume_rule(where, rule)
    currency = rule.get("currency")
    tiers = rule.get("tiers")
    rates = tuple(_rate(where, tier) for tier in (tiers or [rule]))
    if tiers and ("percent" in rule or "flat_minor" in rule):
        raise ConfigurationError(f"{where}: tiers say percent and flat_minor, not the rule.")
    ends = [rate.up_to_minor for rate in rates]
    bounds = [end for end in ends[:-1] if end is not None]
    if ends[-1] is not None or len(bounds) != len(ends) - 1 or bounds != sorted(set(bounds)):
        raise ConfigurationError(f"{where}: tiers rise by up_to_minor, and the last one has none.")
    is_in_minor = (
        any(rate.flat_minor for rate in rates) or len(rates) > 1 or {"minimum_minor", "maximum_minor"} & set(rule)
    )
    if is_in_minor and currency is None:
        raise ConfigurationError(f"{where}: amounts in minor units need a currency.")
    methods = rule.get("methods")
    maximum = rule.get("maximum_minor")
    return Rule(
        rates,
        None if methods is None else frozenset(methods),
        currency,
        _minor(where, rule.get("minimum_minor", 0)),
        None if maximum is None else _minor(where, maximum),
    )


def _volume_rule(where: str, rule: Mapping[str, Any]) -> Rule:
    if set(rule) - _VOLUME_FIELDS or rule["by_volume"] not in set(Mode) or not isinstance(rule.get("currency"), str):
        raise ConfigurationError(
            f"{where}: by_volume is graduated or slab, and goes with a currency, tiers, methods and flat_minor alone."
        )
    tiers = tuple(_volume_tier(where, tier) for tier in rule.get("tiers") or ())
    if not are_in_order(tiers):
        raise ConfigurationError(f"{where}: tiers rise by up_to_minor, and the last one has none.")
    methods = rule.get("methods")
    volume = Volume(Mode(rule["by_volume"]), tiers, _minor(where, rule.get("flat_minor", 0)))
    return Rule((), None if methods is None else frozenset(methods), rule["currency"], volume=volume)


def _volume_tier(where: str, tier: Any) -> Tier:
    if not isinstance(tier, Mapping) or set(tier) - {"up_to_minor", "percent"}:
        raise ConfigurationError(f"{where}: a tier by volume has up_to_minor and percent.")
    end = tier.get("up_to_minor")
    millionths = _percent(f"{where}: percent", tier.get("percent")) * _MILLIONTHS
    if millionths != int(millionths):
        raise ConfigurationError(f"{where}: a percentage by volume has four places at most.")
    return Tier(None if end is None else _minor(where, end), int(millionths))


def _rate(where: str, rate: Mapping[str, Any]) -> Rate:
    if set(rate) - _RULE_FIELDS - _TIER_FIELDS:
        raise ConfigurationError(f"{where}: a tier's fields are {', '.join(sorted(_TIER_FIELDS))}.")
    end = rate.get("up_to_minor")
    percent = _percent(f"{where}: percent", rate.get("percent", "0"))
    return Rate(percent, _minor(where, rate.get("flat_minor", 0)), None if end is None else _minor(where, end))


def _percent(where: str, text: Any) -> Decimal:
    try:
        percent = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        percent = None
    if percent is None or not percent.is_finite() or not 0 <= percent <= _HUNDRED:
        raise ConfigurationError(f"{where} is a decimal string from 0 to 100.")
    return percent


def _minor(where: str, amount: Any) -> int:
    if type(amount) is not int or amount < 0:
        raise ConfigurationError(f"{where}: minor units are whole numbers, not negative.")
    return amount


def _round(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))
