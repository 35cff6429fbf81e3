"""What all pages of payers share: finding the payment behind an unguessable id, and where the payer goes next."""

import time
from datetime import UTC, datetime

from flask import Response, redirect
from werkzeug.wrappers import Response as AnyResponse

from regions.money import Money
from web.sandbox.database import Conn
from web.sandbox.edge import context
from web.sandbox.edge.pages import page
from web.sandbox.edge.problems import ProblemError
from web.sandbox.payments import repository, service
from web.sandbox.payments.domain import METHODS, Payment


def seen(action_id: str) -> Payment:
    """The payment, to be shown. Raises ProblemError 404."""
    with context.database().transaction() as connection:
        payment = repository.find_by_action(connection, action_id)
    return _there(payment)


def locked(connection: Conn, action_id: str) -> Payment:
    """The payment, locked. Raises ProblemError 404."""
    return _there(repository.find_by_action(connection, action_id, for_update=True))


def waits_for_challenge(payment: Payment) -> bool:
    """Whether its bank's question is open."""
    return payment.status == "requires_action" and payment.action_kind == "three_ds"


def waits_on(payment: Payment, folder: str) -> bool:
    """Whether its payer is to agree on this page."""
    is_asked = payment.status == "requires_action" and payment.action_kind == "redirect"
    return is_asked and METHODS[payment.method].page == folder


def is_over(payment: Payment) -> bool:
    """Whether the payer comes too late, though the clock has not said so yet."""
    return payment.due_at is not None and payment.due_at <= datetime.now(UTC)


def finish(result: service.Result) -> AnyResponse:
    """On with the payer, late or not at all if a card or dial wants that."""
    if result.hold_seconds:
        time.sleep(result.hold_seconds)
    if result.is_lost:
        raise ProblemError(500, "internal_error", "Something went wrong on our side.")
    return go_on(result.payment)


def go_on(payment: Payment) -> AnyResponse:
    """To the payment's next page: its open action, else back to the merchant."""
    if payment.status == "requires_action":
        return redirect(payment.action_url(context.settings().base_url), 303)
    if payment.return_url is None:
        return page(context.settings(), "message.html", title="Done", text="You can close this page.")
    return redirect(payment.return_url, 303)


def show(template: str, payment: Payment, *, status: int = 200, **values: object) -> Response:
    """A page about a payment."""
    return page(
        context.settings(),
        template,
        status=status,
        form_target=payment.return_url,
        payment=payment,
        amount=Money(payment.amount_minor, payment.currency).to_decimal(),
        **values,
    )


def _there(payment: Payment | None) -> Payment:
    if payment is None:
        raise ProblemError(404, "not_found", "This page does not exist, or not any more.")
    return payment
