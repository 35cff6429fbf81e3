"""POST /v1/payments/{id}/captures and /voids, and look-ups by the merchant's reference."""

from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt

from web.sandbox.captures import repository, service
from web.sandbox.control.answers import answer_of
from web.sandbox.database import Conn
from web.sandbox.edge import auth, context
from web.sandbox.edge.idempotency import Answer, respond
from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.payments.schemas import Reference, require_amount

blueprint = Blueprint("captures", __name__, url_prefix="/v1")


class CaptureRequest(BaseModel):
    """Body of POST /v1/payments/{id}/captures."""

    model_config = ConfigDict(extra="forbid")

    reference: Reference
    amount_minor: StrictInt
    currency: str
    is_final: StrictBool = True


class VoidRequest(BaseModel):
    """Body of POST /v1/payments/{id}/voids."""

    model_config = ConfigDict(extra="forbid")

    reference: Reference


@blueprint.post("/payments/<payment_id>/captures")
def capture(payment_id: str) -> Response:
    """Take money that was set aside, wholly or in part."""
    account, settings, body = auth.account(), context.settings(), context.json_body()
    wish = CaptureRequest.model_validate(body)
    require_amount(wish.amount_minor, wish.currency)

    def work(connection: Conn) -> Answer:
        taken = service.capture(connection, settings, account.name, payment_id, **wish.model_dump())
        return answer_of(connection, settings, account.name, taken.document())

    return respond(account, body, work)


@blueprint.post("/payments/<payment_id>/voids")
def void(payment_id: str) -> Response:
    """Let go of money that was set aside."""
    account, settings, body = auth.account(), context.settings(), context.json_body()
    wish = VoidRequest.model_validate(body)

    def work(connection: Conn) -> Answer:
        done = service.void(connection, settings, account.name, payment_id, wish.reference)
        return answer_of(connection, settings, account.name, done.document())

    return respond(account, body, work)


@blueprint.get("/captures")
def list_captures() -> dict[str, Any]:
    """All captures under a merchant's reference."""
    account = auth.account()
    with context.database().transaction() as connection:
        found = repository.captures_by_reference(connection, account.name, _reference())
    return {"data": [one.document() for one in found], "final_after_seconds": context.settings().final_after_seconds}


@blueprint.get("/voids")
def list_voids() -> dict[str, Any]:
    """All voids under a merchant's reference."""
    account = auth.account()
    with context.database().transaction() as connection:
        found = repository.voids_by_reference(connection, account.name, _reference())
    return {"data": [one.document() for one in found], "final_after_seconds": context.settings().final_after_seconds}


def _reference() -> str:
    reference = request.args.get("reference", "")
    if not reference:
        raise InvalidFieldError("/reference", "Give the reference to look up.")
    return reference
