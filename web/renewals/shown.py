"""Renewals as the API shows them."""

from datetime import datetime
from typing import Any

from regions.events import timestamp
from web.db.scope import Scope
from web.renewals import service
from web.renewals.domain import PeriodStatus
from web.renewals.models import Period, Renewal


def renewal_json(scope: Scope, renewal: Renewal) -> dict[str, Any]:
    """A renewal."""
    return {
        "id": renewal.id,
        "object": "renewal",
        "status": renewal.status,
        "subject_id": renewal.subject_id,
        "payment_method_id": renewal.payment_method_id,
        "refused_code": renewal.refused_code,
        "collection": renewal.collection,
        "amount_minor": renewal.amount_minor,
        "currency": renewal.currency,
        "reference": renewal.reference,
        "description": renewal.description,
        "period_unit": renewal.period_unit.value,
        "period_count": renewal.period_count,
        "periods_max": renewal.periods_max,
        "link_days": renewal.link_days,
        "on_unpaid": renewal.on_unpaid,
        "mandate": renewal.mandate,
        "mandate_reference": renewal.mandate_reference,
        "mandate_creditor_id": renewal.mandate_creditor_id,
        "starts_at": timestamp(renewal.starts_at),
        "next_due_at": _at(next_due_at(scope, renewal)),
        "ended_reason": renewal.ended_reason,
        "ended_at": _at(renewal.ended_at),
        "livemode": renewal.livemode,
        "created_at": timestamp(renewal.created_at),
    }


def period_json(renewal: Renewal, period: Period) -> dict[str, Any]:
    """One of its periods."""
    is_to_try = period.status is PeriodStatus.DUE
    return {
        "object": "renewal_period",
        "renewal_id": period.renewal_id,
        "number": period.number,
        "status": period.status.value,
        "amount_minor": period.amount_minor,
        "currency": renewal.currency,
        "due_at": timestamp(period.due_at),
        "tries": period.tries,
        "next_try_at": timestamp(period.try_after) if is_to_try else None,
        "notified_at": _at(period.notified_at),
        "failure_code": period.failure_code,
        "payment_id": period.payment_id,
        "link_id": period.link_id,
        "link_reason": period.link_reason,
        "link_expires_at": _at(period.link_expires_at),
        "finished_at": _at(period.finished_at),
    }


def next_due_at(scope: Scope, renewal: Renewal) -> datetime | None:
    """When the period that is not open yet is due; None when there is none."""
    if renewal.next_opens_at is None or renewal.status == "ended":
        return None
    return service.number_due_at(scope, renewal, renewal.next_number)


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
