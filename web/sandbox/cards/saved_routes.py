"""POST and DELETE /v1/saved_methods: keep a card without charging it, and forget it."""

from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict

from web.sandbox.cards import saved, tokens
from web.sandbox.cards.scenarios import DECLINES
from web.sandbox.database import Conn
from web.sandbox.edge import auth, context
from web.sandbox.edge.idempotency import Answer, respond
from web.sandbox.edge.problems import ProblemError
from web.sandbox.payments.schemas import Reference

blueprint = Blueprint("saved_methods", __name__, url_prefix="/v1/saved_methods")


class SaveRequest(BaseModel):
    """Body of POST /v1/saved_methods."""

    model_config = ConfigDict(extra="forbid")

    payer_reference: Reference
    payment_token: str


@blueprint.post("")
def create() -> Response:
    """Ask the card's bank whether it is good, for nothing, and keep it. Raises 402 with the card's decline code."""
    account, body = auth.account(), context.json_body()
    wish = SaveRequest.model_validate(body)

    def work(connection: Conn) -> Answer:
        card = tokens.consume(connection, account.name, wish.payment_token)
        code = DECLINES.get(card.scenario)
        if code is not None:
            raise ProblemError(402, code, "The card's bank refuses it.")
        return Answer(saved.keep_card(connection, account.name, wish.payer_reference, card).document())

    return respond(account, body, work)


@blueprint.get("/<saved_id>")
def show(saved_id: str) -> dict[str, Any]:
    """One saved method that may be charged."""
    account = auth.account()
    with context.database().transaction() as connection:
        return saved.require(connection, account.name, saved_id).document()


@blueprint.delete("/<saved_id>")
def forget(saved_id: str) -> tuple[str, int]:
    """Never charge it again."""
    account = auth.account()
    with context.database().transaction() as connection:
        saved.forget(connection, account.name, saved_id)
    return "", 204
