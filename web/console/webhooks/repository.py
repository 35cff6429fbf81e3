from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

PAGE_ROWS = 50
_ENDPOINT = """
SELECT e.id, e.merchant_id, m.name AS merchant, e.url, e.description, e.event_types, e.api_version, e.status,
       e.disabled_reason, e.disabled_at, e.created_at, e.livemode, h.failures, h.failing_since, h.last_success_at,
       h.open_until > clock_timestamp() AS is_open
  FROM webhook_endpoints AS e JOIN webhook_health AS h ON h.endpoint_id = e.id
  JOIN merchants AS m ON m.id = e.merchant_id
 WHERE e.kind = 'url' AND e.deleted_at IS NULL"""
_ENDPOINTS = text(f"""
SELECT e.*, d.pending, d.succeeded, d.failed FROM ({_ENDPOINT} AND e.livemode = :livemode) AS e
 CROSS JOIN LATERAL (
   SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
          count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
          count(*) FILTER (WHERE status IN ('failed', 'cancelled', 'skipped')) AS failed
     FROM webhook_deliveries
    WHERE endpoint_id = e.id AND created_at > clock_timestamp() - interval '1 day') AS d
 ORDER BY e.created_at DESC, e.id DESC LIMIT :rows
""")  # noqa: S608 - constants
_GET = text(f"{_ENDPOINT} AND e.id = :id")
_SECRETS = text("""
SELECT number, public_key, created_at, expires_at FROM webhook_secrets
 WHERE endpoint_id = :id AND (expires_at IS NULL OR expires_at > clock_timestamp()) ORDER BY number DESC
""")
_DELIVERIES = text("""
SELECT id, type, object_id, sequence, status, attempt_count, last_status, last_error, created_at, due_at, finished_at
  FROM webhook_deliveries WHERE endpoint_id = :id ORDER BY created_at DESC, id DESC LIMIT :rows
""")
_DELIVERY = text("""
SELECT d.id, d.endpoint_id, d.type, d.object_id, d.sequence, d.status, d.attempt_count, d.created_at, d.due_at,
       d.finished_at, d.livemode, e.url
  FROM webhook_deliveries AS d JOIN webhook_endpoints AS e ON e.id = d.endpoint_id WHERE d.id = :id
""")
_ATTEMPTS = text("""
SELECT number, at, latency_ms, outcome, status_code, error, request, response FROM webhook_attempts
 WHERE delivery_id = :id ORDER BY number
""")
_TEST_EVENT = text("""
INSERT INTO webhook_events (id, merchant_id, livemode, type, object_id, sequence, schema_version, time, data,
                            recorded_at)
SELECT :event_id, merchant_id, livemode, 'webhook.test', id, 1, 1, clock_timestamp(), :data, clock_timestamp()
  FROM webhook_endpoints WHERE id = :id
""")
_TEST_DELIVERY = text("""
INSERT INTO webhook_deliveries (id, event_id, endpoint_id, merchant_id, livemode, type, object_id, sequence,
                                api_version, created_at, due_at)
SELECT :delivery_id, :event_id, id, merchant_id, livemode, 'webhook.test', id, 1, api_version, clock_timestamp(),
       clock_timestamp()
  FROM webhook_endpoints WHERE id = :id AND status = 'enabled' AND deleted_at IS NULL
""")


def endpoints(connection: Connection, *, livemode: bool) -> list[dict[str, Any]]:
    """Endpoints with what became of the last day's deliveries, the newest first."""
    rows = connection.execute(_ENDPOINTS, {"livemode": livemode, "rows": PAGE_ROWS}).mappings()
    return [dict(row) for row in rows]


def endpoint(connection: Connection, endpoint_id: str) -> dict[str, Any] | None:
    """One endpoint that the account may see."""
    row = connection.execute(_GET, {"id": endpoint_id}).mappings().one_or_none()
    return None if row is None else dict(row)


def secrets(connection: Connection, endpoint_id: str) -> list[dict[str, Any]]:
    """The secrets that sign now: when they were made and end; never the secrets."""
    return [dict(row) for row in connection.execute(_SECRETS, {"id": endpoint_id}).mappings()]


def deliveries(connection: Connection, endpoint_id: str) -> list[dict[str, Any]]:
    """An endpoint's newest deliveries."""
    rows = connection.execute(_DELIVERIES, {"id": endpoint_id, "rows": PAGE_ROWS}).mappings()
    return [dict(row) for row in rows]


def delivery(connection: Connection, delivery_id: str) -> dict[str, Any] | None:
    """One delivery that the account may see."""
    row = connection.execute(_DELIVERY, {"id": delivery_id}).mappings().one_or_none()
    return None if row is None else dict(row)


def attempts(connection: Connection, delivery_id: str) -> list[dict[str, Any]]:
    """Its tries, in order."""
    return [dict(row) for row in connection.execute(_ATTEMPTS, {"id": delivery_id}).mappings()]


def send_test(connection: Connection, endpoint_id: str, event_id: UUID, delivery_id: str) -> bool:
    """Send a test event; False if the endpoint is disabled or gone."""
    values = {"id": endpoint_id, "event_id": event_id, "delivery_id": delivery_id}
    connection.execute(_TEST_EVENT, values | {"data": '{"message":"It works."}'})
    return connection.execute(_TEST_DELIVERY, values).rowcount == 1
