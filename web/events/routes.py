from flask import Blueprint, request

from web.db.scope import Scope
from web.events import service
from web.events.schemas import EventList, EventObject, ListEvents, event_json
from web.http.answers import Answer
from web.http.bodies import parse_query
from web.http.contract import operation
from web.http.edge import merchant_route
from web.http.paging import list_json

blueprint = Blueprint("events", __name__, url_prefix="/v1/events")


@blueprint.get("")
@operation("List events", "Events", EventList, scope="events:read", query=ListEvents)
@merchant_route
def list_events(scope: Scope) -> Answer:
    """What has happened to the merchant's objects, newest first."""
    found, has_more = service.page(scope, parse_query(request, ListEvents))
    return Answer(200, list_json([event_json(event) for event in found], has_more=has_more))


@blueprint.get("/<event_id>")
@operation("Retrieve an event", "Events", EventObject, scope="events:read")
@merchant_route
def get_event(scope: Scope, event_id: str) -> Answer:
    """One event."""
    return Answer(200, event_json(service.get(scope, event_id)))
