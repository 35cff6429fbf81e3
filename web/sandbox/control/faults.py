"""Misbehaviour on demand: read and turned through /_control/faults, obeyed everywhere else."""

import random
import time
from datetime import datetime
from typing import Any

from web.sandbox.clock import timestamp
from web.sandbox.database import Conn
from web.sandbox.edge import context
from web.sandbox.edge.problems import ProblemError

_DIALS = (
    "latency_ms, timeout_after_charge_next, error_after_charge_next, duplicate_webhooks, reorder_webhooks,"
    " webhook_delay_ms, webhook_jitter_ms"
)
_REORDER_STEP_MS = 200


def show(connection: Conn, account: str) -> dict[str, Any]:
    """The account's dials as they stand."""
    row = _row(connection, account)
    down_until: datetime | None = row.pop("down_until")
    return {"account": account, **row, "down_until": timestamp(down_until) if down_until else None}


def turn(connection: Conn, account: str, dials: dict[str, int]) -> None:
    """Set the dials that are named; `down_seconds` counts from now, 0 ends it. The others stay as they are."""
    connection.execute("INSERT INTO faults (account) VALUES (%s) ON CONFLICT DO NOTHING", [account])
    connection.execute(
        "UPDATE faults SET latency_ms = coalesce(%(latency_ms)s, latency_ms),"
        " timeout_after_charge_next = coalesce(%(timeout_after_charge_next)s, timeout_after_charge_next),"
        " error_after_charge_next = coalesce(%(error_after_charge_next)s, error_after_charge_next),"
        " reorder_webhooks = coalesce(%(reorder_webhooks)s, reorder_webhooks),"
        " duplicate_webhooks = coalesce(%(duplicate_webhooks)s, duplicate_webhooks),"
        " webhook_delay_ms = coalesce(%(webhook_delay_ms)s, webhook_delay_ms),"
        " webhook_jitter_ms = coalesce(%(webhook_jitter_ms)s, webhook_jitter_ms),"
        " down_until = CASE WHEN %(down_seconds)s::integer IS NULL THEN down_until"
        " ELSE now() + make_interval(secs => %(down_seconds)s::integer) END"
        " WHERE account = %(account)s",
        {**dict.fromkeys([*_DIALS.split(", "), "down_seconds"]), **dials, "account": account},
    )


def obey(account: str) -> None:
    """Be slow, or be down: called at the start of every request of an account. Raises ProblemError 503."""
    with context.database().transaction() as connection:
        row = connection.execute(
            "SELECT latency_ms, ceil(extract(epoch FROM down_until - now()))::integer AS down_seconds"
            " FROM faults WHERE account = %s",
            [account],
        ).fetchone()
    if row is None:
        return
    if row["latency_ms"]:
        time.sleep(row["latency_ms"] / 1000)
    if row["down_seconds"] is not None and row["down_seconds"] > 0:
        raise ProblemError(
            503, "service_unavailable", "The sandbox was told to be down.", retry_after=row["down_seconds"]
        )


def take_timeout(connection: Conn, account: str) -> bool:
    """Whether this charge is one of the next ones whose answer must come too late; counts it."""
    return _take(connection, account, "timeout_after_charge_next")


def take_error(connection: Conn, account: str) -> bool:
    """Whether this charge is one of the next ones whose answer must be a 500; counts it."""
    return _take(connection, account, "error_after_charge_next")


def take_duplicate(connection: Conn, account: str) -> bool:
    """Whether this webhook is one of the next ones that must be sent twice; counts it."""
    return _take(connection, account, "duplicate_webhooks")


def webhook_delay_ms(connection: Conn, account: str) -> int:
    """How long the next webhook has to wait: the fixed delay, a random part, and what turns the order round."""
    row = connection.execute(
        "SELECT webhook_delay_ms, webhook_jitter_ms, reorder_webhooks FROM faults WHERE account = %s", [account]
    ).fetchone()
    if row is None:
        return 0
    # Of the next n webhooks the first waits longest and the last not at all: they go out in the opposite order.
    turned_ms = row["reorder_webhooks"] * _REORDER_STEP_MS if _take(connection, account, "reorder_webhooks") else 0
    jitter_ms = random.randint(0, row["webhook_jitter_ms"])  # noqa: S311 - no secret
    return int(row["webhook_delay_ms"]) + jitter_ms + turned_ms


def _take(connection: Conn, account: str, dial: str) -> bool:
    taken = connection.execute(
        f"UPDATE faults SET {dial} = {dial} - 1 WHERE account = %s AND {dial} > 0 RETURNING 1",  # noqa: S608 - constants only
        [account],
    ).fetchone()
    return taken is not None


def _row(connection: Conn, account: str) -> dict[str, Any]:
    row = connection.execute(
        f"SELECT {_DIALS}, CASE WHEN down_until > now() THEN down_until END AS down_until FROM faults"  # noqa: S608
        " WHERE account = %s",
        [account],
    ).fetchone()
    return row or {**dict.fromkeys(_DIALS.split(", "), 0), "down_until": None}
