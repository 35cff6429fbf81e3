from datetime import datetime

from sqlalchemy import Connection, text

from web.gateways.models import InboxMessage

_KEEP = text("""
INSERT INTO gateway_webhooks (id, gateway, gateway_event_id, body, received_at, process_after)
VALUES (:id, :gateway, :gateway_event_id, :body, :now, :now)
ON CONFLICT (gateway, gateway_event_id) DO NOTHING
""")
_LOCK_DUE = text("""
SELECT id, gateway, body, tries, received_at FROM gateway_webhooks
 WHERE processed_at IS NULL AND process_after <= :now
 ORDER BY process_after LIMIT 1 FOR UPDATE SKIP LOCKED
""")
# A message about somebody who has been erased keeps nothing: it came late, or again.
_DONE = text("""
UPDATE gateway_webhooks
   SET processed_at = :now, tries = tries + 1, error = NULL, object_id = :object_id,
       body = CASE WHEN EXISTS (
         SELECT FROM (SELECT payment_id FROM attempts WHERE id = :object_id
                      UNION ALL SELECT payment_id FROM refunds WHERE id = :object_id
                      UNION ALL SELECT payment_id FROM captures WHERE id = :object_id
                      UNION ALL SELECT payment_id FROM voids WHERE id = :object_id
                      UNION ALL SELECT payment_id FROM disputes WHERE id = :object_id) AS o
           JOIN payments AS p ON p.id = o.payment_id JOIN checkout_sessions AS s ON s.id = p.session_id
           JOIN data_subjects AS d ON d.id = s.subject_id
          WHERE d.erased_at IS NOT NULL
       ) THEN '' ELSE body END
 WHERE id = :id
""")
_AGAIN = text("""
UPDATE gateway_webhooks SET tries = tries + 1, error = :error, process_after = :process_after WHERE id = :id
""")
_PARK = text("UPDATE gateway_webhooks SET tries = tries + 1, error = :error, process_after = 'infinity' WHERE id = :id")


def keep(connection: Connection, message_id: str, gateway: str, event_id: str, body: bytes, now: datetime) -> bool:
    """Put an encrypted webhook into the inbox; False for one that is there already."""
    values = {"id": message_id, "gateway": gateway, "gateway_event_id": event_id, "body": body, "now": now}
    return connection.execute(_KEEP, values).rowcount == 1


def lock_due(connection: Connection, now: datetime) -> InboxMessage | None:
    """Lock one message whose time has come; other workers skip it."""
    row = connection.execute(_LOCK_DUE, {"now": now}).mappings().one_or_none()
    return None if row is None else InboxMessage(**row)


def mark_done(connection: Connection, message_id: str, object_id: str | None, now: datetime) -> None:
    """The message has had its effect; `object_id` is the attempt or refund that it was about, None for neither."""
    connection.execute(_DONE, {"id": message_id, "object_id": object_id, "now": now})


def try_again(connection: Connection, message_id: str, error: str, process_after: datetime) -> None:
    """The message could not be processed; `error` names the reason and holds no personal data."""
    connection.execute(_AGAIN, {"id": message_id, "error": error, "process_after": process_after})


def park(connection: Connection, message_id: str, error: str) -> None:
    """Nobody tries the message again until a person has looked."""
    connection.execute(_PARK, {"id": message_id, "error": error})
