"""Endpoints and deliveries as the API shows them."""

from datetime import datetime
from typing import Any

from regions.events import timestamp
from regions.webhook_catalog import event_name, render
from web.webhooks.models import Attempt, Delivery, Endpoint, Event


def endpoint_json(endpoint: Endpoint, secret: str | None = None) -> dict[str, Any]:
    """An endpoint; with its secret only in the answer that made it."""
    return {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "description": endpoint.description,
        "api_version": endpoint.api_version,
        "status": endpoint.status,
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": _moment(endpoint.disabled_at),
        "failing_since": _moment(endpoint.failing_since),
        "secret": secret,
        "public_key": endpoint.public_key,
        "livemode": endpoint.livemode,
        "created_at": timestamp(endpoint.created_at),
        "updated_at": timestamp(endpoint.updated_at),
    }


def listener_json(endpoint: Endpoint) -> dict[str, Any]:
    """A listener."""
    return {
        "id": endpoint.id,
        "object": "webhook_listener",
        "event_types": endpoint.event_types,
        "api_version": endpoint.api_version,
    }


def delivery_json(delivery: Delivery, region: str) -> dict[str, Any]:
    """A delivery."""
    return {
        "id": delivery.id,
        "object": "webhook_delivery",
        "endpoint_id": delivery.endpoint_id,
        "event_id": event_name(region, delivery.event_id),
        "event_type": delivery.type,
        "object_id": delivery.object_id,
        "sequence": delivery.sequence,
        "api_version": delivery.api_version,
        "status": delivery.status,
        "attempt_count": delivery.attempt_count,
        "next_attempt_at": timestamp(delivery.due_at) if delivery.status == "pending" else None,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "livemode": delivery.livemode,
        "created_at": timestamp(delivery.created_at),
        "finished_at": _moment(delivery.finished_at),
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One try."""
    return {
        "number": attempt.number,
        "at": timestamp(attempt.at),
        "latency_ms": attempt.latency_ms,
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        "error": attempt.error,
        "request": attempt.request,
        "response": attempt.response,
    }


def body_of(event: Event, region: str, api_version: str) -> str:
    """What is sent."""
    return render(
        region=region,
        event_id=event.id,
        name=event.type,
        time=event.time,
        livemode=event.livemode,
        object_id=event.object_id,
        sequence=event.sequence,
        schema_version=event.schema_version,
        data=event.data,
        api_version=api_version,
    ).decode()


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
