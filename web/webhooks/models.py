"""Rows as the webhooks package sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a merchant wants events sent; a listener has no URL and is fetched from."""

    id: str
    merchant_id: str
    livemode: bool
    kind: str
    url: str | None
    description: str | None
    event_types: list[str]
    api_version: str
    status: str
    disabled_reason: str | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    public_key: str | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: str
    event_id: UUID
    endpoint_id: str
    livemode: bool
    type: str
    object_id: str
    sequence: int
    api_version: str
    status: str
    created_at: datetime
    due_at: datetime
    attempt_count: int
    last_status: int | None
    last_error: str | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is kept for endpoints. `data` is JSON text."""

    id: UUID
    livemode: bool
    type: str
    object_id: str
    sequence: int
    schema_version: int
    time: datetime
    data: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, masked."""

    number: int
    at: datetime
    latency_ms: int
    outcome: str
    status_code: int | None
    error: str | None
    request: dict[str, Any]
    response: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Untold:
    """An endpoint that was disabled for its merchant, who does not know yet."""

    id: str
    merchant_id: str
    livemode: bool
    reason: str
    disabled_at: datetime
