"""The dials and the judge: /_control, for tests, demos and people. Never for the merchant."""

from datetime import date
from typing import Annotated, Any

from flask import Blueprint, request
from pydantic import BaseModel, ConfigDict, Field

from web.sandbox import books
from web.sandbox.control import faults
from web.sandbox.edge import auth, context
from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.settings import Account
from web.sandbox.settlement import service as settlement
from web.sandbox.settlement.planting import Plant

blueprint = Blueprint("control", __name__, url_prefix="/_control")
blueprint.before_request(auth.require_control)


class SettleRequest(BaseModel):
    """Body of POST /_control/settle."""

    model_config = ConfigDict(extra="forbid")

    account: str
    date: date
    plant: list[Plant] = []


class FaultsRequest(BaseModel):
    """Body of POST /_control/faults: only the dials that are to be turned. No account means all of them."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    latency_ms: Annotated[int, Field(ge=0, le=30_000)] | None = None
    timeout_after_charge_next: Annotated[int, Field(ge=0)] | None = None
    duplicate_webhooks: Annotated[int, Field(ge=0)] | None = None
    webhook_delay_ms: Annotated[int, Field(ge=0, le=3_600_000)] | None = None
    webhook_jitter_ms: Annotated[int, Field(ge=0, le=3_600_000)] | None = None
    down_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None


@blueprint.post("/settle")
def settle() -> dict[str, Any]:
    """Close an account's batch of a business day."""
    wish = SettleRequest.model_validate(context.json_body())
    account = _account(wish.account)
    with context.database().transaction() as connection:
        return settlement.close_batch(connection, account, wish.date, wish.plant)


@blueprint.get("/settle")
def show_answer_keys() -> dict[str, Any]:
    """The batches of a business day with what was planted in them."""
    wish = SettleRequest.model_validate(request.args.to_dict())
    account = _account(wish.account)
    with context.database().transaction() as connection:
        return {"data": settlement.answer_keys(connection, account, wish.date)}


@blueprint.get("/books")
def show_books() -> dict[str, Any]:
    """What this PSP really did, to judge others by."""
    account = _account(request.args.get("account", ""))
    with context.database().transaction() as connection:
        return books.of(connection, account.name)


@blueprint.route("/faults", methods=["GET", "POST"])
def turn_faults() -> dict[str, Any]:
    """Turn the dials that are named, and show all of them."""
    wish = FaultsRequest.model_validate(context.json_body() if request.method == "POST" else {})
    every = context.settings().accounts.values()
    accounts = list(every) if wish.account is None else [_account(wish.account)]
    dials = wish.model_dump(exclude={"account"}, exclude_none=True)
    with context.database().transaction() as connection:
        if dials:
            for account in accounts:
                faults.turn(connection, account.name, dials)
        return {"data": [faults.show(connection, account.name) for account in accounts]}


def _account(name: str) -> Account:
    account = context.settings().accounts.get(name)
    if account is None:
        raise InvalidFieldError("/account", f"Give one of the accounts: {', '.join(context.settings().accounts)}.")
    return account
