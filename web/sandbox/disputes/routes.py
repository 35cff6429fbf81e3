"""GET /v1/disputes, their evidence, and giving in."""

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from web.sandbox.database import Conn
from web.sandbox.disputes import repository, service
from web.sandbox.edge import auth, context
from web.sandbox.edge.idempotency import Answer, respond
from web.sandbox.edge.problems import NotFoundError

blueprint = Blueprint("disputes", __name__, url_prefix="/v1/disputes")

EvidenceText = Annotated[str, Field(max_length=20_000)]


class ListRequest(BaseModel):
    """The query of GET /v1/disputes."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class EvidenceRequest(BaseModel):
    """Body of POST /v1/disputes/{id}/evidence."""

    model_config = ConfigDict(extra="forbid")

    evidence: dict[str, EvidenceText]


@blueprint.get("")
def list_disputes() -> dict[str, Any]:
    """Disputes, oldest first, with `has_more`."""
    account = auth.account()
    wish = ListRequest.model_validate(request.args.to_dict())
    since: datetime | None = wish.since
    with context.database().transaction() as connection:
        found = repository.page(connection, account.name, since, wish.after, wish.limit + 1)
        data = [service.show(connection, account.name, dispute) for dispute in found[: wish.limit]]
    return {"data": data, "has_more": len(found) > wish.limit}


@blueprint.get("/<dispute_id>")
def show(dispute_id: str) -> dict[str, Any]:
    """One dispute as it is now."""
    account = auth.account()
    with context.database().transaction() as connection:
        dispute = repository.find(connection, account.name, dispute_id)
        if dispute is None:
            raise NotFoundError("dispute")
        return service.show(connection, account.name, dispute)


@blueprint.post("/<dispute_id>/evidence")
def submit(dispute_id: str) -> Response:
    """Contest it, once."""
    account, settings, body = auth.account(), context.settings(), context.json_body()
    wish = EvidenceRequest.model_validate(body)

    def work(connection: Conn) -> Answer:
        return Answer(service.submit(connection, settings, account.name, dispute_id, wish.evidence), status=200)

    return respond(account, body, work)


@blueprint.post("/<dispute_id>/accept")
def accept(dispute_id: str) -> Response:
    """Give in: it is lost at once."""
    account, body = auth.account(), context.json_body()

    def work(connection: Conn) -> Answer:
        return Answer(service.decide(connection, account.name, dispute_id, "lost"), status=200)

    return respond(account, body, work)
