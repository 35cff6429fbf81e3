"""What captures cost whose price depends on what the month has brought so far. No clock, no database.

Each capture is priced where the volume stands when its turn comes: it costs what the volume costs with it, less what it
cost without it. The tax is on the sum of the month's fees in the same way. So whatever the order, a month's captures
come to the same total under one plan, to the minor unit.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from regions.tiers import Rerated, Slice, rerated, slices
from web.pricing.domain import Fee, Line, Plan


@dataclass(frozen=True, slots=True)
class Month:
    """Where a merchant's month stands in one mode and currency: volume by method, and the fees charged by volume."""

    volume_minor: Mapping[str, int] = field(default_factory=dict)
    fee_minor: int = 0


@dataclass(frozen=True, slots=True)
class Priced:
    """What one capture costs, explained: the parts of it at each tier, and a flat amount."""

    fee: Fee
    before_minor: int  # the volume of the rule before it
    flat_minor: int
    slices: tuple[Slice, ...]
    rerated: Rerated | None  # what it changes for the volume before it …
    adjustment: Fee  # … and what that comes to, with tax: below zero for a credit


def price(plan: Plan, currency: str, month: Month, method: str, amount_minor: int) -> tuple[Priced, Month]:
    """Price the next capture of a month; the month as it then stands. The rule that decides is one by volume.

    Its tiers count the methods that the same rule decides about.
    """
    rule = plan.rule_for(method, currency)
    if rule is None or rule.volume is None:
        raise LookupError("a capture that no rule by volume decides about")
    volume = rule.volume
    before = sum(have for name, have in month.volume_minor.items() if plan.rule_for(name, currency) is rule)
    changed = rerated(volume.mode, volume.tiers, before, before + amount_minor)
    parts = tuple(slices(volume.mode, volume.tiers, before, before + amount_minor))
    adjusted_minor = changed.amount_minor if changed else 0
    fee_minor = volume.flat_minor + sum(part.amount_minor for part in parts)
    total_minor = month.fee_minor + adjusted_minor
    adjusted_tax_minor = plan.tax_minor(total_minor) - plan.tax_minor(month.fee_minor)
    adjustment = Fee(adjusted_minor, adjusted_tax_minor, () if changed is None else (_rerated(changed),))
    tax_minor = plan.tax_minor(total_minor + fee_minor) - plan.tax_minor(total_minor)
    fee = Fee(fee_minor, tax_minor, tuple(_lines(parts, volume.flat_minor)))
    held = {**month.volume_minor, method: month.volume_minor.get(method, 0) + amount_minor}
    then = replace(month, volume_minor=held, fee_minor=total_minor + fee_minor)
    return Priced(fee, before, volume.flat_minor, parts, changed, adjustment), then


def _lines(parts: Iterable[Slice], flat_minor: int) -> Iterator[Line]:
    for part in parts:
        rate = percent(part.millionths)
        yield Line("percent", part.amount_minor, part.tier, rate, from_minor=part.from_minor, to_minor=part.to_minor)
    if flat_minor:
        yield Line("flat", flat_minor)


def _rerated(changed: Rerated) -> Line:
    now, before = percent(changed.to_millionths), percent(changed.from_millionths)
    return Line("rerate", changed.amount_minor, None, now, before, from_minor=0, to_minor=changed.volume_minor)


def percent(millionths: int) -> str:
    """A rate as a plan writes it: "1.4"."""
    return f"{(Decimal(millionths) / 10_000).normalize():f}"
