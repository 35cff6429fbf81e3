"""The numbers of one region, as each part of the platform counts them. Amounts in minor units."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Book:
    """What was captured and refunded in one currency."""

    captured_count: int = 0
    captured_minor: int = 0
    refunded_count: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, order=True)
class Break:
    """A difference between a settlement report and us: as it was planted, or as reconciliation found it."""

    kind: str
    psp_reference: str


@dataclass(frozen=True)
class Funnel:
    """Checkout sessions that got at least this far, ever."""

    opened: int = 0
    submitted: int = 0
    completed: int = 0


@dataclass(frozen=True)
class Traded:
    """What the region's database says. `events` counts each event id; `still_open` is of this run only."""

    links: Counter[str] = field(default_factory=Counter)
    sessions: Counter[str] = field(default_factory=Counter)
    payments: Counter[str] = field(default_factory=Counter)
    refunds: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    books: Mapping[str, Book] = field(default_factory=dict)
    clearing: Mapping[str, int] = field(default_factory=dict)
    suspense: Mapping[str, int] = field(default_factory=dict)
    bank_clearing: Mapping[str, int] = field(default_factory=dict)
    funnel: Funnel = field(default_factory=Funnel)
    still_open: int = 0


@dataclass(frozen=True)
class Reported:
    """What the lake and the published warehouse say."""

    events: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
    payments: Counter[str] = field(default_factory=Counter)
    books: Mapping[str, Book] = field(default_factory=dict)
    funnel: Funnel = field(default_factory=Funnel)
    lines: int = 0
    money_lines: int = 0  # payments, refunds and unknown types: those that reconciliation must explain
    matched_lines: int = 0
    breaks: Counter[Break] = field(default_factory=Counter)
    breaks_with_line: int = 0
    unexplained_minor: Mapping[str, int] = field(default_factory=dict)
    open_minor: Mapping[str, int] = field(default_factory=dict)  # booked, and settled by nothing yet
    unnamed_minor: Mapping[str, int] = field(default_factory=dict)  # settled, and explained by nothing of ours
    under_way_minor: Mapping[str, int] = field(default_factory=dict)  # settled, and not yet arrived at the bank


@dataclass(frozen=True)
class Judged:
    """What the simulated PSP says: the judge of what was charged, and the only one who knows what was planted."""

    books: Mapping[str, Book] = field(default_factory=dict)
    doubled: Sequence[str] = ()  # our references that it charged or refunded more than once
    planted: Counter[Break] = field(default_factory=Counter)
    lines: int = 0


@dataclass(frozen=True)
class Figures:
    """All three views of one region."""

    region: str
    traded: Traded
    reported: Reported
    judged: Judged
