import logging
from datetime import timedelta

from regions.events import timestamp
from regions.ids import new_id
from regions.money import Money
from web import outbox
from web.db.scope import Scope
from web.gateways.domain import RefundAnswer, RefundOrder, StepFact
from web.http.problems import ConflictError, NotFoundError
from web.payments import journals
from web.payments import repository as payments
from web.payments.domain import resolve_delay
from web.payments.models import Payment
from web.refunds import repository
from web.refunds.domain import Balance, RefundStatus, next_refund_status
from web.refunds.models import Refund, RefundIntent
from web.refunds.problems import RefundExceedsError
from web.splits import service as splits

log = logging.getLogger(__name__)

# How long the process that sends a refund has it to itself.
SENDER_LEASE = timedelta(seconds=30)


def request_refund(scope: Scope, payment_id: str, amount_minor: int | None, reason: str | None) -> RefundIntent:
    """Write a merchant's intent to refund, all that is refundable unless an amount is given.

    Raises NotFoundError, ConflictError for a payment that holds no money, RefundExceedsError for too much.
    """
    payment = payments.lock_payment(scope, payment_id)
    if payment is None:
        raise NotFoundError("There is no such payment.")
    if payment.captured_minor == 0:
        raise ConflictError("The payment has not succeeded: there is nothing to refund.")
    balance = payment.balance
    wanted = balance.refundable_minor if amount_minor is None else amount_minor
    if not balance.covers(wanted):
        raise RefundExceedsError(balance.refundable_minor, payment.currency)
    return order(scope, payment, Money(wanted, payment.currency), reason, wait=SENDER_LEASE)


def order(scope: Scope, payment: Payment, amount: Money, reason: str | None, wait: timedelta) -> RefundIntent:
    """Write a pending refund, under the payment's lock. After `wait` the worker sends it, if nobody has."""
    capture = repository.capture_of(scope, payment.id)
    refund_id = new_id("refund", scope.region.code)
    repository.insert(
        scope,
        {
            "id": refund_id,
            "payment_id": payment.id,
            "gateway": capture["gateway"],
            "amount_minor": amount.amount_minor,
            "currency": amount.currency,
            "reason": reason,
            "resolve_after": scope.now + wait,
        },
    )
    repository.move_balance(scope, payment.id, pending=amount.amount_minor)
    data = {**_facts(refund_id, payment.id, amount), "created_at": timestamp(scope.now)}
    outbox.append(scope, "refund.created", refund_id, data if reason is None else {**data, "reason": reason})
    return RefundIntent(refund_id, capture["gateway"], RefundOrder(refund_id, capture["gateway_reference"], amount))


def apply_refund_outcome(scope: Scope, refund_id: str, answer: RefundAnswer) -> Refund | None:
    """Write what a gateway's answer means for a refund: route, webhook and resolver end here.

    Applying the same answer again, or an older one late, changes nothing. Returns the refund as it then is, or None for
    one that this merchant does not have.
    """
    payment_id = repository.payment_of(scope, refund_id)
    payment = None if payment_id is None else payments.lock_payment(scope, payment_id)
    if payment is None:
        return None
    refund = repository.lock(scope, refund_id)
    status = _weigh(refund, answer, payment.balance)
    code = answer.code if status is RefundStatus.FAILED and answer.fact is StepFact.FAILED else refund.failure_code
    repository.save(
        scope,
        refund,
        status,
        answer.gateway_reference,
        None if status is RefundStatus.SUCCEEDED else code,
        scope.now + resolve_delay(refund.resolve_count),
    )
    if status is not refund.status:
        if status is RefundStatus.SUCCEEDED:
            _succeed(scope, payment, refund, answer.gateway_reference or refund.gateway_reference or "")
        else:
            _fail(scope, payment, refund, code or "refund_failed")
    return repository.get(scope, refund_id)


def _weigh(refund: Refund, answer: RefundAnswer, balance: Balance) -> RefundStatus:
    """Where the refund stands now. What cannot be booked stays as it is, and a person has to look."""
    if answer.moved is not None and answer.moved != refund.amount:
        log.error("gateway refunded another amount than asked for", extra={"refund_id": refund.id})
        return refund.status
    status = next_refund_status(refund.status, answer.fact)
    came_back = refund.status is RefundStatus.FAILED and status is RefundStatus.SUCCEEDED
    if came_back and refund.amount_minor > balance.kept_minor:
        log.error("gateway made a refund after all that is no longer covered", extra={"refund_id": refund.id})
        return refund.status
    return status


def _succeed(scope: Scope, payment: Payment, refund: Refund, reference: str) -> None:
    freed = refund.amount_minor if refund.status is RefundStatus.PENDING else 0
    repository.move_balance(scope, payment.id, pending=-freed, refunded=refund.amount_minor)
    capture = repository.capture_of(scope, payment.id)
    data = {
        **_facts(refund.id, payment.id, refund.amount),
        "gateway": refund.gateway,
        "gateway_account": capture["gateway_account"],
        "gateway_reference": reference,
        "succeeded_at": timestamp(scope.now),
    }
    outbox.append(scope, "refund.succeeded", refund.id, data)
    journals.post_refund(scope, payment, refund.gateway, refund.id, refund.amount)
    splits.take_back(scope, payment, refund.id, refund.amount)


def _fail(scope: Scope, payment: Payment, refund: Refund, code: str) -> None:
    repository.move_balance(scope, payment.id, pending=-refund.amount_minor)
    data = {**_facts(refund.id, payment.id, refund.amount), "failure_code": code, "failed_at": timestamp(scope.now)}
    outbox.append(scope, "refund.failed", refund.id, data)


def _facts(refund_id: str, payment_id: str, amount: Money) -> dict[str, object]:
    return {
        "refund_id": refund_id,
        "payment_id": payment_id,
        "amount_minor": amount.amount_minor,
        "currency": amount.currency,
    }
