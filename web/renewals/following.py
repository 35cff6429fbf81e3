"""What a payment's end means for the period that it was to pay: written in the payment's own transaction, last."""

from dataclasses import replace

from web.db.scope import Scope
from web.gateways.domain import Answer
from web.payments.models import Payment
from web.renewals import events, presenting, repository, service
from web.renewals.domain import Again, PeriodStatus, after_failure, is_for_good
from web.renewals.models import Renewal
from web.renewals.policy import load_policy


def paid(scope: Scope, payment: Payment, attempt_id: str) -> None:
    """Money has come for a link: the period that the link pays is paid, by whomever it was."""
    period = repository.lock_by_link(scope, payment.link_id)
    if period is None or period.status is PeriodStatus.PAID:
        return
    renewal = service.get(scope, period.renewal_id, is_locked=True)
    if period.payment_id == payment.id and renewal.refused_code == period.failure_code is not None:
        renewal = replace(renewal, refused_code=None)  # the charge that was refused for good has gone after all
        repository.save(scope, renewal)
    told = repository.move(
        scope, period, PeriodStatus.PAID, payment_id=payment.id, failure_code=None, finished_at=scope.now
    )
    events.paid(scope, renewal, told)
    service.end_if_over(scope, _with_saved(scope, renewal, attempt_id))


def failed(scope: Scope, payment: Payment, said: Answer) -> None:
    """A payment has definitely failed: if it was our charge, it is tried again later, or the payer gets a link."""
    period = repository.lock_by_link(scope, payment.link_id)
    if period is None or period.payment_id != payment.id or period.status is not PeriodStatus.CHARGING:
        return  # the payer's own try on the page, or old news
    renewal = service.get(scope, period.renewal_id, is_locked=True)
    code, policy = payment.failure_code or said.code or "card_declined", load_policy()
    is_outage = code in policy.outage_reasons
    counted = replace(period, tries=period.tries + (not is_outage), outages=period.outages + is_outage)
    then = after_failure(
        code,
        said.retry,
        tries=counted.tries,
        outages=counted.outages,
        now=scope.now,
        next_due_at=service.number_due_at(scope, renewal, period.number + 1),
        policy=policy,
    )
    if renewal.status == "ended":
        events.charge_failed(scope, renewal, counted, code, None)
        repository.move(scope, counted, PeriodStatus.CANCELLED, failure_code=code, finished_at=scope.now)
    elif isinstance(then, Again):
        events.charge_failed(scope, renewal, counted, code, then.at)
        repository.move(scope, counted, PeriodStatus.DUE, failure_code=code, try_after=then.at)
    else:
        events.charge_failed(scope, renewal, counted, code, None)
        if is_for_good(code, said.retry):
            renewal = replace(renewal, refused_code=code)
            repository.save(scope, renewal)
        presenting.present(scope, renewal, replace(counted, failure_code=code), then.reason)


def _with_saved(scope: Scope, renewal: Renewal, attempt_id: str) -> Renewal:
    """A payer who has agreed to be charged again while paying the link is charged on that from now on."""
    found = repository.saved_by(scope, attempt_id)
    if found is None or renewal.collection != "automatic" or renewal.subject_id not in {None, found[1]}:
        return renewal
    changed = service.charging(scope, renewal, found[0])
    repository.save(scope, changed)
    events.updated(scope, changed)
    return changed
