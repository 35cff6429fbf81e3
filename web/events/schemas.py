from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from web.events.models import Event
from web.http.bodies import Text
from web.http.contract import Shown, doc
from web.http.paging import Paged

EventId = Annotated[Text, StringConstraints(min_length=1, max_length=64)]
EventName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\z", max_length=100)]


class ListEvents(Paged):
    """Which events to list, the newest first."""

    type: EventName | None = doc("Only events of this type.", "payment.succeeded", default=None)
    object_id: EventId | None = doc("Only events about this object.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None)


class EventObject(Shown):
    """Something that happened. What concerns a payer personally is not in it."""

    id: str = doc("The event's id.", "evt_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    object: Literal["event"] = doc("What this is.", "event")
    uuid: str = doc("The same id as a UUID, as webhooks carry it.", "01968f6f-5a92-7c41-8e55-0a1f3f7b3c42")
    type: str = doc("What happened.", "payment.succeeded")
    object_id: str = doc("What it happened to.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    sequence: int = doc("Its number among the events of that object: from 1, without gaps.", 3)
    schema_version: int = doc("The version of the contract that `data` follows.", 1)
    data: dict[str, Any] = doc(
        "What is known of it, as `/asyncapi.json` describes for its type.", {"amount_minor": 1999, "currency": "EUR"}
    )
    request_id: str | None = doc("The request that caused it.", "req_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    livemode: bool = doc("True if real money moved.", False)
    created_at: datetime = doc("When it happened (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")


class EventList(Shown):
    """A page of events."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[EventObject] = doc("The events, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def event_json(event: Event) -> dict[str, Any]:
    """An event as the API shows it."""
    return {
        "id": event.id,
        "object": "event",
        "uuid": str(event.uuid),
        "type": event.type,
        "object_id": event.subject,
        "sequence": event.sequence,
        "schema_version": event.schema_version,
        "data": event.data,
        "request_id": event.correlation_id,
        "livemode": event.livemode,
        "created_at": timestamp(event.time),
    }
