"""The payer's pages for cards: the bank's 3-D Secure challenge, and the full-page form for browsers without scripts.

All pages hang on an unguessable id, need no cookie and no script, and end in a 303 to the merchant's return URL.
"""

from datetime import UTC, datetime

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from web.sandbox.cards.domain import TEST_CARDS, CardError, fingerprint_key, read_card
from web.sandbox.edge import context
from web.sandbox.edge.problems import ProblemError
from web.sandbox.payer_pages.actions import finish, go_on, is_over, locked, seen, show, waits_for_challenge, waits_on
from web.sandbox.payments import service

blueprint = Blueprint("payer_pages", __name__)


@blueprint.get("/3ds/<action_id>")
def challenge(action_id: str) -> AnyResponse:
    """The bank's question. Reading it changes nothing."""
    payment = seen(action_id)
    if waits_for_challenge(payment):
        return show("three_ds.html", payment)
    return go_on(payment)


@blueprint.post("/3ds/<action_id>")
def answer_challenge(action_id: str) -> AnyResponse:
    """The payer's answer, `outcome=pass` or `outcome=fail`; the first one counts."""
    outcome = request.form.get("outcome", "")
    if outcome not in {"pass", "fail"}:
        raise ProblemError(422, "invalid_request", "Answer with outcome=pass or outcome=fail.")
    settings = context.settings()
    with context.database().transaction() as connection:
        payment = locked(connection, action_id)
        if not waits_for_challenge(payment):
            result = service.Result(payment)
        elif is_over(payment):
            result = service.decline(connection, settings, payment, "action_expired")
        else:
            result = service.finish_challenge(connection, settings, payment, is_passed=outcome == "pass")
    return finish(result)


@blueprint.get("/pay/<action_id>")
def card_form(action_id: str) -> AnyResponse:
    """The full-page card form. Reading it changes nothing."""
    payment = seen(action_id)
    if waits_on(payment, "pay"):
        return show("pay.html", payment, error=None, cards=TEST_CARDS.values())
    return go_on(payment)


@blueprint.post("/pay/<action_id>")
def pay(action_id: str) -> AnyResponse:
    """Charge the typed card, or give up with `cancel`."""
    settings = context.settings()
    form = request.form
    with context.database().transaction() as connection:
        payment = locked(connection, action_id)
        if not waits_on(payment, "pay"):
            result = service.Result(payment)
        elif is_over(payment):
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
                return show("pay.html", payment, status=422, error=error, cards=TEST_CARDS.values())
            result = service.pay_with_card(connection, settings, payment, card)
    return finish(result)
