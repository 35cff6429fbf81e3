"""Rows as the renewals package sees them. Times are UTC; amounts are minor units."""

from dataclasses import dataclass, field
from datetime import datetime

from web.renewals.domain import PeriodStatus, Unit


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a payer has agreed to be charged for again and again."""

    id: str
    merchant_id: str
    livemode: bool
    subject_id: str | None
    payment_method_id: str | None
    refused_code: str | None
    collection: str
    amount_minor: int
    currency: str
    reference: str
    description: str | None
    period_unit: Unit
    period_count: int
    periods_max: int | None
    link_days: int
    on_unpaid: str
    mandate: str | None
    mandate_reference: str | None
    mandate_creditor_id: str | None
    starts_at: datetime
    status: str
    ended_reason: str | None
    ended_at: datetime | None
    next_number: int
    next_opens_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a renewal."""

    renewal_id: str
    number: int
    amount_minor: int
    due_at: datetime
    status: PeriodStatus
    link_id: str | None
    payment_id: str | None
    tries: int
    outages: int
    notified_at: datetime | None
    try_after: datetime
    failure_code: str | None
    link_reason: str | None
    link_expires_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class DuePeriod:
    """A period that a worker has claimed, with whose it is; `gateway` is empty without a method to charge."""

    renewal_id: str
    number: int
    merchant_id: str
    livemode: bool
    gateway: str


@dataclass(frozen=True, slots=True)
class Chargeable:
    """A saved method that may be charged, with what its payer told us when it was saved, sealed."""

    gateway: str
    gateway_saved_id: str = field(repr=False)
    method: str
    mandate_reference: str | None
    mandate_creditor_id: str | None
    subject_id: str
    locale: str
    retention_class: str
    ciphertext: str = field(repr=False)
