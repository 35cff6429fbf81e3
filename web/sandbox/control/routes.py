"""The dials and the judge: /_control, for tests, demos and people. Never for the merchant."""

from datetime import date
from typing import Annotated, Any, Literal

from flask import Blueprint, request
from pydantic import BaseModel, ConfigDict, Field

from web.sandbox import books
from web.sandbox.bank import planting as bank_planting
from web.sandbox.bank import service as bank
from web.sandbox.control import faults
from web.sandbox.disputes import service as disputes
from web.sandbox.edge import auth, context
from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.payments import transfers
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


class DisputeRequest(BaseModel):
    """Body of POST /_control/disputes: whose payer complains, of how much (all that is left), answered by when."""

    model_config = ConfigDict(extra="forbid")

    account: str
    payment_id: str
    reason: str = "fraudulent"
    amount_minor: Annotated[int, Field(ge=1)] | None = None
    respond_within_seconds: Annotated[float, Field(ge=0, le=5_184_000)] | None = None


class VerdictRequest(BaseModel):
    """Body of POST /_control/disputes/{id}: what the bank says."""

    model_config = ConfigDict(extra="forbid")

    account: str
    outcome: Literal["won", "lost"]


class TransferRequest(BaseModel):
    """Body of POST /_control/transfers: a payer pushes money, the whole amount unless another is given."""

    model_config = ConfigDict(extra="forbid")

    account: str
    payment_id: str
    amount_minor: Annotated[int, Field(ge=1)] | None = None


class StatementRequest(BaseModel):
    """Body of POST /_control/statement."""

    model_config = ConfigDict(extra="forbid")

    account: str
    date: date
    plant: list[bank_planting.Plant] = []


class FaultsRequest(BaseModel):
    """Body of POST /_control/faults: only the dials that are to be turned. No account means all of them."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    latency_ms: Annotated[int, Field(ge=0, le=30_000)] | None = None
    timeout_after_charge_next: Annotated[int, Field(ge=0)] | None = None
    error_after_charge_next: Annotated[int, Field(ge=0)] | None = None
    duplicate_webhooks: Annotated[int, Field(ge=0)] | None = None
    reorder_webhooks: Annotated[int, Field(ge=0, le=1000)] | None = None
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


@blueprint.route("/statement", methods=["GET", "POST"])
def plant_in_statement() -> dict[str, Any]:
    """Put errors into the bank's statement of a day, and show what was put there."""
    document = context.json_body() if request.method == "POST" else request.args.to_dict()
    wish = StatementRequest.model_validate(document)
    account = _account(wish.account)
    with context.database().transaction() as connection:
        key = bank.plant(connection, account, wish.date, wish.plant, context.settings().payout_days)
    return {"account": account.name, "date": wish.date.isoformat(), "answer_key": key}


@blueprint.get("/books")
def show_books() -> dict[str, Any]:
    """What this PSP really did, to judge others by."""
    account = _account(request.args.get("account", ""))
    with context.database().transaction() as connection:
        return books.of(connection, account.name)


@blueprint.route("", methods=["GET", "POST"])
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


@blueprint.post("/disputes")
def dispute() -> tuple[dict[str, Any], int]:
    """Let a payer complain."""
    wish = DisputeRequest.model_validate(context.json_body())
    account = _account(wish.account)
    with context.database().transaction() as connection:
        return (
            disputes.open_by_reason(
                connection,
                context.settings(),
                account.name,
                wish.payment_id,
                reason=wish.reason,
                amount_minor=wish.amount_minor,
                respond_within_seconds=wish.respond_within_seconds,
            ),
            201,
        )


@blueprint.post("/disputes/<dispute_id>")
def decide(dispute_id: str) -> dict[str, Any]:
    """Let the bank decide a dispute."""
    wish = VerdictRequest.model_validate(context.json_body())
    account = _account(wish.account)
    with context.database().transaction() as connection:
        return disputes.decide(connection, account.name, dispute_id, wish.outcome)


@blueprint.post("/transfers")
def transfer() -> tuple[dict[str, Any], int]:
    """Let a payer push money."""
    wish = TransferRequest.model_validate(context.json_body())
    account, settings = _account(wish.account), context.settings()
    with context.database().transaction() as connection:
        sent = transfers.send_to(connection, settings, account.name, wish.payment_id, wish.amount_minor)
    return sent, 202


def _account(name: str) -> Account:
    account = context.settings().accounts.get(name)
    if account is None:
        raise InvalidFieldError("/account", f"Give one of the accounts: {', '.join(context.settings().accounts)}.")
    return account
