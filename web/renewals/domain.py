"""When a renewal is due, how it is charged, and what follows a failure. No clock, no database: everything comes in."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from web.gateways.declines import Reason, Retry
from web.transitions import Machine

_MONTHS = 12


class Unit(StrEnum):
    """What a period is counted in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class PeriodStatus(StrEnum):
    """Where one period's money stands."""

    DUE = "due"  # to be charged, now or later
    CHARGING = "charging"  # a payment is under way
    LINK = "link"  # the payer has a link to pay it with
    PAID = "paid"
    UNPAID = "unpaid"  # the link has ended
    CANCELLED = "cancelled"


_S = PeriodStatus
PERIOD = Machine(
    "renewal's period",
    {
        _S.DUE: frozenset({_S.CHARGING, _S.LINK, _S.PAID, _S.CANCELLED}),
        _S.CHARGING: frozenset({_S.DUE, _S.LINK, _S.PAID, _S.CANCELLED}),
        _S.LINK: frozenset({_S.PAID, _S.UNPAID, _S.CANCELLED}),
        _S.UNPAID: frozenset({_S.PAID}),  # money that came late
        _S.CANCELLED: frozenset({_S.PAID}),  # its charge was under way
        _S.PAID: frozenset(),
    },
)
OPEN_PERIODS = (_S.DUE, _S.CHARGING, _S.LINK)


class WhyLink(StrEnum):
    """Why the payer is asked to pay by a link, where no decline is the reason (then its code is)."""

    BY_LINK = "collected_by_link"  # the merchant wants it so
    NO_METHOD = "no_chargeable_method"  # none was saved, or it was deleted
    NO_MANDATE = "no_mandate"  # the region has no rules to charge it under
    ABOVE_CEILING = "above_mandate_ceiling"


class WhyEnded(StrEnum):
    """Why a renewal has ended."""

    CANCELLED = "cancelled_by_merchant"
    COMPLETED = "completed"
    UNPAID = "unpaid"
    ERASED = "payer_erased"


@dataclass(frozen=True, slots=True)
class Mandated:
    """What the law says about charging a saved method without its payer. A ceiling of 0 is none."""

    notice: timedelta
    ceiling_minor: int


@dataclass(frozen=True, slots=True)
class Policy:
    """When a failed charge is tried again."""

    retry_after: tuple[timedelta, ...]
    outage_reasons: frozenset[str]
    outage_wait: timedelta
    outage_wait_max: timedelta


@dataclass(frozen=True, slots=True)
class Asked:
    """What a period's next step depends on."""

    amount_minor: int
    due_at: datetime
    is_automatic: bool
    has_method: bool  # one that may be charged
    refused_code: str | None  # the bank has refused that method for good
    mandated: Mandated | None
    notified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Charge:
    """Charge it now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the payer first, and charge no earlier than then."""

    charge_after: datetime


@dataclass(frozen=True, slots=True)
class Present:
    """The payer gets a link."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """The charge is tried again then."""

    at: datetime


def due_at(starts_at: datetime, unit: Unit, count: int, number: int, zone: ZoneInfo) -> datetime:
    """When a period is due, the first being number 1: at the region's time of day, on a month's last day if need be."""
    local, steps = starts_at.astimezone(zone), count * (number - 1)
    match unit:
        case Unit.DAY:
            moved = local + timedelta(days=steps)
        case Unit.WEEK:
            moved = local + timedelta(weeks=steps)
        case Unit.MONTH | Unit.YEAR:
            months = steps * (_MONTHS if unit is Unit.YEAR else 1)
            year, month = divmod(local.year * _MONTHS + local.month - 1 + months, _MONTHS)
            day = min(local.day, monthrange(year, month + 1)[1])
            moved = local.replace(year=year, month=month + 1, day=day)
    return moved.astimezone(UTC)


def next_step(asked: Asked, now: datetime) -> Charge | Wait | Notify | Present:
    """What is to be done about a period that nobody has paid."""
    link = _why_link(asked)
    if link is not None:
        return Wait(asked.due_at) if now < asked.due_at else Present(link)
    notice = asked.mandated.notice if asked.mandated else timedelta(0)
    if notice and asked.notified_at is None:
        tell_at = asked.due_at - notice
        return Wait(tell_at) if now < tell_at else Notify(max(asked.due_at, now + notice))
    may_at = asked.due_at if asked.notified_at is None else max(asked.due_at, asked.notified_at + notice)
    return Wait(may_at) if now < may_at else Charge()


def after_failure(
    code: str,
    retry: Retry | None,
    *,
    tries: int,
    outages: int,
    now: datetime,
    next_due_at: datetime | None,
    policy: Policy,
) -> Again | Present:
    """What follows a charge that has definitely failed; `tries` and `outages` count it too."""
    if code in policy.outage_reasons:
        wait = min(policy.outage_wait * (1 << min(max(outages - 1, 0), 16)), policy.outage_wait_max)
        return Again(now + wait)
    if is_for_good(code, retry) or retry is Retry.WITH_AUTHENTICATION:
        return Present(code)
    if tries > len(policy.retry_after):
        return Present(code)
    at = now + policy.retry_after[tries - 1]
    return Present(code) if next_due_at is not None and at >= next_due_at else Again(at)


def is_for_good(code: str, retry: Retry | None) -> bool:
    """Whether the method is not to be charged again at all; a request that is wrong today is wrong tomorrow."""
    return retry is Retry.NEVER or code in {Reason.REJECTED_REQUEST, Reason.MANDATE_INVALID}


def mandate_reference(ulid: str, length_max: int) -> str | None:
    """The mandate's own reference, where the scheme has one of so many characters at most (0: it has none)."""
    return f"MRD-{ulid.upper()}"[:length_max] if length_max else None


def policy_of(retry_hours: Sequence[int], reasons: Sequence[str], minutes: int, minutes_max: int) -> Policy:
    """A policy from its numbers."""
    return Policy(
        tuple(timedelta(hours=hours) for hours in retry_hours),
        frozenset(reasons),
        timedelta(minutes=minutes),
        timedelta(minutes=minutes_max),
    )


def _why_link(asked: Asked) -> str | None:
    if not asked.is_automatic:
        return WhyLink.BY_LINK
    if not asked.has_method:
        return WhyLink.NO_METHOD
    if asked.refused_code is not None:
        return asked.refused_code
    if asked.mandated is None:
        return WhyLink.NO_MANDATE
    ceiling = asked.mandated.ceiling_minor
    return WhyLink.ABOVE_CEILING if ceiling and asked.amount_minor > ceiling else None
