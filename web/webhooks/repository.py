from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from web.db.scope import Scope
from web.http.paging import Listing, fetch
from web.webhooks.models import Attempt, Delivery, Endpoint, Event, Untold
from web.webhooks.schemas import ListDeliveries, ListEndpoints

_PLAIN = [field.name for field in fields(Endpoint) if field.name not in {"public_key", "failing_since"}]
_PUBLIC_KEY = """(SELECT s.public_key FROM webhook_secrets AS s WHERE s.endpoint_id = t.id AND s.expires_at IS NULL)
  AS public_key"""
_FAILING = "(SELECT h.failing_since FROM webhook_health AS h WHERE h.endpoint_id = t.id) AS failing_since"
_ENDPOINT = ", ".join([*(f"t.{name}" for name in _PLAIN), _PUBLIC_KEY, _FAILING])
_DELIVERY = ", ".join(f"t.{field.name}" for field in fields(Delivery))
_EVENT = ", ".join(f"v.{field.name}" for field in fields(Event))
_ATTEMPT = ", ".join(field.name for field in fields(Attempt))

# The database's clock: routing compares it with the events' own times.
_INSERT_ENDPOINT = text("""
INSERT INTO webhook_endpoints (id, merchant_id, livemode, kind, url, description, event_types, api_version, created_at,
                               updated_at, expires_at)
VALUES (:id, :merchant_id, :livemode, :kind, :url, :description, :event_types, :api_version, clock_timestamp(),
        clock_timestamp(), clock_timestamp() + make_interval(secs => CAST(:expires_in AS float8)))
""")
_INSERT_HEALTH = text("INSERT INTO webhook_health (endpoint_id, merchant_id) VALUES (:id, :merchant_id)")
_INSERT_SECRET = text("""
INSERT INTO webhook_secrets (endpoint_id, number, merchant_id, sealed, public_key, created_at)
SELECT :id, coalesce(max(number), 0) + 1, :merchant_id, :sealed, :public_key, clock_timestamp()
  FROM webhook_secrets WHERE endpoint_id = :id
""")
_EXPIRE_SECRETS = text("""
UPDATE webhook_secrets
   SET expires_at = least(coalesce(expires_at, 'infinity'), clock_timestamp() + make_interval(secs => :seconds))
 WHERE endpoint_id = :id AND (expires_at IS NULL OR expires_at > clock_timestamp())
""")
_COUNT = text("""
SELECT count(*) FROM webhook_endpoints
 WHERE merchant_id = :merchant_id AND livemode = :livemode AND kind = :kind AND deleted_at IS NULL
   AND (expires_at IS NULL OR expires_at > clock_timestamp())
""")
_GET = text(f"""
SELECT {_ENDPOINT} FROM webhook_endpoints AS t
 WHERE t.id = :id AND t.livemode = :livemode AND t.kind = :kind AND t.deleted_at IS NULL
""")  # noqa: S608 - constants
_LOCK = text("SELECT FROM webhook_health WHERE endpoint_id = :id FOR NO KEY UPDATE")
_UPDATE = text("""
UPDATE webhook_endpoints
   SET url = :url, description = :description, event_types = :event_types, api_version = :api_version, status = :status,
       disabled_reason = CASE WHEN :status = 'disabled' THEN coalesce(disabled_reason, 'merchant') END,
       disabled_at = CASE WHEN :status = 'disabled' THEN coalesce(disabled_at, clock_timestamp()) END,
       updated_at = clock_timestamp()
 WHERE id = :id
""")
_FRESH = text("UPDATE webhook_health SET failures = 0, failing_since = NULL, open_until = NULL WHERE endpoint_id = :id")
_DELETE = text("""
UPDATE webhook_endpoints SET deleted_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = :id
""")
_DELETE_SECRETS = text("DELETE FROM webhook_secrets WHERE endpoint_id = :id")
_CANCEL = text("""
UPDATE webhook_deliveries SET status = 'cancelled', claim = NULL, finished_at = clock_timestamp()
 WHERE endpoint_id = :id AND status = 'pending'
""")
_INSERT_EVENT = text("""
INSERT INTO webhook_events (id, merchant_id, livemode, type, object_id, sequence, schema_version, time, data,
                            recorded_at)
VALUES (:id, :merchant_id, :livemode, :type, :object_id, :sequence, :schema_version, :time, :data, clock_timestamp())
""")
_INSERT_DELIVERY = text("""
INSERT INTO webhook_deliveries (id, event_id, endpoint_id, merchant_id, livemode, type, object_id, sequence,
                                api_version, created_at, due_at)
VALUES (:id, :event_id, :endpoint_id, :merchant_id, :livemode, :type, :object_id, :sequence, :api_version,
        clock_timestamp(), clock_timestamp())
""")
_WANTING = text(f"""
SELECT {_ENDPOINT} FROM webhook_endpoints AS t
 WHERE t.merchant_id = :merchant_id AND t.livemode = :livemode AND t.deleted_at IS NULL AND t.status = 'enabled'
   AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
""")  # noqa: S608 - constants
_GET_DELIVERY = text(f"SELECT {_DELIVERY} FROM webhook_deliveries AS t WHERE t.id = :id AND t.livemode = :livemode")  # noqa: S608
_GET_EVENT = text(f"SELECT {_EVENT} FROM webhook_events AS v WHERE v.id = :id")  # noqa: S608 - constants
_ATTEMPTS = text(f"SELECT {_ATTEMPT} FROM webhook_attempts WHERE delivery_id = :id ORDER BY number")  # noqa: S608
# Again from the start of the schedule, now. What a dispatcher has at this moment stays its.
_AGAIN = "status = 'pending', tries = 0, started_at = NULL, due_at = clock_timestamp(), finished_at = NULL"
_RESEND = text(f"UPDATE webhook_deliveries SET {_AGAIN} WHERE id = :id AND claim IS NULL")  # noqa: S608 - constants
_RESEND_FAILURES = text(f"""
UPDATE webhook_deliveries SET {_AGAIN}
 WHERE endpoint_id = :id AND created_at >= :since AND status IN ('failed', 'cancelled', 'skipped')
""")  # noqa: S608 - constants
_RESEND_LATEST = text(f"""
UPDATE webhook_deliveries SET {_AGAIN}
 WHERE claim IS NULL AND id IN (
   SELECT DISTINCT ON (object_id) id FROM webhook_deliveries
    WHERE endpoint_id = :id AND created_at >= :since ORDER BY object_id, sequence DESC)
""")  # noqa: S608 - constants
_TAKE = text(f"""
WITH taken AS (
  UPDATE webhook_deliveries AS d
     SET status = 'succeeded', finished_at = clock_timestamp(), attempt_count = attempt_count + 1
    FROM (SELECT id FROM webhook_deliveries WHERE endpoint_id = :id AND status = 'pending'
           ORDER BY created_at, sequence LIMIT :limit FOR UPDATE SKIP LOCKED) AS n
   WHERE d.id = n.id RETURNING d.id AS delivery_id, d.event_id, d.api_version, d.created_at AS routed_at)
SELECT t.delivery_id, t.api_version, {_EVENT} FROM taken AS t JOIN webhook_events AS v ON v.id = t.event_id
 ORDER BY t.routed_at, v.sequence
""")  # noqa: S608 - constants
_UNTOLD = text("""
SELECT id, merchant_id, livemode, disabled_reason AS reason, disabled_at FROM webhook_endpoints
 WHERE status = 'disabled' AND disabled_reason <> 'merchant' AND (told_at IS NULL OR told_at < disabled_at)
   AND deleted_at IS NULL
 ORDER BY disabled_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""")
_TELL = text("UPDATE webhook_endpoints SET told_at = clock_timestamp() WHERE id = :id")
_PROLONG = text("""
UPDATE webhook_endpoints SET expires_at = clock_timestamp() + make_interval(secs => :seconds) WHERE id = :id
""")


def insert(scope: Scope, values: Mapping[str, Any]) -> None:
    """Insert an endpoint with its health; `expires_in` seconds from now if it is a listener."""
    row = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, **values}
    scope.connection.execute(_INSERT_ENDPOINT, row)
    scope.connection.execute(_INSERT_HEALTH, {"id": values["id"], "merchant_id": scope.merchant_id})


def insert_secret(scope: Scope, endpoint_id: str, sealed: bytes, public_key: str) -> None:
    """Add a secret, sealed."""
    row = {"id": endpoint_id, "merchant_id": scope.merchant_id, "sealed": sealed, "public_key": public_key}
    scope.connection.execute(_INSERT_SECRET, row)


def expire_secrets(scope: Scope, endpoint_id: str, seconds: int) -> None:
    """Let the secrets in use end that many seconds from now, if they do not earlier."""
    scope.connection.execute(_EXPIRE_SECRETS, {"id": endpoint_id, "seconds": seconds})


def count(scope: Scope, kind: str) -> int:
    """How many endpoints of a kind the merchant has in this mode."""
    row = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "kind": kind}
    return int(scope.connection.execute(_COUNT, row).scalar_one())


def get(scope: Scope, endpoint_id: str, kind: str = "url") -> Endpoint | None:
    """One endpoint of the scope's merchant and mode."""
    row = {"id": endpoint_id, "livemode": scope.livemode, "kind": kind}
    found = scope.connection.execute(_GET, row).mappings().one_or_none()
    return None if found is None else Endpoint(**found)


def lock(scope: Scope, endpoint_id: str) -> None:
    """Keep dispatchers from claiming and finishing deliveries of an endpoint until the transaction ends."""
    scope.connection.execute(_LOCK, {"id": endpoint_id})


def page(scope: Scope, asked: ListEndpoints) -> tuple[list[Endpoint], bool]:
    """A page of the merchant's endpoints, newest first, and whether there are more."""
    listing = Listing("webhook_endpoints", _ENDPOINT, ["t.deleted_at IS NULL", "t.kind = 'url'"], {})
    return fetch(scope, listing, asked, lambda row: Endpoint(**row))


def update(scope: Scope, endpoint: Endpoint) -> None:
    """Write what a merchant may change."""
    scope.connection.execute(_UPDATE, asdict(endpoint))


def make_fresh(scope: Scope, endpoint_id: str) -> None:
    """Forget that an endpoint failed."""
    scope.connection.execute(_FRESH, {"id": endpoint_id})


def delete(scope: Scope, endpoint_id: str) -> None:
    """Delete an endpoint and its secrets; what was delivered stays to be looked at."""
    for statement in (_DELETE, _DELETE_SECRETS, _CANCEL):
        scope.connection.execute(statement, {"id": endpoint_id})


def cancel(scope: Scope, endpoint_id: str) -> None:
    """Give up what is pending."""
    scope.connection.execute(_CANCEL, {"id": endpoint_id})


def wanting(scope: Scope) -> list[Endpoint]:
    """The enabled endpoints and listeners of the merchant in this mode."""
    row = {"merchant_id": scope.merchant_id, "livemode": scope.livemode}
    return [Endpoint(**found) for found in scope.connection.execute(_WANTING, row).mappings()]


def insert_event(scope: Scope, event: Event) -> None:
    """Keep an event for endpoints."""
    scope.connection.execute(_INSERT_EVENT, {**asdict(event), "merchant_id": scope.merchant_id})


def insert_delivery(scope: Scope, delivery_id: str, event: Event, endpoint: Endpoint) -> None:
    """Send an event to an endpoint."""
    row = {
        "id": delivery_id,
        "event_id": event.id,
        "endpoint_id": endpoint.id,
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "type": event.type,
        "object_id": event.object_id,
        "sequence": event.sequence,
        "api_version": endpoint.api_version,
    }
    scope.connection.execute(_INSERT_DELIVERY, row)


def deliveries(scope: Scope, asked: ListDeliveries) -> tuple[list[Delivery], bool]:
    """A page of the merchant's deliveries, newest first, and whether there are more."""
    names = {
        "endpoint_id": asked.endpoint_id,
        "status": asked.status,
        "type": asked.event_type,
        "object_id": asked.object_id,
    }
    values = {name: value for name, value in names.items() if value is not None}
    listing = Listing("webhook_deliveries", _DELIVERY, [f"t.{name} = :{name}" for name in values], values)
    return fetch(scope, listing, asked, lambda row: Delivery(**row))


def delivery(scope: Scope, delivery_id: str) -> Delivery | None:
    """One delivery of the scope's merchant and mode."""
    row = {"id": delivery_id, "livemode": scope.livemode}
    found = scope.connection.execute(_GET_DELIVERY, row).mappings().one_or_none()
    return None if found is None else Delivery(**found)


def event(scope: Scope, event_id: UUID) -> Event | None:
    """What a delivery carries, until retention takes it."""
    found = scope.connection.execute(_GET_EVENT, {"id": event_id}).mappings().one_or_none()
    return None if found is None else Event(**found)


def attempts(scope: Scope, delivery_id: str) -> list[Attempt]:
    """Every try of a delivery that is still kept, in order."""
    return [Attempt(**found) for found in scope.connection.execute(_ATTEMPTS, {"id": delivery_id}).mappings()]


def resend(scope: Scope, delivery_id: str) -> bool:
    """Send a delivery again, now; False while a dispatcher has it."""
    return scope.connection.execute(_RESEND, {"id": delivery_id}).rowcount == 1


def resend_failures(scope: Scope, endpoint_id: str, since: datetime) -> int:
    """Send everything again that did not arrive; how many."""
    return scope.connection.execute(_RESEND_FAILURES, {"id": endpoint_id, "since": since}).rowcount


def resend_latest(scope: Scope, endpoint_id: str, since: datetime) -> int:
    """Send the newest event of each object again; how many."""
    return scope.connection.execute(_RESEND_LATEST, {"id": endpoint_id, "since": since}).rowcount


def take(scope: Scope, listener_id: str, limit: int) -> Sequence[tuple[str, str, Event]]:
    """Hand a listener's pending deliveries over: each one's id, API version and event."""
    rows = scope.connection.execute(_TAKE, {"id": listener_id, "limit": limit}).mappings()
    names = [field.name for field in fields(Event)]
    return [(row["delivery_id"], row["api_version"], Event(**{name: row[name] for name in names})) for row in rows]


def prolong(scope: Scope, listener_id: str, seconds: int) -> None:
    """Keep a listener for that many seconds from now."""
    scope.connection.execute(_PROLONG, {"id": listener_id, "seconds": seconds})


def lock_untold(connection: Connection) -> Untold | None:
    """An endpoint that was disabled for its merchant and is not told of yet; other workers skip it."""
    row = connection.execute(_UNTOLD).mappings().one_or_none()
    return None if row is None else Untold(**row)


def tell(scope: Scope, endpoint_id: str) -> None:
    """An endpoint is told of."""
    scope.connection.execute(_TELL, {"id": endpoint_id})
