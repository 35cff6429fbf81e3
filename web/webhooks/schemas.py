from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from regions.webhook_catalog import CATALOG, check_filter
from web.http.bodies import Body, Moment, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged

DAY_SECONDS = 86_400
Status = Literal["enabled", "disabled"]
DeliveryStatus = Literal["pending", "succeeded", "failed", "cancelled", "skipped"]
ENDPOINT_ID, DELIVERY_ID = "whe_eu_06p0wz3q4hk53g6qyt8nwc2mse", "whd_eu_06p0wz3q4hk53g6qyt8nwc2mse"
EVENT_ID, PAYMENT_ID = "evt_eu_06p0wz3q4hk53g6qyt8nwc2mse", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse"
MOMENT = "2026-03-14T09:26:53.589793Z"
_FILTERS = sorted({*CATALOG.offered, "*", *(f"{name.partition('.')[0]}.*" for name in CATALOG.offered)})
_VERSIONS = list(CATALOG.versions)


def _filter(text: str) -> str:
    reason = check_filter(text)
    if reason is not None:
        raise ValueError(reason)
    return text


def _version(text: str) -> str:
    if text not in CATALOG.versions:
        raise ValueError(f"is no version of the API: use one of {', '.join(CATALOG.versions)}")
    return text


EventTypes = Annotated[
    list[Annotated[str, AfterValidator(_filter), Field(json_schema_extra={"enum": _FILTERS})]],
    Field(min_length=1, max_length=100),
]
Url = Annotated[Text, StringConstraints(min_length=1, max_length=2048)]
Description = Annotated[Text, StringConstraints(max_length=500)]
ApiVersion = Annotated[str, AfterValidator(_version), Field(json_schema_extra={"enum": _VERSIONS})]
URL = doc("Where events are sent: https, on the Internet.", "https://example.com/webhooks")
TYPES = "Types of events (`payment.succeeded`), families (`payment.*`), or `*`."


class CreateEndpoint(Body):
    """An endpoint to make. Its events are those that happen from then on."""

    url: Url = URL
    event_types: EventTypes = doc(TYPES, ["payment.*", "refund.succeeded"], default=["*"])
    description: Description | None = doc("For people.", "Order system", default=None)
    api_version: ApiVersion | None = doc(
        "The version of bodies; the newest unless given. It stays until it is changed.", CATALOG.current, default=None
    )


class UpdateEndpoint(Body):
    """What to change; what is left out stays."""

    url: Url | None = doc("Where events are sent.", "https://example.com/webhooks", default=None)
    event_types: EventTypes | None = doc(TYPES, ["payment.*"], default=None)
    description: Description | None = doc("For people; an empty one is none.", "Order system", default=None)
    api_version: ApiVersion | None = doc("The version of bodies of later events.", CATALOG.current, default=None)
    status: Status | None = doc("`disabled` gives up what is pending; `enabled` starts anew.", "enabled", default=None)


class RotateSecret(Body):
    """How the secret in use ends."""

    overlap_seconds: Annotated[int, Field(ge=0, le=DAY_SECONDS)] = doc(
        "For how long the old secret signs too, so that receivers can change over; 0 if it has leaked.",
        DAY_SECONDS,
        default=DAY_SECONDS,
    )


class Replay(Body):
    """What to send again."""

    mode: Literal["failures", "latest_per_object"] = doc(
        "`failures`: whatever did not arrive. `latest_per_object`: each object's newest event, also if it did.",
        "failures",
    )
    since: Moment = doc("Only events that were routed then or later (RFC 3339).", "2030-11-01T00:00:00Z")


class Trigger(Body):
    """An example to send, in test mode."""

    type: Annotated[str, Field(json_schema_extra={"enum": sorted(CATALOG.offered)})] = doc(
        "The type of event.", "payment.succeeded"
    )
    endpoint_id: Annotated[Text, StringConstraints(max_length=64)] | None = doc(
        "Only to this endpoint; to all that want the type if left out.", ENDPOINT_ID, default=None
    )


class CreateListener(Body):
    """A listener to make: events wait for it to fetch them."""

    event_types: EventTypes = doc(TYPES, ["*"], default=["*"])


class ListEndpoints(Paged):
    """Which endpoints to list, the newest first."""


class ListDeliveries(Paged):
    """Which deliveries to list, the newest first."""

    endpoint_id: Annotated[Text, StringConstraints(max_length=64)] | None = doc(
        "Of this endpoint.", ENDPOINT_ID, default=None
    )
    status: DeliveryStatus | None = doc("With this status.", "failed", default=None)
    event_type: Annotated[Text, StringConstraints(max_length=64)] | None = doc(
        "Of this type.", "payment.succeeded", default=None
    )
    object_id: Annotated[Text, StringConstraints(max_length=64)] | None = doc(
        "About this object.", PAYMENT_ID, default=None
    )


class EndpointObject(Shown):
    """Where events are sent."""

    id: str = doc("The endpoint's id.", ENDPOINT_ID)
    object: Literal["webhook_endpoint"] = doc("What this is.", "webhook_endpoint")
    url: str = doc("Where events are sent.", "https://example.com/webhooks")
    event_types: list[str] = doc(TYPES, ["payment.*"])
    description: str | None = doc("For people.", "Order system")
    api_version: str = doc("The version of bodies.", CATALOG.current)
    status: Status = doc("Whether events are sent.", "enabled")
    disabled_reason: Literal["merchant", "gone", "failing"] | None = doc(
        "Who disabled it: you; its own answer 410; or we, after five days without a success.", None
    )
    disabled_at: datetime | None = doc("Since when it is disabled (RFC 3339, UTC).", None)
    failing_since: datetime | None = doc("Since when nothing has succeeded (RFC 3339, UTC).", None)
    secret: str | None = doc("What `v1` signatures are made with. Shown once: when it is made or rotated.", None)
    public_key: str | None = doc(
        "What `v1a` signatures are checked with.", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    )
    livemode: bool = doc("True if it gets events of real money.", False)
    created_at: datetime = doc("When it was made (RFC 3339, UTC).", MOMENT)
    updated_at: datetime = doc("When it last changed (RFC 3339, UTC).", MOMENT)


class EndpointList(Shown):
    """A page of endpoints."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[EndpointObject] = doc("The endpoints, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


class DeletedEndpoint(Shown):
    """An endpoint that is gone."""

    id: str = doc("The endpoint's id.", ENDPOINT_ID)
    object: Literal["webhook_endpoint"] = doc("What this was.", "webhook_endpoint")
    deleted: Literal[True] = doc("It is gone.", True)


class DeliveryObject(Shown):
    """One event on its way to one endpoint."""

    id: str = doc("The delivery's id.", DELIVERY_ID)
    object: Literal["webhook_delivery"] = doc("What this is.", "webhook_delivery")
    endpoint_id: str = doc("Where it goes.", ENDPOINT_ID)
    event_id: str = doc("The event; the header `webhook-id` of each try.", EVENT_ID)
    event_type: str = doc("Its type.", "payment.succeeded")
    object_id: str = doc("The object it is about.", PAYMENT_ID)
    sequence: int = doc("The event's number among those of its object, from 1 and without gaps.", 3)
    api_version: str = doc("The version of its body.", CATALOG.current)
    status: DeliveryStatus = doc("`skipped`: the endpoint was disabled when the event came.", "succeeded")
    attempt_count: int = doc("How often it was tried.", 1)
    next_attempt_at: datetime | None = doc("When it is tried next, if it is (RFC 3339, UTC).", None)
    last_status: int | None = doc("The HTTP status of the last try.", 200)
    last_error: str | None = doc("Why the last try failed.", None)
    livemode: bool = doc("True if it tells of real money.", False)
    created_at: datetime = doc("When the event was routed (RFC 3339, UTC).", MOMENT)
    finished_at: datetime | None = doc("When it arrived or was given up (RFC 3339, UTC).", MOMENT)


class DeliveryAttempt(Shown):
    """One try. Secrets, and what looks like a person's data, are masked."""

    number: int = doc("Which try this was, from 1.", 1)
    at: datetime = doc("When (RFC 3339, UTC).", MOMENT)
    latency_ms: int = doc("How long it took.", 87)
    outcome: str = doc("What came of it.", "succeeded", "timeout")
    status_code: int | None = doc("The HTTP status.", 200)
    error: str | None = doc("Why it failed.", None)
    request: dict[str, Any] = doc("The address and the headers.", {})
    response: dict[str, Any] | None = doc("Headers and the beginning of the body.", {})


class DeliveryDetail(DeliveryObject):
    """A delivery with its event and every try that is still kept."""

    attempts: list[DeliveryAttempt] = doc("The tries, in order.", [])
    body: str | None = doc("What is sent, to the byte; null once it is no longer kept.", "{}")


class DeliveryList(Shown):
    """A page of deliveries."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[DeliveryObject] = doc("The deliveries, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


class ReplayObject(Shown):
    """What is sent again."""

    object: Literal["webhook_replay"] = doc("What this is.", "webhook_replay")
    endpoint_id: str = doc("Where it goes.", ENDPOINT_ID)
    mode: str = doc("What was asked for.", "failures")
    delivery_count: int = doc("How many deliveries.", 12)


class TriggerObject(Shown):
    """An example on its way."""

    object: Literal["webhook_trigger"] = doc("What this is.", "webhook_trigger")
    event_id: str = doc("The event's id.", EVENT_ID)
    type: str = doc("Its type.", "payment.succeeded")
    delivery_ids: list[str] = doc("The deliveries, one for each endpoint that wants it.", [DELIVERY_ID])


class ListenerObject(Shown):
    """A listener, which is fetched from; it ends when nobody has for an hour."""

    id: str = doc("The listener's id.", ENDPOINT_ID)
    object: Literal["webhook_listener"] = doc("What this is.", "webhook_listener")
    event_types: list[str] = doc(TYPES, ["*"])
    api_version: str = doc("The version of bodies.", CATALOG.current)


class HandedOver(Shown):
    """An event for a listener."""

    delivery_id: str = doc("The delivery's id.", DELIVERY_ID)
    event_id: str = doc("The event's id.", EVENT_ID)
    body: str = doc("The body, to the byte.", "{}")


class HandedOverList(Shown):
    """What waited for a listener."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[HandedOver] = doc("Events, oldest first. They are not kept for another poll.", [])
