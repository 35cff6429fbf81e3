"""POST /v1/payments/{id}/refunds and GET /v1/refunds."""

from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, StrictInt

from web.sandbox.control.answers import answer_of
from web.sandbox.database import Conn
from web.sandbox.edge import auth, context
from web.sandbox.edge.idempotency import Answer, respond
from web.sandbox.edge.problems import InvalidFieldError, NotFoundError
from web.sandbox.payments.schemas import Reference, require_amount
from web.sandbox.refunds import repository, service

blueprint = Blueprint("refunds", __name__, url_prefix="/v1")


class RefundRequest(BaseModel):
    """Body of POST /v1/payments/{id}/refunds."""

    model_config = ConfigDict(extra="forbid")

    reference: Reference
    amount_minor: StrictInt
    currency: str


@blueprint.post("/payments/<payment_id>/refunds")
def create(payment_id: str) -> Response:
    """Refund a payment, wholly or in part."""
    account, settings, body = auth.account(), context.settings(), context.json_body()
    wish = RefundRequest.model_validate(body)
    require_amount(wish.amount_minor, wish.currency)

    def work(connection: Conn) -> Answer:
        refund = service.create(
            connection,
            settings,
            account.name,
            payment_id,
            reference=wish.reference,
            amount_minor=wish.amount_minor,
            currency=wish.currency,
        )
        return answer_of(connection, settings, account.name, refund.document())

    return respond(account, body, work)


@blueprint.get("/refunds/<refund_id>")
def show(refund_id: str) -> dict[str, Any]:
    """One refund as it is now."""
    account = auth.account()
    with context.database().transaction() as connection:
        refund = repository.find(connection, account.name, refund_id)
    if refund is None:
        raise NotFoundError("refund")
    return refund.document()


@blueprint.get("/refunds")
def list_by_reference() -> dict[str, Any]:
    """All refunds under a merchant's reference: none means never made, once `final_after_seconds` have passed."""
    account = auth.account()
    reference = request.args.get("reference", "")
    if not reference:
        raise InvalidFieldError("/reference", "Give the reference to look up.")
    with context.database().transaction() as connection:
        refunds = repository.find_by_reference(connection, account.name, reference)
    return {
        "data": [refund.document() for refund in refunds],
        "final_after_seconds": context.settings().final_after_seconds,
    }
