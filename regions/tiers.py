"""Prices by volume: what a stretch of a month's volume costs, in tiers. One definition, for fees and invoices. Pure.

`graduated`: each part of the volume at its own tier's rate. `slab`: all of it at the rate of the tier that it reaches.
Everything is a difference of two totals, each rounded once, half-even. So however a volume comes about, in whatever
pieces, its pieces cost together exactly what it costs as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

_MILLION: Final = 1_000_000


class Mode(StrEnum):
    """How tiers price a volume."""

    GRADUATED = "graduated"
    SLAB = "slab"


@dataclass(frozen=True, slots=True)
class Tier:
    """The rate of the volume up to `up_to_minor` and above the tier before; None: all the rest."""

    up_to_minor: int | None
    millionths: int


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of the volume at one tier (from 1), and what it costs. Stretches of no length are none."""

    tier: int
    from_minor: int
    to_minor: int
    millionths: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Rerated:
    """A volume that was priced at one slab's rate and now is at another's; below zero, `amount_minor` is a credit."""

    volume_minor: int
    from_millionths: int
    to_millionths: int
    amount_minor: int


def are_in_order(tiers: Sequence[Tier]) -> bool:
    """Whether tiers rise from above zero, and the last one alone has no end."""
    ends = [tier.up_to_minor for tier in tiers[:-1]]
    found = [end for end in ends if end is not None]
    rises = all(low < high for low, high in zip([0, *found], found, strict=False))
    return bool(tiers) and tiers[-1].up_to_minor is None and found == ends and rises


def slices(mode: Mode, tiers: Sequence[Tier], before_minor: int, after_minor: int) -> list[Slice]:
    """What the volume from `before_minor` to `after_minor` costs, tier by tier. In slabs: at the last one's rate."""
    if after_minor <= before_minor:
        return []
    if mode is Mode.SLAB:
        number = _reached(tiers, after_minor)
        return [_slice(number, tiers[number], 0, before_minor, after_minor)]
    found, below = [], 0
    for number, tier in enumerate(tiers):
        end = after_minor if tier.up_to_minor is None else min(after_minor, tier.up_to_minor)
        if end > max(below, before_minor):
            found.append(_slice(number, tier, below, max(below, before_minor), end))
        below = end if tier.up_to_minor is None else tier.up_to_minor
    return found


def rerated(mode: Mode, tiers: Sequence[Tier], before_minor: int, after_minor: int) -> Rerated | None:
    """What the volume so far costs more or less, once more volume takes it to another slab; None where nothing does."""
    if mode is not Mode.SLAB or before_minor <= 0:
        return None
    old = tiers[_reached(tiers, before_minor)].millionths
    new = tiers[_reached(tiers, after_minor)].millionths
    amount_minor = _cost(before_minor, new) - _cost(before_minor, old)
    return Rerated(before_minor, old, new, amount_minor) if old != new else None


def total_minor(mode: Mode, tiers: Sequence[Tier], volume_minor: int) -> int:
    """What a month's volume costs in all."""
    return sum(part.amount_minor for part in slices(mode, tiers, 0, volume_minor))


def _reached(tiers: Sequence[Tier], volume_minor: int) -> int:
    return next(n for n, tier in enumerate(tiers) if tier.up_to_minor is None or volume_minor <= tier.up_to_minor)


def _slice(number: int, tier: Tier, base_minor: int, from_minor: int, to_minor: int) -> Slice:
    amount = _cost(to_minor - base_minor, tier.millionths) - _cost(from_minor - base_minor, tier.millionths)
    return Slice(number + 1, from_minor, to_minor, tier.millionths, amount)


def _cost(volume_minor: int, millionths: int) -> int:
    return round(Fraction(volume_minor * millionths, _MILLION))
