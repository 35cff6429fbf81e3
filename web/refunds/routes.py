from flask import Blueprint, request

from web.db.scope import Scope
from web.db.steps import Settled
from web.gateways.domain import RefundAnswer
from web.http.answers import Answer
from web.http.bodies import parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.gateway_edge import GatewayWork, merchant_gateway_route
from web.http.paging import list_json
from web.http.problems import ConflictError, NotFoundError
from web.refunds import repository, service
from web.refunds.models import RefundIntent
from web.refunds.problems import RefundExceedsError
from web.refunds.schemas import CreateRefund, ListRefunds, RefundList, RefundObject, refund_json
from web.routing import service as routing
from web.wiring import wired

blueprint = Blueprint("refunds", __name__, url_prefix="/v1")


@blueprint.post("/payments/<payment_id>/refunds")
@operation(
    "Refund a payment",
    "Refunds",
    RefundObject,
    scope="refunds:write",
    status=201,
    body=CreateRefund,
    is_body_required=False,
    errors=(ConflictError, RefundExceedsError),
    headers={"Location": "The refund's own path."},
)
@merchant_gateway_route
def create_refund(payment_id: str) -> GatewayWork[RefundIntent, RefundAnswer]:
    """Give money back to a payer, all of it or a part."""
    wanted = parse_body(request, CreateRefund)
    gateways = wired().gateways

    def intend(scope: Scope) -> RefundIntent | Settled[Answer]:
        intent = service.request_refund(scope, payment_id, wanted.amount_minor, wanted.reason)
        if routing.let_through(scope.connection, intent.gateway, scope.now):
            return intent
        return Settled(_current(scope, intent.refund_id))  # it waits in the database until the gateway answers again

    return GatewayWork(
        intend=intend,
        call=lambda intent: gateways[intent.gateway].refund(intent.order),
        conclude=_conclude,
        current=_current,
    )


@blueprint.get("/refunds")
@operation("List refunds", "Refunds", RefundList, scope="refunds:read", query=ListRefunds)
@merchant_route
def list_refunds(scope: Scope) -> Answer:
    """The merchant's refunds, newest first."""
    found, has_more = repository.list_refunds(scope, parse_query(request, ListRefunds))
    return Answer(200, list_json([refund_json(refund) for refund in found], has_more=has_more))


@blueprint.get("/refunds/<refund_id>")
@operation("Retrieve a refund", "Refunds", RefundObject, scope="refunds:read")
@merchant_route
def get_refund(scope: Scope, refund_id: str) -> Answer:
    """One refund."""
    return Answer(200, _json_of(scope, refund_id))


def _conclude(scope: Scope, intent: RefundIntent, answer: RefundAnswer) -> Answer:
    service.apply_refund_outcome(scope, intent.refund_id, answer)
    return _current(scope, intent.refund_id)


def _current(scope: Scope, refund_id: str) -> Answer:
    return Answer(201, _json_of(scope, refund_id), {"Location": f"/v1/refunds/{refund_id}"})


def _json_of(scope: Scope, refund_id: str) -> dict[str, object]:
    refund = repository.get(scope, refund_id)
    if refund is None:
        raise NotFoundError("There is no such refund.")
    return refund_json(refund)
