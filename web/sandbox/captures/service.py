"""Capturing and voiding: never more than was set aside, decided under the payment's lock."""

from dataclasses import replace

from web.sandbox.captures import repository
from web.sandbox.captures.domain import Capture, Void, why_no_capture, why_no_void
from web.sandbox.database import Conn
from web.sandbox.edge.problems import NotFoundError
from web.sandbox.payments import repository as payments
from web.sandbox.payments import service as charging
from web.sandbox.payments.domain import Payment
from web.sandbox.settings import Settings
from web.sandbox.webhooks import outbox


def capture(
    connection: Conn,
    settings: Settings,
    account: str,
    payment_id: str,
    *,
    reference: str,
    amount_minor: int,
    currency: str,
    is_final: bool,
) -> Capture:
    """Take money that was set aside. A refusal is a capture that failed. Raises NotFoundError."""
    payment = _locked(connection, account, payment_id)
    failure_code = why_no_capture(payment, amount_minor, currency)
    taken = repository.insert(
        connection, payment, reference, amount_minor, currency, failure_code=failure_code, is_final=is_final
    )
    if failure_code is None:
        held = replace(payment, captured_minor=payment.captured_minor + amount_minor)
        if is_final or held.captured_minor == held.amount_minor:
            charging.settle_for_captured(connection, settings, held)
        else:
            payments.add_captured(connection, payment.id, amount_minor)
    outbox.enqueue(connection, account, f"capture.{taken.status}", taken.document())
    return taken


def void(connection: Conn, settings: Settings, account: str, payment_id: str, reference: str) -> Void:
    """Let go of money that was set aside. A refusal is a void that failed. Raises NotFoundError."""
    payment = _locked(connection, account, payment_id)
    failure_code = why_no_void(payment)
    done = repository.insert_void(connection, payment, reference, failure_code)
    if failure_code is None:
        charging.let_go(connection, settings, payment, "voided")
    outbox.enqueue(connection, account, f"void.{done.status}", done.document())
    return done


def _locked(connection: Conn, account: str, payment_id: str) -> Payment:
    payment = payments.find(connection, account, payment_id, for_update=True)
    if payment is None:
        raise NotFoundError("payment")
    return payment
