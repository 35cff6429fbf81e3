"""How an amount falls into parts, to the minor unit. Pure."""

from collections.abc import Sequence

from regions.errors import MeridianError


class NothingToShareError(MeridianError):
    """An amount was to be shared out among parts that are all nothing."""


def allocate(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Share an amount in proportion to weights, by the largest remainder; of equal ones the first comes first.

    The parts add up to the amount, each is within one of its exact share, and where the weights add up to the amount or
    more, none is above its weight. Raises NothingToShareError for an amount without any weight.
    """
    total = sum(weights)
    if amount_minor < 0 or any(weight < 0 for weight in weights):
        raise NothingToShareError("amounts and weights are not negative")
    if total == 0:
        if amount_minor:
            raise NothingToShareError(f"nobody takes part in {amount_minor} minor units")
        return [0] * len(weights)
    parts = [amount_minor * weight // total for weight in weights]
    remainders = [amount_minor * weight % total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-remainders[at], at))
    for at in by_remainder[: amount_minor - sum(parts)]:
        parts[at] += 1
    return parts
