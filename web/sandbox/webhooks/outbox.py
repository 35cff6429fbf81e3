"""Webhooks are written in the transaction of the change they tell about, so none is lost and none is invented."""

import json
from datetime import UTC, datetime
from typing import Any

import uuid_utils

from web.sandbox.clock import timestamp
from web.sandbox.control import faults
from web.sandbox.database import Conn

CHANNEL = "sandbox_webhooks"


def enqueue(connection: Conn, account: str, event_type: str, document: dict[str, Any]) -> None:
    """Queue one event; the sender is woken at commit."""
    event_id = f"evt_{uuid_utils.uuid7().hex}"
    created_at = timestamp(datetime.now(UTC))
    body = json.dumps(
        {"id": event_id, "type": event_type, "created_at": created_at, "account": account, "data": document},
        separators=(",", ":"),
    )
    connection.execute(
        "INSERT INTO webhook_events (id, account, type, body, send_after, duplicates_left)"
        " VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s / 1000.0), %s)",
        [
            event_id,
            account,
            event_type,
            body,
            faults.webhook_delay_ms(connection, account),
            int(faults.take_duplicate(connection, account)),
        ],
    )
    connection.execute(f"NOTIFY {CHANNEL}")
