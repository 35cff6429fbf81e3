"""The renewals' events, as this package writes them. What merchants write freely stays in PostgreSQL."""

from datetime import datetime
from typing import Any

from regions.events import timestamp
from web import outbox
from web.db.scope import Scope
from web.renewals.models import Period, Renewal


def created(scope: Scope, renewal: Renewal) -> None:
    """`renewal.created`."""
    data = _terms(renewal) | {
        "reference": renewal.reference,
        "period_unit": renewal.period_unit.value,
        "period_count": renewal.period_count,
        "starts_at": timestamp(renewal.starts_at),
        "created_at": timestamp(renewal.created_at),
    }
    outbox.append(scope, "renewal.created", renewal.id, data)


def updated(scope: Scope, renewal: Renewal) -> None:
    """`renewal.updated`: what holds for periods that are opened from now on."""
    outbox.append(scope, "renewal.updated", renewal.id, _terms(renewal) | {"updated_at": timestamp(scope.now)})


def upcoming(scope: Scope, renewal: Renewal, period: Period, charge_after: datetime) -> None:
    """`renewal.upcoming`: the notice that the mandate asks for; nothing is charged before `charge_after`."""
    moments = {"due_at": period.due_at, "charge_after": charge_after, "notified_at": scope.now}
    named = {"mandate_reference": renewal.mandate_reference, "mandate_creditor_id": renewal.mandate_creditor_id}
    told = _present(named) | {name: timestamp(at) for name, at in moments.items()}
    _tell(scope, "renewal.upcoming", renewal, period, told)


def charge_failed(scope: Scope, renewal: Renewal, period: Period, code: str, next_try_at: datetime | None) -> None:
    """`renewal.charge_failed`: a charge has definitely failed; without `next_try_at` a link follows, or nothing."""
    data = {"payment_id": period.payment_id, "failure_code": code, "tries": period.tries}
    _tell(
        scope,
        "renewal.charge_failed",
        renewal,
        period,
        _present(data | {"next_try_at": next_try_at and timestamp(next_try_at), "failed_at": timestamp(scope.now)}),
    )


def link_ready(scope: Scope, renewal: Renewal, period: Period, reason: str, expires_at: datetime) -> None:
    """`renewal.link_ready`: the payer is to be sent the link."""
    data = {"link_id": period.link_id, "reason": reason, "expires_at": timestamp(expires_at)}
    _tell(scope, "renewal.link_ready", renewal, period, data | {"ready_at": timestamp(scope.now)})


def paid(scope: Scope, renewal: Renewal, period: Period) -> None:
    """`renewal.paid`: a period's money has come."""
    data = {"payment_id": period.payment_id, "link_id": period.link_id, "paid_at": timestamp(scope.now)}
    _tell(scope, "renewal.paid", renewal, period, data)


def unpaid(scope: Scope, renewal: Renewal, period: Period) -> None:
    """`renewal.unpaid`: a period's link has ended unpaid."""
    _tell(scope, "renewal.unpaid", renewal, period, {"link_id": period.link_id, "unpaid_at": timestamp(scope.now)})


def ended(scope: Scope, renewal: Renewal) -> None:
    """`renewal.ended`."""
    data = {"renewal_id": renewal.id, "reason": renewal.ended_reason, "ended_at": timestamp(scope.now)}
    outbox.append(scope, "renewal.ended", renewal.id, data)


def _tell(scope: Scope, name: str, renewal: Renewal, period: Period, more: dict[str, Any]) -> None:
    facts = {"renewal_id": renewal.id, "number": period.number, "amount_minor": period.amount_minor}
    outbox.append(scope, name, renewal.id, facts | {"currency": renewal.currency} | more)


def _terms(renewal: Renewal) -> dict[str, Any]:
    return _present(
        {
            "renewal_id": renewal.id,
            "subject_id": renewal.subject_id,
            "payment_method_id": renewal.payment_method_id,
            "collection": renewal.collection,
            "amount_minor": renewal.amount_minor,
            "currency": renewal.currency,
            "periods_max": renewal.periods_max,
            "mandate": renewal.mandate,
        }
    )


def _present(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
