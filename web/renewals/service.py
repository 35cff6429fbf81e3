"""How merchants make, change and end renewals, and how time opens their periods."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from regions.ids import new_id, parse_id
from web.db.scope import Scope
from web.http.bodies import field_error
from web.http.problems import ConflictError, FieldError, InvalidTermsError, NotFoundError
from web.links import service as links
from web.links.domain import LIFETIME_MAX
from web.renewals import events, repository
from web.renewals.domain import PeriodStatus, Unit, WhyEnded, due_at, mandate_reference
from web.renewals.models import Renewal
from web.renewals.schemas import CreateRenewal, UpdateRenewal


def create(scope: Scope, wanted: CreateRenewal) -> Renewal:
    """Make a renewal. Raises InvalidFieldsError or InvalidTermsError."""
    if wanted.currency not in scope.region.currencies:
        names = ", ".join(scope.region.currencies)
        raise field_error("currency", f"must be one of {names} in region {scope.region.code}")
    starts_at = wanted.starts_at or scope.now
    if not scope.now <= starts_at <= scope.now + LIFETIME_MAX:
        raise _refusal("starts_at", f"must not be in the past, and within {LIFETIME_MAX.days} days")
    bare = Renewal(
        id=new_id("renewal", scope.region.code),
        merchant_id=scope.merchant_id,
        livemode=scope.livemode,
        subject_id=None,
        payment_method_id=None,
        refused_code=None,
        collection=wanted.collection,
        amount_minor=wanted.amount_minor,
        currency=wanted.currency,
        reference=wanted.reference,
        description=wanted.description,
        period_unit=Unit(wanted.period_unit),
        period_count=wanted.period_count,
        periods_max=wanted.periods_max,
        link_days=wanted.link_days,
        on_unpaid=wanted.on_unpaid,
        mandate=None,
        mandate_reference=None,
        mandate_creditor_id=None,
        starts_at=starts_at,
        status="active",
        ended_reason=None,
        ended_at=None,
        next_number=1,
        next_opens_at=starts_at,
        created_at=scope.now,
    )
    renewal = charging(scope, bare, wanted.payment_method_id)
    renewal = replace(renewal, next_opens_at=_opens_at(scope, renewal, starts_at))
    repository.insert(scope, renewal)
    events.created(scope, renewal)
    return renewal


def update(scope: Scope, renewal_id: str, wanted: UpdateRenewal) -> Renewal:
    """Change what the next periods cost, how they are charged and when they end. Raises ConflictError and others.

    A method that the merchant names is tried again, whatever a bank has said of the one before.
    """
    renewal = get(scope, renewal_id, is_locked=True)
    if renewal.status == "ended":
        raise ConflictError("The renewal has ended: make a new one.")
    given = wanted.model_fields_set
    names = given & {"amount_minor", "description", "collection", "periods_max"}
    changed = replace(renewal, **{name: getattr(wanted, name) for name in names})
    if changed.periods_max is not None and changed.periods_max < renewal.next_number - 1:
        raise _refusal("periods_max", f"is less than the {renewal.next_number - 1} that were opened")
    if "payment_method_id" in given:
        changed = charging(scope, changed, wanted.payment_method_id)
    if changed == renewal:
        return renewal
    changed = replace(changed, next_opens_at=_next_opens_at(scope, changed))
    repository.save(scope, changed)
    events.updated(scope, changed)
    return end_if_over(scope, changed)


def get(scope: Scope, renewal_id: str, *, is_locked: bool = False) -> Renewal:
    """One renewal of the merchant; raises NotFoundError."""
    renewal = repository.get(scope, renewal_id, is_locked=is_locked)
    if renewal is None:
        raise NotFoundError("There is no such renewal.")
    return renewal


def end(scope: Scope, renewal_id: str, why: WhyEnded) -> Renewal:
    """End a renewal, and the links of its open periods; ending it again changes nothing. Raises NotFoundError.

    A charge that is under way ends by itself: its money is booked, its failure is not tried again.
    """
    get(scope, renewal_id)
    for seen in repository.periods(scope, renewal_id, only_open=True):
        if seen.link_id is not None and links.get(scope, seen.link_id, is_locked=True).status == "active":
            links.deactivate(scope, seen.link_id)
        period = repository.get_period(scope, renewal_id, seen.number, is_locked=True)
        if period.status in {PeriodStatus.DUE, PeriodStatus.LINK}:
            repository.move(scope, period, PeriodStatus.CANCELLED, finished_at=scope.now)
    return finish(scope, get(scope, renewal_id, is_locked=True), why)


def finish(scope: Scope, renewal: Renewal, why: WhyEnded) -> Renewal:
    """Mark a locked renewal as ended, if it is not."""
    if renewal.status == "ended":
        return renewal
    ended = replace(renewal, status="ended", ended_reason=why.value, ended_at=scope.now, next_opens_at=None)
    repository.save(scope, ended)
    events.ended(scope, ended)
    return ended


def end_if_over(scope: Scope, renewal: Renewal) -> Renewal:
    """End a locked renewal of which nothing more will come."""
    is_last = renewal.periods_max is not None and renewal.next_number > renewal.periods_max
    if not is_last or repository.periods(scope, renewal.id, only_open=True):
        return renewal
    return finish(scope, renewal, WhyEnded.COMPLETED)


def open_next(scope: Scope, renewal: Renewal) -> None:
    """Open a locked renewal's next period; the one after it waits for its time."""
    repository.open_period(scope, renewal, number_due_at(scope, renewal, renewal.next_number))
    following = replace(renewal, next_number=renewal.next_number + 1)
    repository.save(scope, replace(following, next_opens_at=_next_opens_at(scope, following)))


def end_unpaid(scope: Scope, renewal_id: str, number: int) -> None:
    """A locked period's link has ended and nobody has paid."""
    period = repository.get_period(scope, renewal_id, number, is_locked=True)
    renewal = get(scope, renewal_id, is_locked=True)
    if period.status is not PeriodStatus.LINK:
        return
    over = repository.move(scope, period, PeriodStatus.UNPAID, finished_at=scope.now)
    events.unpaid(scope, renewal, over)
    if renewal.on_unpaid == "end":
        finish(scope, renewal, WhyEnded.UNPAID)
    else:
        end_if_over(scope, renewal)


def charging(scope: Scope, renewal: Renewal, payment_method_id: str | None) -> Renewal:
    """The renewal with another method to charge, under the mandate of its kind. Raises InvalidTermsError."""
    if payment_method_id is None:
        nothing: dict[str, Any] = dict.fromkeys(("mandate", "mandate_reference", "mandate_creditor_id"))
        return replace(renewal, payment_method_id=None, refused_code=None, **nothing)
    method = repository.chargeable(scope, payment_method_id)
    if method is None:
        raise _refusal("payment_method_id", "is no payment method that can be charged")
    if renewal.subject_id not in {None, method.subject_id}:
        raise _refusal("payment_method_id", "is another payer's")
    mandate = scope.region.mandate_of(method.method)
    if mandate is None:
        raise _refusal("payment_method_id", f"is a {method.method}, which region {scope.region.code} never charges")
    return replace(
        renewal,
        subject_id=method.subject_id,
        payment_method_id=payment_method_id,
        refused_code=None,
        mandate=mandate.scheme,
        mandate_reference=method.mandate_reference
        or mandate_reference(parse_id(renewal.id).ulid, mandate.reference_length_max),
        mandate_creditor_id=method.mandate_creditor_id or mandate.creditor_id,
    )


def number_due_at(scope: Scope, renewal: Renewal, number: int) -> datetime:
    """When a renewal's period of that number is due."""
    return due_at(renewal.starts_at, renewal.period_unit, renewal.period_count, number, scope.region.tz)


def _refusal(name: str, detail: str) -> InvalidTermsError:
    return InvalidTermsError([FieldError(f"/{name}", detail)])


def _next_opens_at(scope: Scope, renewal: Renewal) -> datetime | None:
    if renewal.periods_max is not None and renewal.next_number > renewal.periods_max:
        return None
    return _opens_at(scope, renewal, number_due_at(scope, renewal, renewal.next_number))


def _opens_at(scope: Scope, renewal: Renewal, due: datetime) -> datetime:
    """Early enough for the notice that the mandate asks for."""
    schemes = {mandate.scheme: mandate.notice_hours for mandate in scope.region.mandates}
    return due - timedelta(hours=schemes.get(renewal.mandate or "", 0))
