"""Every query of the router (role `dispatcher`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    import psycopg

CONSUMER = "webhooks"

_ENDPOINTS = """
SELECT id, merchant_id, livemode, event_types, api_version, status = 'enabled' AS is_enabled, created_at
  FROM webhook_endpoints
 WHERE merchant_id = ANY(%s) AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
"""
_EVENTS = """
INSERT INTO webhook_events (id, merchant_id, livemode, type, object_id, sequence, schema_version, time, data,
                            recorded_at)
SELECT *, clock_timestamp()
  FROM unnest(%s::uuid[], %s::text[], %s::bool[], %s::text[], %s::text[], %s::bigint[], %s::smallint[],
              %s::timestamptz[], %s::text[]) ON CONFLICT DO NOTHING
"""
_DELIVERIES = """
INSERT INTO webhook_deliveries (id, event_id, endpoint_id, merchant_id, livemode, type, object_id, sequence,
                                api_version, status, created_at, due_at, finished_at)
SELECT g.id, g.event_id, g.endpoint_id, e.merchant_id, e.livemode, e.type, e.object_id, e.sequence, g.api_version,
       g.status, clock_timestamp(), clock_timestamp(), CASE WHEN g.status <> 'pending' THEN clock_timestamp() END
  FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[])
       AS g (id, event_id, endpoint_id, api_version, status)
  JOIN webhook_events AS e ON e.id = g.event_id
    ON CONFLICT (event_id, endpoint_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, as routing needs it."""

    id: str
    merchant_id: str
    livemode: bool
    event_types: list[str]
    api_version: str
    is_enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is kept for endpoints. `data` is JSON text."""

    id: UUID
    merchant_id: str
    livemode: bool
    type: str
    object_id: str
    sequence: int
    schema_version: int
    time: datetime
    data: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery to make. One to a disabled endpoint is written down as skipped, and can be asked for later."""

    id: str
    event_id: UUID
    endpoint_id: str
    api_version: str
    status: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the router is. `positions` are the truth; `offsets` only say where in Kafka to look first."""

    positions: dict[str, str]
    offsets: dict[str, int]


def progress(connection: psycopg.Connection) -> Progress:
    """How far the router is."""
    row = connection.execute("SELECT positions, offsets FROM stream_consumers WHERE name = %s", (CONSUMER,)).fetchone()
    return Progress({}, {}) if row is None else Progress(*row)


def save(connection: psycopg.Connection, reached: Progress) -> None:
    """Move on, in the transaction of what was routed."""
    connection.execute(
        """INSERT INTO stream_consumers (name, positions, offsets) VALUES (%s, %s, %s)
           ON CONFLICT (name) DO UPDATE
              SET positions = excluded.positions, offsets = excluded.offsets, updated_at = now()""",
        (CONSUMER, Jsonb(reached.positions), Jsonb(reached.offsets)),
    )


def endpoints(connection: psycopg.Connection, merchant_ids: Sequence[str]) -> list[Endpoint]:
    """The endpoints of these merchants."""
    with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(_ENDPOINTS, (list(merchant_ids),)).fetchall()


def insert(connection: psycopg.Connection, events: Sequence[Event], deliveries: Sequence[Delivery]) -> int:
    """Write events and their deliveries down, each once; how many deliveries are new."""
    columns = [
        [getattr(event, name) for event in events]
        for name in (
            *("id", "merchant_id", "livemode", "type", "object_id", "sequence", "schema_version", "time", "data"),
        )
    ]
    connection.execute(_EVENTS, columns)
    rows = [(one.id, one.event_id, one.endpoint_id, one.api_version, one.status) for one in deliveries]
    return connection.execute(_DELIVERIES, [list(column) for column in zip(*rows, strict=True)]).rowcount
