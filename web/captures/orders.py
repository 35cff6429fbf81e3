"""How captures and voids are ordered: rows first, under the payment's lock; whoever commits them sends them."""

from dataclasses import replace
from datetime import timedelta

from regions.events import timestamp
from regions.ids import new_id
from regions.money import Money
from web import outbox
from web.captures import repository
from web.captures.models import CaptureIntent, VoidIntent
from web.db.scope import Scope
from web.gateways.domain import CaptureOrder, VoidOrder
from web.payments import repository as payments
from web.payments.models import Attempt, Payment


def order_capture(scope: Scope, payment: Payment, amount: Money, *, is_final: bool, wait: timedelta) -> CaptureIntent:
    """Write a pending capture. After `wait` the worker sends it, if nobody has."""
    attempt = repository.authorised_attempt(scope, payment.id)
    if attempt is None:
        raise LookupError("no attempt of this payment is authorised")
    capture_id = new_id("capture", scope.region.code)
    repository.insert_capture(
        scope,
        {
            "id": capture_id,
            "payment_id": payment.id,
            "attempt_id": attempt["id"],
            "gateway": attempt["gateway"],
            "amount_minor": amount.amount_minor,
            "currency": amount.currency,
            "is_final": is_final,
            "resolve_after": scope.now + wait,
        },
    )
    asked = replace(
        payment,
        capturable_minor=payment.capturable_minor - amount.amount_minor,
        pending_capture_minor=payment.pending_capture_minor + amount.amount_minor,
    )
    payments.save_payment(scope, asked, payment.status)
    data = {
        "capture_id": capture_id,
        "payment_id": payment.id,
        "amount_minor": amount.amount_minor,
        "currency": amount.currency,
        "is_final": is_final,
        "created_at": timestamp(scope.now),
    }
    outbox.append(scope, "capture.created", capture_id, data)
    order = CaptureOrder(capture_id, attempt["gateway_reference"], amount, is_final)
    return CaptureIntent(attempt["gateway"], order)


def order_void(
    scope: Scope, payment_id: str, attempt_id: str, gateway: str, reference: str, reason: str, wait: timedelta
) -> VoidIntent:
    """Write a pending void. After `wait` the worker sends it, if nobody has."""
    void_id = new_id("void", scope.region.code)
    repository.insert_void(
        scope,
        {
            "id": void_id,
            "payment_id": payment_id,
            "attempt_id": attempt_id,
            "gateway": gateway,
            "reason": reason,
            "resolve_after": scope.now + wait,
        },
    )
    return VoidIntent(gateway, VoidOrder(void_id, reference))


def order_void_once(scope: Scope, payment: Payment, attempt: Attempt, reason: str) -> None:
    """Let the worker let go of money that nobody waits for, unless that was ordered before."""
    if not repository.has_void(scope, attempt.id):
        order_void(scope, payment.id, attempt.id, attempt.gateway, "", reason, timedelta(0))
