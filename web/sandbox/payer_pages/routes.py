"""The payer's pages: the bank's 3-D Secure challenge, and the full-page card form for browsers without scripts.

Both hang on an unguessable id, need no cookie and no script, and end in a 303 to the merchant's return URL.
"""

import time
from datetime import UTC, datetime

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from regions.money import Money
from web.sandbox.cards.domain import TEST_CARDS, CardError, fingerprint_key, read_card
from web.sandbox.database import Conn
from web.sandbox.edge import context
from web.sandbox.edge.pages import page
from web.sandbox.edge.problems import ProblemError
from web.sandbox.payments import repository, service
from web.sandbox.payments.domain import Payment

blueprint = Blueprint("payer_pages", __name__)


@blueprint.get("/3ds/<action_id>")
def challenge(action_id: str) -> AnyResponse:
    """The bank's question. Reading it changes nothing."""
    payment = _payment(action_id)
    if _waits_for(payment, "three_ds"):
        return _page("three_ds.html", payment)
    return _go_on(payment)


@blueprint.post("/3ds/<action_id>")
def answer_challenge(action_id: str) -> AnyResponse:
    """The payer's answer, `outcome=pass` or `outcome=fail`; the first one counts."""
    outcome = request.form.get("outcome", "")
    if outcome not in {"pass", "fail"}:
        raise ProblemError(422, "invalid_request", "Answer with outcome=pass or outcome=fail.")
    settings = context.settings()
    with context.database().transaction() as connection:
        payment = _locked(connection, action_id)
        if not _waits_for(payment, "three_ds"):
            result = service.Result(payment)
        elif _is_over(payment):
            result = service.decline(connection, settings, payment, "action_expired")
        else:
            result = service.finish_challenge(connection, settings, payment, is_passed=outcome == "pass")
    return _finish(result)


@blueprint.get("/pay/<action_id>")
def card_form(action_id: str) -> AnyResponse:
    """The full-page card form. Reading it changes nothing."""
    payment = _payment(action_id)
    if _waits_for(payment, "redirect"):
        return _page("pay.html", payment, error=None, cards=TEST_CARDS.values())
    return _go_on(payment)


@blueprint.post("/pay/<action_id>")
def pay(action_id: str) -> AnyResponse:
    """Charge the typed card, or give up with `cancel`."""
    settings = context.settings()
    form = request.form
    with context.database().transaction() as connection:
        payment = _locked(connection, action_id)
        if not _waits_for(payment, "redirect"):
            result = service.Result(payment)
        elif _is_over(payment):
            result = service.decline(connection, settings, payment, "action_expired")
        elif "cancel" in form:
            result = service.decline(connection, settings, payment, "cancelled_by_payer")
        else:
            try:
                card = read_card(
                    form.get("number", ""),
                    form.get("exp_month", ""),
                    form.get("exp_year", ""),
                    form.get("cvc", ""),
                    now=datetime.now(UTC),
                    fingerprint_key=fingerprint_key(settings.control_key, payment.account),
                )
            except CardError as error:
                return _page("pay.html", payment, status=422, error=error, cards=TEST_CARDS.values())
            result = service.pay_with_card(connection, settings, payment, card)
    return _finish(result)


def _payment(action_id: str) -> Payment:
    with context.database().transaction() as connection:
        payment = repository.find_by_action(connection, action_id)
    if payment is None:
        raise ProblemError(404, "not_found", "This page does not exist, or not any more.")
    return payment


def _locked(connection: Conn, action_id: str) -> Payment:
    payment = repository.find_by_action(connection, action_id, for_update=True)
    if payment is None:
        raise ProblemError(404, "not_found", "This page does not exist, or not any more.")
    return payment


def _waits_for(payment: Payment, kind: str) -> bool:
    return payment.status == "requires_action" and payment.action_kind == kind


def _is_over(payment: Payment) -> bool:
    return payment.due_at is not None and payment.due_at <= datetime.now(UTC)


def _finish(result: service.Result) -> AnyResponse:
    if result.hold_seconds:
        time.sleep(result.hold_seconds)
    return _go_on(result.payment)


def _go_on(payment: Payment) -> AnyResponse:
    """To the payment's next page: its open action, else back to the merchant."""
    if payment.status == "requires_action":
        return redirect(payment.action_url(context.settings().base_url), 303)
    if payment.return_url is None:
        return page(context.settings(), "message.html", title="Done", text="You can close this page.")
    return redirect(payment.return_url, 303)


def _page(template: str, payment: Payment, *, status: int = 200, **values: object) -> Response:
    return page(
        context.settings(),
        template,
        status=status,
        form_target=payment.return_url,
        payment=payment,
        amount=Money(payment.amount_minor, payment.currency).to_decimal(),
        **values,
    )
