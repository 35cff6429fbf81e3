"""GET /v1/tokens/{token}: what a merchant may know of a card before charging it."""

from typing import Any

from flask import Blueprint

from web.sandbox.cards import tokens
from web.sandbox.edge import auth, context
from web.sandbox.edge.problems import NotFoundError

blueprint = Blueprint("tokens", __name__, url_prefix="/v1/tokens")


@blueprint.get("/<token>")
def show(token: str) -> dict[str, Any]:
    """Brand, last digits and the account's fingerprint of a token's card, as long as it may be charged."""
    account = auth.account()
    with context.database().transaction() as connection:
        card = tokens.describe(connection, account.name, token)
    if card is None:
        raise NotFoundError("payment token")
    return {"token": token, "brand": card.brand, "last4": card.last4, "fingerprint": card.fingerprint}
