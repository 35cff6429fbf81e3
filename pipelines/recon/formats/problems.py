"""What is wrong with a file, each with its line, and what was counted while it was read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PROBLEMS_MAX = 10_000  # more are counted, not kept


class Severity(StrEnum):
    """An error means that the file cannot be trusted; a warning, that somebody should know."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` is None for what concerns the whole file."""

    line: int | None
    code: str
    message: str
    severity: Severity = Severity.ERROR

    def sentence(self, name: str) -> str:
        """For people, with the name of the file."""
        return f"{name}, line {self.line}: {self.message}" if self.line else f"{name}: {self.message}"


@dataclass(slots=True)
class Tally:
    """How many lines of one type and currency, and what they add up to in minor units (credit positive)."""

    count: int = 0
    sum_minor: int = 0
    fees_minor: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs together and must foot by itself: a batch, payout or statement in one currency.

    `difference_minor` is None where the file has nothing to hold the lines against.
    """

    id: str
    account: str | None
    currency: str
    line_count: int
    sum_minor: int
    difference_minor: int | None
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Findings:
    """What reading one file has found so far. Ordered; the dicts are used as ordered sets."""

    format: str = ""
    version: str | None = None
    details: dict[str, str | int] = field(default_factory=dict)  # encoding, separator, …
    accounts: dict[str, None] = field(default_factory=dict)
    ids: dict[str, None] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    gross: dict[tuple[str, str], Tally] = field(default_factory=dict)  # by the currency that payers paid in
    totals: dict[tuple[str, str], Tally] = field(default_factory=dict)
    line_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    error_count: int = 0
    warning_count: int = 0

    def refuse(self, line: int | None, code: str, message: str) -> None:
        """Something for which the file is refused."""
        self.error_count += 1
        self._keep(Problem(line, code, message))

    def note(self, line: int | None, code: str, message: str) -> None:
        """Something that somebody should know."""
        self.warning_count += 1
        self._keep(Problem(line, code, message, Severity.WARNING))

    def count(self, kind: str, currency: str, amount_minor: int, fees_minor: int = 0) -> None:
        """One more line of that type and currency."""
        tally = self.totals.setdefault((kind, currency), Tally())
        tally.count += 1
        tally.sum_minor += amount_minor
        tally.fees_minor += fees_minor
        self.line_count += 1

    def count_gross(self, kind: str, currency: str, amount_minor: int) -> None:
        """What the line moved before fees, in the payer's currency."""
        tally = self.gross.setdefault((kind, currency), Tally())
        tally.count += 1
        tally.sum_minor += amount_minor

    def errors(self) -> list[Problem]:
        """What the file is refused for."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    def _keep(self, problem: Problem) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)
