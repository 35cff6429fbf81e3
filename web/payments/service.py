import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from regions.ids import new_id
from regions.money import Money
from regions.vault import SealedJson
from web.captures import orders as captures
from web.db.scope import Scope
from web.gateways.declines import Reason
from web.gateways.domain import Answer, Authorisation, CaptureMode, Fact, Inquiry
from web.payments import arrival, events, repository, slots
from web.payments.domain import (
    AttemptStatus,
    PaymentStatus,
    next_attempt_status,
    next_payment_status,
    resolve_delay,
    weigh,
)
from web.payments.models import Attempt, Payment, Standing
from web.renewals import following as renewals
from web.saved import service as saved

log = logging.getLogger(__name__)

# How long the process that sends an attempt has it to itself; longer than all the deadlines of a gateway call together.
SENDER_LEASE = timedelta(seconds=30)
# A payer at the bank gets this long before we ask the gateway on our own.
PAYER_LEASE = timedelta(seconds=60)
# We let an authorisation go this long before the gateway would, and ask about it this long after.
BEFORE_EXPIRY = timedelta(hours=1)
AFTER_EXPIRY = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What a payer has asked for by submitting the checkout page."""

    link_id: str
    session_id: str
    amount: Money
    gateway: str
    gateway_account: str
    payment_token: str
    payer: SealedJson
    method: str = "card"
    is_sent: bool = True  # False: it fails before its attempt reaches the gateway
    routing: Mapping[str, Any] | None = None  # why it goes to that gateway
    capture: CaptureMode = CaptureMode.AUTOMATIC
    authorisation_lifetime: timedelta = timedelta(days=7)  # the gateway's


@dataclass(frozen=True, slots=True)
class Created:
    """The ids of a payment and its first attempt."""

    payment_id: str
    attempt_id: str


def create_payment(scope: Scope, new: NewPayment) -> Created:
    """Write the intent: a payment and an attempt that is about to be sent. The caller holds the session's lock."""
    payment_id, attempt_id = new_id("payment", scope.region.code), new_id("attempt", scope.region.code)
    facts: dict[str, object] = {
        "link_id": new.link_id,
        "session_id": new.session_id,
        "amount_minor": new.amount.amount_minor,
        "currency": new.amount.currency,
    }
    repository.insert_payment(scope, {"id": payment_id, **facts})
    repository.insert_attempt(
        scope,
        {
            "id": attempt_id,
            "payment_id": payment_id,
            "gateway": new.gateway,
            "gateway_account": new.gateway_account,
            "method": new.method,
            "payment_token": new.payment_token,
            "capture_mode": new.capture.value,
            "authorisation_seconds": _seconds(new.authorisation_lifetime),
            "amount_minor": new.amount.amount_minor,
            "currency": new.amount.currency,
            "resolve_after": scope.now + SENDER_LEASE,
            "routing": new.routing,
        },
    )
    events.created(scope, payment_id, {**facts, "method": new.method}, new.payer)
    if new.is_sent:
        events.attempted(scope, payment_id, attempt_id, new.gateway, new.gateway_account)
    return Created(payment_id, attempt_id)


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """Where a payment is tried again after a definite failure, and why."""

    gateway: str
    gateway_account: str
    payment_token: str
    routing: Mapping[str, Any]
    authorisation_lifetime: timedelta


# Asked after a definite failure: True when the payment's next attempt has been written, by `try_again`.
Onward = Callable[[Scope, Standing, Answer], bool]


def inquiry_about(
    attempt: Attempt, returned: Mapping[str, str] | None = None, order: Authorisation | None = None
) -> Inquiry:
    """The question what became of an attempt; `returned` is what the payer's browser brought back from the gateway."""
    amount = Money(attempt.amount_minor, attempt.currency)
    return Inquiry(attempt.id, attempt.created_at, attempt.gateway_reference, amount, order, returned or {})


def apply_outcome(
    scope: Scope, attempt_id: str, answer: Answer, not_found_after: timedelta, onward: Onward | None = None
) -> Payment | None:
    """Write what a gateway's answer means: the one place where the return page, the webhook and the resolver end.

    Applying the same answer again, or an older one late, changes nothing. Returns the payment as it then is, or None
    for an attempt that this merchant does not have. `onward` may go on with another attempt after a definite failure:
    then the payment stays open.
    """
    standing = repository.lock_for_outcome(scope, attempt_id)
    if standing is None:
        return None
    attempt = standing.attempt
    age = scope.now - attempt.created_at
    said = weigh(
        answer,
        Money(attempt.amount_minor, attempt.currency),
        known_reference=attempt.gateway_reference,
        age=age,
        not_found_after=not_found_after,
        is_manual=attempt.capture_mode is CaptureMode.MANUAL,
    )
    if said.code == "amount_mismatch":
        log.error("gateway captured another amount than asked for", extra={"attempt_id": attempt.id})
    status = next_attempt_status(attempt.status, said.fact)
    # A look-up that finds nothing proves something at one known moment: that is when the next question is worth asking.
    is_waiting_for_proof = answer.fact is Fact.NOT_FOUND and attempt.gateway_reference is None and age < not_found_after
    wait = resolve_delay(attempt.resolve_count, not_found_after - age if is_waiting_for_proof else None)
    if status is AttemptStatus.REQUIRES_ACTION:
        wait = max(wait, PAYER_LEASE)
    if status is AttemptStatus.AUTHORISED and attempt.capture_mode is CaptureMode.MANUAL:
        wait = _lifetime(attempt) + AFTER_EXPIRY
    repository.save_attempt(scope, attempt, status, said, scope.now + wait)
    saved.keep(scope, attempt.id, attempt.payment_id, said)
    return _follow(scope, standing, status, said, onward)


def _follow(scope: Scope, standing: Standing, status: AttemptStatus, said: Answer, onward: Onward | None) -> Payment:
    """What an attempt's new state means for its payment. Of one that another attempt followed, only money counts."""
    payment, attempt = standing.payment, standing.attempt
    is_set_aside = said.fact is Fact.AUTHORISED or attempt.status is AttemptStatus.AUTHORISED  # whichever came first
    if is_set_aside and status is AttemptStatus.FAILED:  # nobody waits for that money any more
        if standing.is_latest:
            captures.order_void_once(scope, payment, attempt, arrival.SUPERSEDED)
        else:
            arrival.let_go_double(scope, standing, said.gateway_reference or attempt.gateway_reference or "")
    if status is AttemptStatus.SUCCEEDED is not attempt.status and payment.status in arrival.TAKEN:
        log.error("two attempts of a payment have taken money: one goes back", extra={"attempt_id": attempt.id})
        arrival.take_double(scope, standing, _taken(attempt, said))
    is_past = not standing.is_latest and status is not AttemptStatus.SUCCEEDED
    is_unmoved = is_past or next_payment_status(payment.status, status) is payment.status
    match status:
        case _ if said.fact is Fact.VOIDED and not is_past and (payment.capturable_minor or not is_unmoved):
            let_go = arrival.release(scope, standing, said.code or Reason.VOIDED)
            _tell_renewal(scope, standing, let_go, said)
            return let_go
        case _ if is_unmoved:
            return payment
        case AttemptStatus.SUCCEEDED:
            return arrival.take(scope, standing, _taken(attempt, said))
        case AttemptStatus.FAILED:
            is_going_on = onward is not None and onward(scope, standing, said)
            return payment if is_going_on else _fail(scope, standing, said)
        case AttemptStatus.AUTHORISED:
            return _authorise(scope, standing, said)
        case _:
            return _await_payer(scope, standing, said)


def _taken(attempt: Attempt, said: Answer) -> arrival.Taken:
    reference = said.gateway_reference or attempt.gateway_reference or ""
    brand = (said.card.brand if said.card else None) or attempt.card_brand
    return arrival.Taken(Money(attempt.amount_minor, attempt.currency), reference, brand)


def _authorise(scope: Scope, standing: Standing, said: Answer) -> Payment:
    """The money is set aside: the payer is done. It waits for a capture; what has no place any more is let go."""
    payment, attempt = standing.payment, standing.attempt
    is_ours = attempt.capture_mode is CaptureMode.MANUAL
    hours = standing.capture_after_hours if is_ours else None
    held = replace(
        payment,
        status=PaymentStatus.AUTHORISED,
        capturable_minor=attempt.amount_minor if is_ours else 0,
        is_late=arrival.is_late(scope, standing),
        authorised_at=scope.now,
        authorised_until=scope.now + _lifetime(attempt) if is_ours else None,
        capture_after=None if hours is None else scope.now + timedelta(hours=hours),
    )
    repository.save_payment(scope, held, payment.status)
    events.authorised(scope, held, attempt, said.gateway_reference or attempt.gateway_reference or "")
    if is_ours and not arrival.has_place(standing):
        captures.order_void_once(scope, held, attempt, arrival.SUPERSEDED)
    return held


def _fail(scope: Scope, standing: Standing, said: Answer) -> Payment:
    """A definite failure: the slot is free again, and the payer may retry."""
    payment, attempt = standing.payment, standing.attempt
    code = said.code or "card_declined"
    lost = replace(payment, status=PaymentStatus.FAILED, failure_code=code, failed_at=scope.now, capturable_minor=0)
    repository.save_payment(scope, lost, payment.status)
    slots.release(scope, payment.link_id, payment.id)
    events.failed(scope, lost, attempt, said.gateway_reference or attempt.gateway_reference, code)
    _tell_renewal(scope, standing, lost, said)
    return lost


def _tell_renewal(scope: Scope, standing: Standing, payment: Payment, said: Answer) -> None:
    """A period that was to be paid with this payment goes another way."""
    if standing.is_renewal and payment.status in {PaymentStatus.FAILED, PaymentStatus.VOIDED}:
        renewals.failed(scope, payment, said)


def try_again(scope: Scope, standing: Standing, following: NextAttempt) -> str:
    """Write a payment's next attempt, to be sent; the slot stays held. The table takes one open attempt at a time."""
    payment, attempt_id = standing.payment, new_id("attempt", scope.region.code)
    repository.insert_attempt(
        scope,
        {
            "id": attempt_id,
            "payment_id": payment.id,
            "gateway": following.gateway,
            "gateway_account": following.gateway_account,
            "method": standing.attempt.method,
            "payment_token": following.payment_token,
            "capture_mode": standing.attempt.capture_mode.value,
            "authorisation_seconds": _seconds(following.authorisation_lifetime),
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "resolve_after": scope.now + SENDER_LEASE,
            "routing": following.routing,
        },
    )
    events.attempted(scope, payment.id, attempt_id, following.gateway, following.gateway_account)
    return attempt_id


def _await_payer(scope: Scope, standing: Standing, said: Answer) -> Payment:
    """The gateway wants the payer to come by; the slot stays held."""
    waiting = replace(standing.payment, status=PaymentStatus.REQUIRES_ACTION)
    repository.save_payment(scope, waiting, standing.payment.status)
    if said.action is not None:
        events.requires_action(scope, standing.attempt, said.action.kind)
    return waiting


def _seconds(lifetime: timedelta) -> int:
    return int((lifetime - BEFORE_EXPIRY).total_seconds())


def _lifetime(attempt: Attempt) -> timedelta:
    return timedelta(seconds=attempt.authorisation_seconds)
