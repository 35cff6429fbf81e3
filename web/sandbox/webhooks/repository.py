"""Every query on queued webhooks."""

from dataclasses import dataclass
from datetime import timedelta

from psycopg.rows import class_row

from web.sandbox.database import Conn

LEASE_SECONDS = 30


@dataclass(frozen=True)
class Delivery:
    """One webhook that is to be sent now. `tries` counts this one."""

    id: str
    account: str
    body: str
    tries: int


def lease(connection: Conn, count_max: int) -> list[Delivery]:
    """Take what is due, oldest first. A dead sender's deliveries come back when their lease ends."""
    cursor = connection.cursor(row_factory=class_row(Delivery))
    return cursor.execute(
        "WITH due AS (SELECT id FROM webhook_events WHERE send_after <= now()"
        " ORDER BY send_after, id LIMIT %s FOR UPDATE SKIP LOCKED)"
        " UPDATE webhook_events AS e SET send_after = now() + %s, tries = tries + 1 FROM due WHERE e.id = due.id"
        " RETURNING e.id, e.account, e.body, e.tries",
        [count_max, timedelta(seconds=LEASE_SECONDS)],
    ).fetchall()


def mark_delivered(connection: Conn, event_id: str) -> None:
    """The receiver has it. An event that must be sent twice becomes due once more."""
    connection.execute(
        "UPDATE webhook_events SET delivered_at = coalesce(delivered_at, now()), last_error = NULL,"
        " send_after = CASE WHEN duplicates_left > 0 THEN now() ELSE 'infinity' END,"
        " duplicates_left = greatest(duplicates_left - 1, 0) WHERE id = %s",
        [event_id],
    )


def mark_failed(connection: Conn, event_id: str, error: str, retry_in_seconds: float) -> None:
    """The receiver does not have it, as far as we know: it is due again later."""
    connection.execute(
        "UPDATE webhook_events SET last_error = %s, send_after = now() + %s WHERE id = %s",
        [error[:500], timedelta(seconds=retry_in_seconds), event_id],
    )


def seconds_until_due(connection: Conn) -> float | None:
    """How long until the next webhook is due, or None when none is queued."""
    row = connection.execute(
        "SELECT extract(epoch FROM min(send_after) - now())::float8 AS wait"
        " FROM webhook_events WHERE send_after < 'infinity'"
    ).fetchone()
    return None if row is None or row["wait"] is None else max(0.0, float(row["wait"]))
