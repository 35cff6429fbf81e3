"""The card frame: it lives on this origin, so the page around it never sees a card, only a token."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from web.sandbox.cards import tokens
from web.sandbox.cards.domain import TEST_CARDS, CardError, fingerprint_key, read_card
from web.sandbox.control import faults
from web.sandbox.edge import context
from web.sandbox.edge.pages import page
from web.sandbox.edge.problems import InvalidFieldError, ProblemError
from web.sandbox.settings import Account

blueprint = Blueprint("cards", __name__, url_prefix="/frame")


@blueprint.get("")
def frame() -> Response:
    """The card fields, for embedding by the account's own site only."""
    account = _account(request.args.get("account", ""))
    parent = request.args.get("parent", "")
    if parent != account.parent_origin:
        raise ProblemError(400, "parent_not_allowed", "This card frame may not be embedded by this site.")
    return page(context.settings(), "frame.html", account=account.name, parent=parent, cards=TEST_CARDS.values())


@blueprint.post("/tokens")
def create_token() -> tuple[dict[str, Any], int]:
    """Exchange a card for a token. Needs no key: a token is worth nothing without the account's."""
    fields = _fields()
    account = _account(fields["account"])
    faults.obey(account.name)
    settings = context.settings()
    try:
        card = read_card(
            fields["number"],
            fields["exp_month"],
            fields["exp_year"],
            fields["cvc"],
            now=datetime.now(UTC),
            fingerprint_key=fingerprint_key(settings.control_key, account.name),
        )
    except CardError as error:
        raise InvalidFieldError(f"/{error.field}", error.text, error.code) from None
    with context.database().transaction() as connection:
        token = tokens.issue(connection, account.name, card, settings.token_seconds)
    return {"token": token, "brand": card.brand, "last4": card.last4}, 201


def _fields() -> dict[str, str]:
    source = context.json_body() if request.is_json else request.form
    names = ("account", "number", "exp_month", "exp_year", "cvc")
    return {name: str(source.get(name, "")) for name in names}


def _account(name: str) -> Account:
    account = context.settings().accounts.get(name)
    if account is None:
        raise InvalidFieldError("/account", "There is no such account.")
    return account
