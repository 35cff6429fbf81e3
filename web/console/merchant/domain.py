"""The funnel as a drawing: pure arithmetic on counts."""

from collections.abc import Sequence
from dataclasses import dataclass

BAR_WIDTH = 640  # of the drawing's own units


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel. `of_first` and `of_previous` are what shares are taken of."""

    name: str
    sessions: int
    of_first: int
    of_previous: int
    width: int  # of its bar, in the drawing's units


def funnel_steps(counts: Sequence[tuple[str, int]]) -> list[Step]:
    """Steps in their order, as wide as they are many."""
    first = counts[0][1] if counts else 0
    previous = [first, *(count for _, count in counts)]
    return [
        Step(name, count, first, before, round(BAR_WIDTH * count / first) if first else 0)
        for (name, count), before in zip(counts, previous, strict=False)
    ]
