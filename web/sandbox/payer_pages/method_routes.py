"""The payer's pages for the other methods: agreeing in a bank's or wallet's app, and sending a transfer."""

from types import MappingProxyType

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from regions.money import Money
from web.sandbox.edge import context
from web.sandbox.edge.problems import ProblemError
from web.sandbox.payer_pages.actions import finish, go_on, is_over, locked, seen, show, waits_on
from web.sandbox.payments import service, transfers
from web.sandbox.payments.domain import METHODS, Payment

blueprint = Blueprint("method_pages", __name__)

_NAMES = MappingProxyType(
    {
        "wallet": "Test Wallet",
        "ideal": "iDEAL · Test Bank",
        "upi": "UPI · Test Bank app",
        "sepa_debit": "SEPA direct debit mandate",
        "bank_transfer": "Bank transfer",
        "fps": "Faster payment",
    }
)


@blueprint.get("/approve/<action_id>")
def ask(action_id: str) -> AnyResponse:
    """The bank's or the wallet's question. Reading it changes nothing."""
    payment = seen(action_id)
    if waits_on(payment, "approve"):
        return show("approve.html", payment, name=_NAMES[payment.method])
    return go_on(payment)


@blueprint.post("/approve/<action_id>")
def approve(action_id: str) -> AnyResponse:
    """The payer's answer, `outcome=pass` or `outcome=fail`; the first one counts."""
    outcome = request.form.get("outcome", "")
    if outcome not in {"pass", "fail"}:
        raise ProblemError(422, "invalid_request", "Answer with outcome=pass or outcome=fail.")
    settings = context.settings()
    with context.database().transaction() as connection:
        payment = locked(connection, action_id)
        if not waits_on(payment, "approve"):
            result = service.Result(payment)
        elif is_over(payment):
            result = service.decline(connection, settings, payment, "action_expired")
        elif outcome == "fail":
            result = service.decline(connection, settings, payment, "cancelled_by_payer")
        else:
            result = service.approve(connection, settings, payment)
    return finish(result)


@blueprint.get("/transfer/<action_id>")
def instructions(action_id: str) -> AnyResponse:
    """Where to send how much, with which reference. Reading it changes nothing."""
    payment = seen(action_id)
    if not METHODS[payment.method].is_pushed:
        return go_on(payment)
    received = Money(payment.captured_minor, payment.currency).to_decimal()
    return show("transfer.html", payment, name=_NAMES[payment.method], received=received)


@blueprint.post("/transfer/<action_id>")
def send(action_id: str) -> AnyResponse:
    """What a payer does at the bank: send the amount, or another in minor units, as often as they like."""
    settings = context.settings()
    with context.database().transaction() as connection:
        payment = locked(connection, action_id)
        if not METHODS[payment.method].is_pushed:
            raise ProblemError(404, "not_found", "This page does not exist, or not any more.")
        transfers.send(connection, settings, payment, _amount_minor(payment))
    if payment.return_url is None:
        return redirect(request.path, 303)
    return redirect(payment.return_url, 303)


def _amount_minor(payment: Payment) -> int:
    typed = request.form.get("amount_minor", "").strip()
    if not typed:
        return payment.amount_minor
    if not (typed.isascii() and typed.isdigit()) or len(typed) > 12:  # noqa: PLR2004 - digits of minor units
        raise ProblemError(422, "invalid_request", "Give the amount in whole minor units.")
    return int(typed)
