"""Which data must or may go on a day, which must stay, and why. Pure: facts in, decisions out.

A legal hold wins over everything. Nothing goes before every minimum that applies has passed. A request moves the end
from the maximum to the minimum, never further.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from regions.retention import Action, RetentionRule, Trigger

SUBJECT = "subject"  # the dataset of holdings that are a person's, wherever they lie


@dataclass(frozen=True, slots=True)
class Holding:
    """Data of one class that stays or goes as one: what we hold of a subject, or one row of a table.

    `clock` has the day of each trigger that has happened, in the region's time zone. `is_open`: something with it is
    still under way. `merchant_id` is None for rows that belong to no merchant.
    """

    data_class: str
    dataset: str
    key: tuple[str, ...]
    subject_id: str | None
    merchant_id: str | None
    clock: Mapping[Trigger, date]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class LegalHold:
    """What must not go. Without a subject it covers the merchant, without either the region; without a class, all."""

    id: str
    subject_id: str | None = None
    merchant_id: str | None = None
    data_class: str | None = None

    def covers(self, holding: Holding) -> bool:
        """Whether the hold keeps this. Rows that name no merchant or subject might be anybody's: they are kept too."""
        if self.data_class is not None and self.data_class != holding.data_class:
            return False
        if self.subject_id is not None:
            return holding.subject_id is None or holding.subject_id == self.subject_id
        return self.merchant_id is None or holding.merchant_id is None or holding.merchant_id == self.merchant_id


class Why(StrEnum):
    """Why something goes, or stays."""

    REQUEST = "request"  # goes: its subject asked, and every minimum has passed
    MAXIMUM = "maximum"  # goes: nobody may keep it any longer
    HOLD = "hold"  # stays: a legal hold
    OPEN = "open"  # stays: a payment is under way, or a gateway is yet to forget
    MINIMUM = "minimum"  # stays: the law keeps it until a day
    NO_RULE = "no_rule"  # stays: nothing has happened that starts a rule's clock
    NOT_DUE = "not_due"  # stays: nobody asked, and its time has not come


GOES = frozenset({Why.REQUEST, Why.MAXIMUM})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a holding: which rule decided, the first day on which it may go, by which hold or request."""

    holding: Holding
    why: Why
    rule: RetentionRule | None = None
    until: date | None = None
    by: str | None = None

    @property
    def goes(self) -> bool:
        """Whether it goes."""
        return self.why in GOES

    @property
    def action(self) -> Action:
        """What is done to it; only for what goes."""
        if self.rule is None:
            raise ValueError("nothing is done to what no rule has decided about")
        return self.rule.action


def judge(
    holding: Holding,
    rules: Sequence[RetentionRule],
    holds: Sequence[LegalHold],
    requests: Mapping[str, str],
    day: date,
) -> Verdict:
    """Decide about one holding. `requests` maps each subject that asked to be erased to its request."""
    for hold in holds:
        if hold.covers(holding):
            return Verdict(holding, Why.HOLD, by=hold.id)
    if holding.is_open:
        return Verdict(holding, Why.OPEN)
    started = [
        (rule, holding.clock[rule.trigger])
        for rule in rules
        if rule.data_class == holding.data_class and rule.trigger in holding.clock
    ]
    if not started:
        return Verdict(holding, Why.NO_RULE)
    return _by_the_clock(holding, started, requests, day)


def _by_the_clock(
    holding: Holding, started: Sequence[tuple[RetentionRule, date]], requests: Mapping[str, str], day: date
) -> Verdict:
    """Several clocks may run for one key: whoever must keep longest decides."""
    may_go, keeping = max(((rule.minimum.after(on), rule) for rule, on in started), key=_end_then_trigger)
    must_go, ending = max(((rule.maximum.after(on), rule) for rule, on in started), key=_end_then_trigger)
    if day >= must_go:
        return Verdict(holding, Why.MAXIMUM, ending, must_go)
    request = None if holding.subject_id is None else requests.get(holding.subject_id)
    if request is None:
        return Verdict(holding, Why.NOT_DUE, ending, must_go)
    if day >= may_go:
        return Verdict(holding, Why.REQUEST, keeping, may_go, request)
    return Verdict(holding, Why.MINIMUM, keeping, may_go, request)


def _end_then_trigger(pair: tuple[date, RetentionRule]) -> tuple[date, str]:
    """Two rules that end on one day are told apart, so that a plan is always the same."""
    return pair[0], pair[1].trigger


@dataclass(frozen=True, slots=True)
class Decisions:
    """What goes, and what was asked for or is overdue and yet stays. Both in a fixed order."""

    going: tuple[Verdict, ...]
    staying: tuple[Verdict, ...]


def decide(
    holdings: Iterable[Holding],
    rules: Sequence[RetentionRule],
    holds: Sequence[LegalHold],
    requests: Mapping[str, str],
    day: date,
) -> Decisions:
    """Judge every holding. What merely is not due is not worth telling."""
    ordered = sorted(holdings, key=lambda holding: (holding.data_class, holding.dataset, holding.key))
    verdicts = [judge(holding, rules, holds, requests, day) for holding in ordered]
    return Decisions(
        tuple(verdict for verdict in verdicts if verdict.goes),
        tuple(verdict for verdict in verdicts if not verdict.goes and _is_worth_telling(verdict, rules, requests, day)),
    )


def _is_worth_telling(verdict: Verdict, rules: Sequence[RetentionRule], requests: Mapping[str, str], day: date) -> bool:
    if verdict.holding.subject_id in requests:
        return True
    settled = replace(verdict.holding, is_open=False)
    return verdict.why in {Why.HOLD, Why.OPEN} and judge(settled, rules, (), {}, day).why is Why.MAXIMUM
