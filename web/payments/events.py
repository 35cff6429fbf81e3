"""The payments family, as this package writes it."""

from regions.events import timestamp
from regions.money import Money
from regions.vault import SealedJson
from web import outbox
from web.db.scope import Scope
from web.gateways.domain import ActionKind
from web.payments.models import Attempt, Payment


def created(scope: Scope, payment_id: str, facts: dict[str, object], payer: SealedJson | None) -> None:
    """`payment.created`, with the payer's details sealed."""
    data = {"payment_id": payment_id, **facts, "created_at": timestamp(scope.now)}
    outbox.append(scope, "payment.created", payment_id, data, payer)


def attempted(scope: Scope, payment_id: str, attempt_id: str, gateway: str, gateway_account: str) -> None:
    """`payment.attempted`: an attempt is about to be sent."""
    data = {
        "payment_id": payment_id,
        "attempt_id": attempt_id,
        "gateway": gateway,
        "gateway_account": gateway_account,
        "attempted_at": timestamp(scope.now),
    }
    outbox.append(scope, "payment.attempted", payment_id, data)


def requires_action(scope: Scope, attempt: Attempt, kind: ActionKind) -> None:
    """`payment.requires_action`: the payer has to visit the gateway."""
    data = {
        "payment_id": attempt.payment_id,
        "attempt_id": attempt.id,
        "kind": kind.value,
        "required_at": timestamp(scope.now),
    }
    outbox.append(scope, "payment.requires_action", attempt.payment_id, data)


def authorised(scope: Scope, payment: Payment, attempt: Attempt, reference: str) -> None:
    """`payment.authorised`: the money is set aside, and waits for a capture until then."""
    data = {**_subject(payment, attempt), "gateway_reference": reference, "authorised_at": timestamp(scope.now)}
    moments = (("authorised_until", payment.authorised_until), ("capture_after", payment.capture_after))
    outbox.append(
        scope, "payment.authorised", payment.id, data | {name: timestamp(at) for name, at in moments if at is not None}
    )


def voided(scope: Scope, payment: Payment, attempt: Attempt, released_minor: int, code: str) -> None:
    """`payment.voided`: what was set aside and not captured is the payer's again."""
    data = _subject(payment, attempt) | {
        "amount_minor": released_minor,
        "captured_minor": payment.captured_minor,
        "void_reason": code,
        "voided_at": timestamp(scope.now),
    }
    outbox.append(scope, "payment.voided", payment.id, data)


def succeeded(
    scope: Scope, payment: Payment, attempt: Attempt, reference: str, card_brand: str | None, *, moved: Money
) -> None:
    """`payment.succeeded`: the gateway has captured money for the first time, this much.

    A superseded payment's capture is one, and late.
    """
    data = {
        **_subject(payment, attempt),
        "amount_minor": moved.amount_minor,
        "gateway_account": attempt.gateway_account,
        "gateway_reference": reference,
        "method": attempt.method,
        "is_late": payment.is_late,
        "succeeded_at": timestamp(scope.now),
    }
    if card_brand:
        data["card_brand"] = card_brand
    outbox.append(scope, "payment.succeeded", payment.id, data)


def failed(scope: Scope, payment: Payment, attempt: Attempt, reference: str | None, code: str) -> None:
    """`payment.failed`: no money has moved and none will."""
    data = {**_subject(payment, attempt), "failure_code": code, "failed_at": timestamp(scope.now)}
    if reference:
        data["gateway_reference"] = reference
    outbox.append(scope, "payment.failed", payment.id, data)


def _subject(payment: Payment, attempt: Attempt) -> dict[str, object]:
    return {
        "payment_id": payment.id,
        "link_id": payment.link_id,
        "session_id": payment.session_id,
        "attempt_id": attempt.id,
        "gateway": attempt.gateway,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }
