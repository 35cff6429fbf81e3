"""What follows when money has been taken, or what was set aside is let go: written under the locks of `Standing`."""

from dataclasses import dataclass, replace
from datetime import timedelta

from regions.ids import new_id
from regions.money import Money
from web.captures import orders as captures
from web.checkout import sessions
from web.db.scope import Scope
from web.links import service as links
from web.payments import events, journals, repository, slots
from web.payments.domain import Capacity, PaymentStatus, came_late, place_capture
from web.payments.models import Payment, Standing
from web.pricing import service as pricing
from web.refunds import service as refunds
from web.renewals import following as renewals
from web.splits import service as splits

SUPERSEDED = "superseded"
TAKEN = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that the gateway has taken: at once, or by a capture that we asked for (then with its id)."""

    moved: Money
    reference: str
    card_brand: str | None
    capture_id: str | None = None
    pending_minor: int = 0  # how much of it we were waiting for
    is_final: bool = True  # whether the rest of what was set aside is let go


def take(scope: Scope, standing: Standing, taken: Taken) -> Payment:
    """Money has been captured: it pays for the link, or goes back because something else already has."""
    payment = standing.payment
    is_first = payment.status not in TAKEN
    status = place_capture(payment.id, _capacity(standing)) if is_first else payment.status
    is_superseded = status is PaymentStatus.SUPERSEDED
    moved_minor = taken.moved.amount_minor
    pending_minor = payment.pending_capture_minor - taken.pending_minor
    left_minor = 0 if taken.is_final else max(0, payment.capturable_minor - (moved_minor - taken.pending_minor))
    paid = replace(
        payment,
        status=status,
        failure_code=None,
        failed_at=None,
        capturable_minor=left_minor,
        pending_capture_minor=pending_minor,
        captured_minor=payment.captured_minor + moved_minor,
        is_late=is_superseded or _is_late(scope, standing, taken),
        released_at=payment.released_at if left_minor or pending_minor else scope.now,
        succeeded_at=payment.succeeded_at or scope.now,
    )
    repository.save_payment(scope, paid, payment.status)
    if is_first and not is_superseded:
        _complete(scope, standing)
    if is_first:
        events.succeeded(scope, paid, standing.attempt, taken.reference, taken.card_brand, moved=taken.moved)
    journals.post_capture(scope, paid, standing.attempt.gateway, taken.moved, taken.capture_id)
    if is_superseded:
        refunds.order(scope, paid, taken.moved, SUPERSEDED, wait=timedelta(0))
        return paid
    source_id = taken.capture_id or payment.id
    if standing.splits:
        splits.share(scope, standing.splits, payment, source_id, taken.moved)
    pricing.charge(scope, payment.id, source_id, standing.attempt.method, taken.moved)
    if standing.is_renewal:
        renewals.paid(scope, paid, standing.attempt.id)
    return paid


def take_double(scope: Scope, standing: Standing, taken: Taken) -> Payment:
    """A second attempt of a payment has taken money too: that is a payment of its own, superseded, and goes back."""
    alone = _alone(scope, standing, None)
    return take(scope, replace(alone, session_winner=standing.payment.id, has_room=False), taken)


def let_go_double(scope: Scope, standing: Standing, reference: str) -> None:
    """Money is set aside for an attempt that another one followed: a payment of its own, which the worker voids.

    It keeps nobody from capturing what is set aside for the payment itself, however long its gateway is away.
    """
    alone = _alone(scope, standing, SUPERSEDED)
    events.failed(scope, alone.payment, alone.attempt, reference, SUPERSEDED)
    captures.order_void_once(scope, alone.payment, alone.attempt, SUPERSEDED)


def _alone(scope: Scope, standing: Standing, failure_code: str | None) -> Standing:
    """Give an attempt a payment of its own, in the same session and link."""
    first, attempt = standing.payment, standing.attempt
    payment_id = new_id("payment", scope.region.code)
    facts: dict[str, object] = {
        "link_id": first.link_id,
        "session_id": first.session_id,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
    }
    repository.insert_payment(scope, {"id": payment_id, **facts}, failure_code)
    repository.give_attempt(scope, attempt.id, payment_id)
    payer = repository.payer_of(scope, first.session_id)
    events.created(scope, payment_id, {**facts, "method": attempt.method}, payer)
    made = repository.lock_payment(scope, payment_id)
    if made is None:
        raise LookupError("a payment that was just made is not there")
    return replace(standing, payment=made, attempt=replace(attempt, payment_id=payment_id), is_latest=True)


def release(scope: Scope, standing: Standing, code: str) -> Payment:
    """What was set aside and not captured is the payer's again. Doing it again changes nothing."""
    payment = standing.payment
    if payment.released_at is not None:
        return payment
    is_void = payment.status not in TAKEN
    released_minor = payment.capturable_minor or payment.amount_minor - payment.captured_minor
    let_go = replace(
        payment,
        status=PaymentStatus.VOIDED if is_void else payment.status,
        failure_code=code if is_void else payment.failure_code,
        capturable_minor=0,
        released_at=scope.now,
    )
    repository.save_payment(scope, let_go, payment.status)
    if is_void:
        slots.release(scope, payment.link_id, payment.id)
    events.voided(scope, let_go, standing.attempt, released_minor, code)
    return let_go


def has_place(standing: Standing) -> bool:
    """Whether money that is set aside would pay for something, if it were captured now."""
    return place_capture(standing.payment.id, _capacity(standing)) is PaymentStatus.SUCCEEDED


def is_late(scope: Scope, standing: Standing) -> bool:
    """Whether it comes after what it pays for has ended."""
    is_expired = standing.session_status == "expired"
    return came_late(scope.now, link_expires_at=standing.link_expires_at, is_session_expired=is_expired)


def _is_late(scope: Scope, standing: Standing, taken: Taken) -> bool:
    # What we captured ourselves is as late as its authorisation was: the payer was on time.
    return is_late(scope, standing) if taken.capture_id is None else standing.payment.is_late


def _capacity(standing: Standing) -> Capacity:
    return Capacity(standing.has_room, standing.session_winner)


def _complete(scope: Scope, standing: Standing) -> None:
    payment = standing.payment
    if standing.capacity is not None:
        slots.use(scope, payment.link_id, payment.id, standing.capacity)
        if slots.used(scope, payment.link_id) >= standing.capacity:
            links.complete(scope, payment.link_id, payment.id)
    sessions.complete(scope, payment.session_id, payment.link_id, payment.id)
