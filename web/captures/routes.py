from flask import Blueprint, request

from web.captures import repository, service
from web.captures.models import CaptureIntent, VoidIntent
from web.captures.problems import CaptureExceedsError, CaptureUnsupportedError
from web.captures.schemas import (
    CaptureList,
    CaptureObject,
    CreateCapture,
    ListCaptures,
    VoidObject,
    capture_json,
    void_json,
)
from web.db.scope import Scope
from web.gateways.domain import CaptureAnswer, VoidAnswer
from web.http.answers import Answer
from web.http.bodies import NoFields, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.gateway_edge import GatewayWork, merchant_gateway_route
from web.http.paging import list_json
from web.http.problems import ConflictError, NotFoundError
from web.wiring import wired

blueprint = Blueprint("captures", __name__, url_prefix="/v1")


@blueprint.post("/payments/<payment_id>/capture")
@operation(
    "Capture a payment",
    "Captures",
    CaptureObject,
    scope="payments:write",
    status=201,
    body=CreateCapture,
    is_body_required=False,
    errors=(ConflictError, CaptureExceedsError, CaptureUnsupportedError),
    headers={"Location": "The capture's own path."},
)
@merchant_gateway_route
def create_capture(payment_id: str) -> GatewayWork[CaptureIntent, CaptureAnswer]:
    """Take money that is set aside, all of it or a part. For links with `capture_method` manual."""
    wanted = parse_body(request, CreateCapture)
    gateways = wired().gateways
    able = {name: gateway.capabilities for name, gateway in gateways.items()}
    return GatewayWork(
        intend=lambda scope: service.request_capture(
            scope, payment_id, wanted.amount_minor, able, is_final=wanted.is_final
        ),
        call=lambda intent: gateways[intent.gateway].capture(intent.order),
        conclude=_conclude_capture,
        current=_current_capture,
    )


@blueprint.post("/payments/<payment_id>/void")
@operation(
    "Void a payment",
    "Captures",
    VoidObject,
    scope="payments:write",
    status=201,
    body=NoFields,
    is_body_required=False,
    errors=(ConflictError,),
)
@merchant_gateway_route
def create_void(payment_id: str) -> GatewayWork[VoidIntent, VoidAnswer]:
    """Let go of money that is set aside. What was captured already stays; refund it instead."""
    parse_body(request, NoFields)
    gateways = wired().gateways
    return GatewayWork(
        intend=lambda scope: service.request_void(scope, payment_id),
        call=lambda intent: gateways[intent.gateway].void(intent.order),
        conclude=_conclude_void,
        current=_current_void,
    )


@blueprint.get("/captures")
@operation("List captures", "Captures", CaptureList, scope="payments:read", query=ListCaptures)
@merchant_route
def list_captures(scope: Scope) -> Answer:
    """The merchant's captures, newest first."""
    found, has_more = repository.list_captures(scope, parse_query(request, ListCaptures))
    return Answer(200, list_json([capture_json(capture) for capture in found], has_more=has_more))


@blueprint.get("/captures/<capture_id>")
@operation("Retrieve a capture", "Captures", CaptureObject, scope="payments:read")
@merchant_route
def get_capture(scope: Scope, capture_id: str) -> Answer:
    """One capture."""
    capture = repository.get_capture(scope, capture_id)
    if capture is None:
        raise NotFoundError("There is no such capture.")
    return Answer(200, capture_json(capture))


@blueprint.get("/voids/<void_id>")
@operation("Retrieve a void", "Captures", VoidObject, scope="payments:read")
@merchant_route
def get_void(scope: Scope, void_id: str) -> Answer:
    """One void."""
    return Answer(200, _void_json(scope, void_id))


def _conclude_capture(scope: Scope, intent: CaptureIntent, answer: CaptureAnswer) -> Answer:
    service.apply_capture_outcome(scope, intent.object_id, answer)
    return _current_capture(scope, intent.object_id)


def _current_capture(scope: Scope, capture_id: str) -> Answer:
    capture = repository.get_capture(scope, capture_id)
    if capture is None:
        raise NotFoundError("There is no such capture.")
    return Answer(201, capture_json(capture), {"Location": f"/v1/captures/{capture_id}"})


def _conclude_void(scope: Scope, intent: VoidIntent, answer: VoidAnswer) -> Answer:
    service.apply_void_outcome(scope, intent.object_id, answer)
    return _current_void(scope, intent.object_id)


def _current_void(scope: Scope, void_id: str) -> Answer:
    return Answer(201, _void_json(scope, void_id))


def _void_json(scope: Scope, void_id: str) -> dict[str, object]:
    void = repository.get_void(scope, void_id)
    if void is None:
        raise NotFoundError("There is no such void.")
    return void_json(void)
