import logging
from dataclasses import replace
from datetime import timedelta

from regions.events import timestamp
from regions.money import Money
from web import outbox
from web.captures import orders, repository
from web.captures.domain import Ask, StepStatus, next_step_status, unsupported
from web.captures.models import Capture, CaptureIntent, Void, VoidIntent
from web.captures.problems import CaptureExceedsError, CaptureUnsupportedError
from web.db.scope import Scope
from web.gateways.capabilities import Capabilities
from web.gateways.domain import Answer, CaptureAnswer, Fact, StepFact, VoidAnswer
from web.http.problems import ConflictError, NotFoundError
from web.payments import arrival
from web.payments import repository as payments
from web.payments.domain import ATTEMPT, AttemptStatus, next_attempt_status, resolve_delay
from web.payments.models import Payment, Standing

log = logging.getLogger(__name__)

# How long the process that sends a capture or a void has it to itself.
SENDER_LEASE = timedelta(seconds=30)


def request_capture(
    scope: Scope, payment_id: str, amount_minor: int | None, capabilities: dict[str, Capabilities], *, is_final: bool
) -> CaptureIntent:
    """Write a merchant's intent to capture, all that is set aside unless an amount is given.

    Raises NotFoundError, ConflictError for a payment of which nothing can be captured now, CaptureExceedsError for too
    much, CaptureUnsupportedError for what the gateway cannot do.
    """
    payment = _locked_idle(scope, payment_id)
    wanted = payment.capturable_minor if amount_minor is None else amount_minor
    ask = Ask(wanted, payment.capturable_minor, is_final)
    if not ask.is_covered:
        raise CaptureExceedsError(payment.capturable_minor, payment.currency)
    attempt = repository.authorised_attempt(scope, payment.id)
    reason = None if attempt is None else unsupported(capabilities[attempt["gateway"]], ask)
    if reason is not None:
        raise CaptureUnsupportedError(reason)
    return orders.order_capture(scope, payment, Money(wanted, payment.currency), is_final=is_final, wait=SENDER_LEASE)


def request_void(scope: Scope, payment_id: str) -> VoidIntent:
    """Write a merchant's intent to let go of what is set aside. Raises NotFoundError, ConflictError."""
    payment = _locked_idle(scope, payment_id)
    attempt = repository.authorised_attempt(scope, payment.id)
    if attempt is None:
        raise ConflictError("Nothing of this payment is set aside.")
    reference = attempt["gateway_reference"]
    return orders.order_void(scope, payment.id, attempt["id"], attempt["gateway"], reference, "voided", SENDER_LEASE)


def when_due(scope: Scope, payment_id: str, *, is_expired: bool) -> None:
    """Order what time asks for: the capture of all that is set aside, or, once that has run out, letting it go."""
    payment = payments.lock_payment(scope, payment_id)
    attempt = repository.authorised_attempt(scope, payment_id)
    if payment is None or attempt is None or not payment.capturable_minor:
        return
    if is_expired:
        reason = "authorisation_expired"
        reference = attempt["gateway_reference"]
        orders.order_void(scope, payment_id, attempt["id"], attempt["gateway"], reference, reason, timedelta(0))
    else:
        amount = Money(payment.capturable_minor, payment.currency)
        orders.order_capture(scope, payment, amount, is_final=True, wait=timedelta(0))


def apply_capture_outcome(scope: Scope, capture_id: str, answer: CaptureAnswer) -> Capture | None:
    """Write what a gateway's answer means for a capture: route, webhook and resolver end here.

    Applying the same answer again, or an older one late, changes nothing. Returns the capture as it then is, or None
    for one that this merchant does not have.
    """
    seen = repository.get_capture(scope, capture_id)
    standing = None if seen is None else payments.lock_for_outcome(scope, seen.attempt_id)
    capture = None if seen is None else repository.get_capture(scope, capture_id, is_locked=True)
    if standing is None or capture is None:
        return None
    status = _weigh(standing.payment, capture, answer)
    code = answer.code if answer.fact is StepFact.FAILED else capture.failure_code
    repository.save(
        scope,
        capture,
        status,
        answer.gateway_reference,
        None if status is StepStatus.SUCCEEDED else code,
        scope.now + resolve_delay(capture.resolve_count),
    )
    if status is not capture.status:
        if status is StepStatus.SUCCEEDED:
            _succeed(scope, standing, capture, answer.gateway_reference or capture.gateway_reference or "")
        else:
            _fail(scope, standing.payment, capture, code or "capture_failed")
    return repository.get_capture(scope, capture_id)


def apply_void_outcome(scope: Scope, void_id: str, answer: VoidAnswer) -> Void | None:
    """Write what a gateway's answer means for a void, in the same way."""
    seen = repository.get_void(scope, void_id)
    standing = None if seen is None else payments.lock_for_outcome(scope, seen.attempt_id)
    void = None if seen is None else repository.get_void(scope, void_id, is_locked=True)
    if standing is None or void is None:
        return None
    status = next_step_status(void.status, answer.fact)
    code = answer.code if answer.fact is StepFact.FAILED else void.failure_code
    repository.save(
        scope,
        void,
        status,
        answer.gateway_reference,
        None if status is StepStatus.SUCCEEDED else code,
        scope.now + resolve_delay(void.resolve_count),
    )
    if status is not void.status:
        if status is StepStatus.SUCCEEDED:
            _let_go(scope, standing, void)
        else:  # captured or run out in between, perhaps: the gateway is asked at once
            repository.ask_again(scope, void.attempt_id)
    return repository.get_void(scope, void_id)


def _locked_idle(scope: Scope, payment_id: str) -> Payment:
    """A payment that has money set aside and of which nothing is being captured or let go, locked."""
    payment = payments.lock_payment(scope, payment_id)
    if payment is None:
        raise NotFoundError("There is no such payment.")
    if payment.pending_capture_minor or repository.has_pending_void(scope, payment_id):
        raise ConflictError("A capture or a void of this payment is under way: wait for its end.")
    if not payment.capturable_minor:
        raise ConflictError("Nothing of this payment is set aside.")
    return payment


def _weigh(payment: Payment, capture: Capture, answer: CaptureAnswer) -> StepStatus:
    """Where the capture stands now. What cannot be booked stays as it is, and a person has to look."""
    if answer.moved is not None and answer.moved != capture.amount:
        log.error("gateway captured another amount than asked for", extra={"capture_id": capture.id})
        return capture.status
    status = next_step_status(capture.status, answer.fact)
    came_back = capture.status is StepStatus.FAILED and status is StepStatus.SUCCEEDED
    if (
        came_back
        and payment.captured_minor + payment.pending_capture_minor + capture.amount_minor > payment.amount_minor
    ):
        log.error("gateway made a capture after all that is no longer covered", extra={"capture_id": capture.id})
        return capture.status
    return status


def _succeed(scope: Scope, standing: Standing, capture: Capture, reference: str) -> None:
    attempt = standing.attempt
    known = Answer(Fact.CAPTURED, attempt.gateway_reference or reference, moved=capture.amount)
    status = next_attempt_status(attempt.status, Fact.CAPTURED)
    payments.save_attempt(scope, attempt, status, known, scope.now)
    data = {
        **_facts(capture),
        "gateway": capture.gateway,
        "gateway_account": attempt.gateway_account,
        "gateway_reference": reference,
        "is_final": capture.is_final,
        "succeeded_at": timestamp(scope.now),
    }
    outbox.append(scope, "capture.succeeded", capture.id, data)
    arrival.take(
        scope,
        standing,
        arrival.Taken(
            capture.amount,
            attempt.gateway_reference or reference,
            attempt.card_brand,
            capture.id,
            capture.amount_minor if capture.status is StepStatus.PENDING else 0,
            capture.is_final,
        ),
    )


def _fail(scope: Scope, payment: Payment, capture: Capture, code: str) -> None:
    is_held = payment.released_at is None
    back = replace(
        payment,
        pending_capture_minor=payment.pending_capture_minor - capture.amount_minor,
        capturable_minor=payment.capturable_minor + (capture.amount_minor if is_held else 0),
        capture_after=None,  # a person decides what comes next; the authorisation still ends by itself
    )
    payments.save_payment(scope, back, payment.status)
    repository.ask_again(scope, capture.attempt_id)
    data = {**_facts(capture), "failure_code": code, "failed_at": timestamp(scope.now)}
    outbox.append(scope, "capture.failed", capture.id, data)


def _let_go(scope: Scope, standing: Standing, void: Void) -> None:
    attempt = standing.attempt
    if ATTEMPT.allows(attempt.status, AttemptStatus.VOIDED):
        known = Answer(Fact.VOIDED, code=void.reason)
        payments.save_attempt(scope, attempt, AttemptStatus.VOIDED, known, scope.now)
    if standing.is_latest and not standing.payment.pending_capture_minor:
        arrival.release(scope, standing, void.reason)


def _facts(capture: Capture) -> dict[str, object]:
    return {
        "capture_id": capture.id,
        "payment_id": capture.payment_id,
        "amount_minor": capture.amount_minor,
        "currency": capture.currency,
    }
