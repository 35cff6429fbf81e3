from typing import Any

from flask import Blueprint, request

from regions.webhook_catalog import event_name
from web.db.scope import Scope
from web.http.answers import Answer
from web.http.bodies import NoFields, parse_body, parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json
from web.http.problems import ConflictError
from web.webhooks import repository, service
from web.webhooks.schemas import (
    CreateEndpoint,
    CreateListener,
    DeletedEndpoint,
    DeliveryDetail,
    DeliveryList,
    DeliveryObject,
    EndpointList,
    EndpointObject,
    HandedOverList,
    ListDeliveries,
    ListEndpoints,
    ListenerObject,
    Replay,
    ReplayObject,
    RotateSecret,
    Trigger,
    TriggerObject,
    UpdateEndpoint,
)
from web.webhooks.shown import attempt_json, body_of, delivery_json, endpoint_json, listener_json
from web.wiring import wired

TAG = "Webhooks"
blueprint = Blueprint("webhooks", __name__, url_prefix="/v1")


@blueprint.post("/webhook_endpoints")
@operation(
    "Create an endpoint",
    TAG,
    EndpointObject,
    scope="webhooks:write",
    status=201,
    body=CreateEndpoint,
    errors=(ConflictError,),
)
@merchant_route
def create_endpoint(scope: Scope) -> Answer:
    """Make an endpoint; its secret is in this answer and in no other."""
    wanted = parse_body(request, CreateEndpoint)
    return _shown_once(201, service.create(scope, wired().vault, wanted, may_be_local=_may_be_local()))


@blueprint.get("/webhook_endpoints")
@operation("List endpoints", TAG, EndpointList, scope="webhooks:read", query=ListEndpoints)
@merchant_route
def list_endpoints(scope: Scope) -> Answer:
    """The merchant's endpoints, newest first."""
    found, has_more = repository.page(scope, parse_query(request, ListEndpoints))
    return Answer(200, list_json([endpoint_json(endpoint) for endpoint in found], has_more=has_more))


@blueprint.get("/webhook_endpoints/<endpoint_id>")
@operation("Retrieve an endpoint", TAG, EndpointObject, scope="webhooks:read")
@merchant_route
def get_endpoint(scope: Scope, endpoint_id: str) -> Answer:
    """One endpoint."""
    return Answer(200, endpoint_json(service.get(scope, endpoint_id)))


@blueprint.patch("/webhook_endpoints/<endpoint_id>")
@operation("Update an endpoint", TAG, EndpointObject, scope="webhooks:write", body=UpdateEndpoint)
@merchant_route
def update_endpoint(scope: Scope, endpoint_id: str) -> Answer:
    """Change where events go, which ones, in which version; enable or disable it."""
    wanted = parse_body(request, UpdateEndpoint)
    return Answer(200, endpoint_json(service.update(scope, endpoint_id, wanted, may_be_local=_may_be_local())))


@blueprint.delete("/webhook_endpoints/<endpoint_id>")
@operation("Delete an endpoint", TAG, DeletedEndpoint, scope="webhooks:write")
@merchant_route
def delete_endpoint(scope: Scope, endpoint_id: str) -> Answer:
    """End an endpoint: what is pending is given up."""
    service.delete(scope, endpoint_id)
    return Answer(200, {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True})


@blueprint.post("/webhook_endpoints/<endpoint_id>/rotate_secret")
@operation(
    "Rotate an endpoint's secret",
    TAG,
    EndpointObject,
    scope="webhooks:write",
    body=RotateSecret,
    is_body_required=False,
)
@merchant_route
def rotate_secret(scope: Scope, endpoint_id: str) -> Answer:
    """Make a new secret, shown in this answer only; the old one signs too for a while."""
    wanted = parse_body(request, RotateSecret)
    return _shown_once(200, service.rotate(scope, wired().vault, endpoint_id, wanted.overlap_seconds))


@blueprint.post("/webhook_endpoints/<endpoint_id>/test")
@operation(
    "Send a test event",
    TAG,
    DeliveryObject,
    scope="webhooks:write",
    status=202,
    body=NoFields,
    is_body_required=False,
    errors=(ConflictError,),
)
@merchant_route
def test_endpoint(scope: Scope, endpoint_id: str) -> Answer:
    """Send `webhook.test` to an endpoint."""
    parse_body(request, NoFields)
    return Answer(202, delivery_json(service.test(scope, endpoint_id), scope.region.code))


@blueprint.post("/webhook_endpoints/<endpoint_id>/replay")
@operation(
    "Send many events again",
    TAG,
    ReplayObject,
    scope="webhooks:write",
    status=202,
    body=Replay,
    errors=(ConflictError,),
)
@merchant_route
def replay_endpoint(scope: Scope, endpoint_id: str) -> Answer:
    """Send again what failed since a moment, or each object's newest event."""
    wanted = parse_body(request, Replay)
    count = service.replay(scope, endpoint_id, wanted)
    body = {"object": "webhook_replay", "endpoint_id": endpoint_id, "mode": wanted.mode, "delivery_count": count}
    return Answer(202, body)


@blueprint.get("/webhook_deliveries")
@operation("List deliveries", TAG, DeliveryList, scope="webhooks:read", query=ListDeliveries)
@merchant_route
def list_deliveries(scope: Scope) -> Answer:
    """What was sent and what was not, newest first."""
    found, has_more = repository.deliveries(scope, parse_query(request, ListDeliveries))
    return Answer(200, list_json([delivery_json(one, scope.region.code) for one in found], has_more=has_more))


@blueprint.get("/webhook_deliveries/<delivery_id>")
@operation("Retrieve a delivery", TAG, DeliveryDetail, scope="webhooks:read")
@merchant_route
def get_delivery(scope: Scope, delivery_id: str) -> Answer:
    """One delivery with its event and its tries."""
    found, event, attempts = service.inspect(scope, delivery_id)
    body = None if event is None else body_of(event, scope.region.code, found.api_version)
    more = {"attempts": [attempt_json(attempt) for attempt in attempts], "body": body}
    return Answer(200, delivery_json(found, scope.region.code) | more)


@blueprint.post("/webhook_deliveries/<delivery_id>/resend")
@operation(
    "Send an event again",
    TAG,
    DeliveryObject,
    scope="webhooks:write",
    status=202,
    body=NoFields,
    is_body_required=False,
    errors=(ConflictError,),
)
@merchant_route
def resend_delivery(scope: Scope, delivery_id: str) -> Answer:
    """Send a delivery again, now, from the start of the schedule."""
    parse_body(request, NoFields)
    return Answer(202, delivery_json(service.resend(scope, delivery_id), scope.region.code))


@blueprint.post("/webhook_triggers")
@operation(
    "Send an example", TAG, TriggerObject, scope="webhooks:write", status=202, body=Trigger, errors=(ConflictError,)
)
@merchant_route
def trigger(scope: Scope) -> Answer:
    """Send an example event to the endpoints that want its type, in test mode. Nothing else happens."""
    event, ids = service.trigger(scope, parse_body(request, Trigger))
    name = event_name(scope.region.code, event.id)
    return Answer(202, {"object": "webhook_trigger", "event_id": name, "type": event.type, "delivery_ids": ids})


@blueprint.post("/webhook_listeners")
@operation(
    "Create a listener", TAG, ListenerObject, scope="webhooks:write", status=201, body=CreateListener,
    is_body_required=False, errors=(ConflictError,),
)  # fmt: skip
@merchant_route
def create_listener(scope: Scope) -> Answer:
    """Make a listener, which a developer's machine fetches events from, in test mode."""
    made = service.listen(scope, wired().vault, parse_body(request, CreateListener))
    return Answer(201, listener_json(made.endpoint))


@blueprint.post("/webhook_listeners/<listener_id>/poll")
@operation("Fetch from a listener", TAG, HandedOverList, scope="webhooks:write", body=NoFields, is_body_required=False)
@merchant_route
def poll_listener(scope: Scope, listener_id: str) -> Answer:
    """Take what waits. It is handed over once."""
    parse_body(request, NoFields)
    region = scope.region.code
    data: list[dict[str, Any]] = [
        {
            "delivery_id": delivery_id,
            "event_id": event_name(region, event.id),
            "body": body_of(event, region, api_version),
        }
        for delivery_id, api_version, event in service.poll(scope, listener_id)
    ]
    return Answer(200, {"object": "list", "data": data})


@blueprint.delete("/webhook_listeners/<listener_id>")
@operation("Delete a listener", TAG, DeletedEndpoint, scope="webhooks:write")
@merchant_route
def delete_listener(scope: Scope, listener_id: str) -> Answer:
    """End a listener."""
    service.delete(scope, listener_id, "listener")
    return Answer(200, {"id": listener_id, "object": "webhook_endpoint", "deleted": True})


def _shown_once(status: int, made: service.WithSecret) -> Answer:
    """An answer with a secret; what an idempotency key keeps of it has none."""
    return Answer(status, endpoint_json(made.endpoint, made.secret), kept=endpoint_json(made.endpoint))


def _may_be_local() -> bool:
    return wired().settings.may_send_to_localhost
