"""POST and GET /v1/payments."""

from typing import Any

from flask import Blueprint, Response, request

from web.sandbox.database import Conn
from web.sandbox.edge import auth, context
from web.sandbox.edge.idempotency import Answer, respond
from web.sandbox.edge.problems import InvalidFieldError, NotFoundError
from web.sandbox.payments import repository, service
from web.sandbox.payments.schemas import PaymentRequest

blueprint = Blueprint("payments", __name__, url_prefix="/v1/payments")


@blueprint.post("")
def create() -> Response:
    """Charge a token, or start a redirect."""
    account, settings, body = auth.account(), context.settings(), context.json_body()
    order = PaymentRequest.model_validate(body).order()

    def work(connection: Conn) -> Answer:
        result = service.create(connection, settings, account, order)
        document = result.payment.document(settings.base_url)
        return Answer(document, hold_seconds=result.hold_seconds, is_lost=result.is_lost)

    return respond(account, body, work)


@blueprint.get("/<payment_id>")
def show(payment_id: str) -> dict[str, Any]:
    """One payment as it is now."""
    account = auth.account()
    with context.database().transaction() as connection:
        payment = repository.find(connection, account.name, payment_id)
    if payment is None:
        raise NotFoundError("payment")
    return payment.document(context.settings().base_url)


@blueprint.get("")
def list_by_reference() -> dict[str, Any]:
    """All payments under a merchant's reference: none means never charged, once `final_after_seconds` have passed."""
    account, settings = auth.account(), context.settings()
    reference = request.args.get("reference", "")
    if not reference:
        raise InvalidFieldError("/reference", "Give the reference to look up.")
    with context.database().transaction() as connection:
        payments = repository.find_by_reference(connection, account.name, reference)
    return {
        "data": [payment.document(settings.base_url) for payment in payments],
        "final_after_seconds": settings.final_after_seconds,
    }
