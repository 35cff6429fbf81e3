"""Retention rules: how long data of a class must and may be kept, what happens then, and which law says so."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, Self

from regions.toml_reader import TomlReader

_PERIOD: Final = re.compile(r"P(?!$)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?")
_MONTHS_A_YEAR: Final = 12


class Trigger(StrEnum):
    """What starts the clock."""

    PAYMENT_FINAL = "payment_final"  # the last movement of money of the payment
    PAYMENT_WITHOUT_MONEY = "payment_without_money"  # the last try that moved none
    YEAR_OF_BOOKING_ENDED = "year_of_booking_ended"
    SESSION_CLOSED = "session_closed"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    MESSAGE_PROCESSED = "message_processed"
    DISPUTE_CLOSED = "dispute_closed"
    RELATIONSHIP_ENDED = "relationship_ended"  # of the merchant with us
    WRITTEN = "written"


class Action(StrEnum):
    """What happens when the clock has run out."""

    DELETE = "delete"
    DESTROY_KEY = "destroy_key"  # rows stay, what they sealed is gone
    NULL_TOKENS = "null_tokens"


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period, `P8Y`, `P13M`, `P1Y6M`, `P90D`. Periods have no order of their own: a month has no length."""

    months: int
    days: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From ISO 8601 years, months and days; None when it is something else."""
        match = _PERIOD.fullmatch(text)
        if match is None:
            return None
        years, months, days = (int(part or 0) for part in match.groups())
        return cls(years * _MONTHS_A_YEAR + months, days)

    def after(self, day: date) -> date:
        """The day on which the period ends that starts on `day`. 31 January and a month is the last of February."""
        months = day.year * _MONTHS_A_YEAR + day.month - 1 + self.months
        year, month = divmod(months, _MONTHS_A_YEAR)
        last = calendar.monthrange(year, month + 1)[1]
        return date(year, month + 1, min(day.day, last)) + timedelta(days=self.days)

    def may_exceed(self, other: "Period") -> bool:
        """Whether there is a day from which this period ends later than the other one: tries four years of days."""
        if self.months <= other.months and self.days <= other.days:
            return False
        start = date(2023, 1, 1)
        days = (start + timedelta(days=offset) for offset in range(4 * 365 + 1))
        return any(self.after(day) > other.after(day) for day in days)


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Keep `data_class` for at least `minimum` and at most `maximum` after `trigger`, then do `action`."""

    data_class: str
    trigger: Trigger
    minimum: Period
    maximum: Period
    action: Action
    legal_basis: str
    source: str


@cache
def data_classes() -> dict[str, str]:
    """Every data class and what it holds."""
    reader = TomlReader.open(Path(__file__).parent / "contracts" / "data_classes.toml")
    table = reader.table("classes")
    reader.finish()
    classes = {}
    for name in table.names():
        entry = table.table(name)
        classes[name] = entry.text("description")
        entry.finish()
    return classes


def read_rules(region: TomlReader) -> tuple[RetentionRule, ...]:
    """The `[[retention]]` tables of a region: every data class has a rule, and no (class, trigger) has two."""
    rules = tuple(_read_rule(table) for table in region.tables("retention"))
    for name in sorted(set(data_classes()) - {rule.data_class for rule in rules}):
        region.refuse("retention", f"has no rule for the data class {name}")
    pairs = [(rule.data_class, rule.trigger) for rule in rules]
    for data_class, trigger in pairs:
        if pairs.count((data_class, trigger)) > 1:
            region.refuse("retention", f"has two rules for {data_class} after {trigger}")
    return rules


def _read_rule(table: TomlReader) -> RetentionRule:
    rule = RetentionRule(
        data_class=table.text("data_class", choices=data_classes()),
        trigger=Trigger(table.text("trigger", choices=list(Trigger))),
        minimum=_read_period(table, "min"),
        maximum=_read_period(table, "max"),
        action=Action(table.text("action", choices=list(Action))),
        legal_basis=table.text("legal_basis"),
        source=table.text("source", pattern=r"https://\S+"),
    )
    if rule.minimum.may_exceed(rule.maximum):
        table.refuse("min", "is above max: the data would have to be kept and gone at once")
    table.finish()
    return rule


def _read_period(table: TomlReader, name: str) -> Period:
    text = table.text(name)
    period = Period.parse(text)
    if period is None:
        table.refuse(name, f"is {text!r}: write a period such as P8Y, P13M or P90D")
    return period
