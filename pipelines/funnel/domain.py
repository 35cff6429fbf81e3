"""A funnel's counts, and how they read: shares, drop-offs and bars. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

BAR_WIDTH: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Group:
    """The sessions of one value of a dimension that reached each step, first step first."""

    value: str
    livemode: bool
    counts: tuple[int, ...]

    @property
    def conversion(self) -> float:
        """Share of the opened sessions that reached the last step, 0 to 1."""
        return share(self.counts[-1], self.counts[0])


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a group as it is drawn: shares are of the group's first step and of the step before."""

    step: str
    count: int
    of_first: float
    of_previous: float
    bar: str


def share(part: int, whole: int) -> float:
    """0 to 1; 0 of nothing."""
    return part / whole if whole else 0.0


def draw(group: Group, steps: Sequence[str], widest: int, width: int = BAR_WIDTH) -> list[Line]:
    """The group's bars; the longest of all groups (`widest` sessions) fills `width` characters."""
    before = (group.counts[0], *group.counts[:-1])
    return [
        Line(step, count, share(count, group.counts[0]), share(count, previous), bar(count, widest, width))
        for step, count, previous in zip(steps, group.counts, before, strict=True)
    ]


def bar(count: int, widest: int, width: int = BAR_WIDTH) -> str:
    """`count` in eighths of a character; anything above nothing shows."""
    eighths = round(share(count, widest) * width * 8)
    if count:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Test and live apart, the largest group first, then by name."""
    return sorted(groups, key=lambda group: (group.livemode, -group.counts[0], group.value))
