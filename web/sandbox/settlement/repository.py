"""Every query on settlement batches and their lines."""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from web.sandbox.database import Conn
from web.sandbox.settlement.domain import Item, Line

_LINE_COLUMNS = ", ".join(field.name for field in fields(Line))
_PAYMENTS = """
SELECT p.id AS payment_id, c.id AS capture_reference, p.reference AS attempt_reference,
       coalesce(p.brand, p.method) AS brand, c.currency, c.amount_minor, p.created_at,
       c.reference AS own_reference
  FROM captures AS c JOIN payments AS p ON p.id = c.payment_id
 WHERE c.account = %s AND c.status = 'succeeded' AND c.batch_id IS NULL AND c.captured_at < %s
 ORDER BY p.created_at, c.id FOR UPDATE OF c
"""
_REFUNDS = """
SELECT p.id AS payment_id, '' AS capture_reference, p.reference AS attempt_reference,
       coalesce(p.brand, p.method) AS brand,
       r.currency, r.amount_minor, r.created_at, r.id AS refund_id, r.reference AS own_reference
  FROM refunds AS r JOIN payments AS p ON p.id = r.payment_id
 WHERE r.account = %s AND r.status = 'succeeded' AND r.batch_id IS NULL AND r.succeeded_at < %s
 ORDER BY r.created_at, r.id FOR UPDATE OF r
"""
_DISPUTES = """
SELECT p.id AS payment_id, '' AS capture_reference, p.reference AS attempt_reference,
       coalesce(p.brand, p.method) AS brand, m.currency,
       CASE m.kind WHEN 'chargeback' THEN -m.amount_minor ELSE m.amount_minor END AS amount_minor,
       m.moved_at AS created_at, m.dispute_id, m.id AS movement_id
  FROM dispute_movements AS m JOIN payments AS p ON p.id = m.payment_id
 WHERE m.account = %s AND m.batch_id IS NULL AND m.moved_at < %s
 ORDER BY m.moved_at, m.id FOR UPDATE OF m
"""
_LATER = """
SELECT (SELECT count(*) FROM captures WHERE account = %(account)s AND status = 'succeeded' AND batch_id IS NULL)
     + (SELECT count(*) FROM refunds WHERE account = %(account)s AND status = 'succeeded' AND batch_id IS NULL)
     + (SELECT count(*) FROM dispute_movements WHERE account = %(account)s AND batch_id IS NULL) AS later
"""


@dataclass(frozen=True)
class Batch:
    """One closed batch. `answer_key` lists the planted errors."""

    id: int
    account: str
    batch_number: int
    business_date: date
    line_count: int
    answer_key: list[dict[str, Any]]
    closed_at: datetime


_BATCH_COLUMNS = ", ".join(field.name for field in fields(Batch))


def lock(connection: Conn, account: str) -> None:
    """Let one transaction at a time close batches of the account."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"settlement:{account}"])


def unbatched(connection: Conn, account: str, before: datetime) -> list[Item]:
    """Payments, refunds and what disputes moved that no batch holds, done before an instant, locked."""
    items = []
    for query in (_PAYMENTS, _REFUNDS, _DISPUTES):
        items += connection.cursor(row_factory=class_row(Item)).execute(query, [account, before]).fetchall()
    return sorted(items, key=lambda item: (item.created_at, item.movement_id or item.refund_id or item.payment_id))


def left_for_later(connection: Conn, account: str) -> int:
    """How many payments, refunds and movements of disputes still wait for a batch."""
    row = connection.execute(_LATER, {"account": account}).fetchone()
    return 0 if row is None else int(row["later"])


def next_number(connection: Conn, account: str) -> int:
    """The account's next batch number, under `lock`."""
    row = connection.execute(
        "SELECT coalesce(max(batch_number), 0) + 1 AS next FROM settlement_batches WHERE account = %s", [account]
    ).fetchone()
    return 1 if row is None else int(row["next"])


def insert(
    connection: Conn,
    account: str,
    batch_number: int,
    day: date,
    *,
    lines: Sequence[Line],
    items: Sequence[Item],
    answer_key: Sequence[dict[str, Any]],
) -> Batch:
    """Store a closed batch with its lines and tie its payments and refunds to it for good."""
    cursor = connection.cursor(row_factory=class_row(Batch))
    batch = cursor.execute(
        "INSERT INTO settlement_batches"  # noqa: S608 - constants only
        " (account, batch_number, business_date, line_count, answer_key)"
        f" VALUES (%s, %s, %s, %s, %s) RETURNING {_BATCH_COLUMNS}",
        [account, batch_number, day, len(lines), json.dumps(list(answer_key))],
    ).fetchone()
    if batch is None:
        raise LookupError("the batch is gone")
    with (
        connection.cursor() as writer,
        writer.copy(f"COPY settlement_lines (batch_id, line, {_LINE_COLUMNS}) FROM STDIN") as copy,
    ):
        for number, line in enumerate(lines, start=1):
            copy.write_row((batch.id, number, *astuple(line)))
    capture_ids = [item.capture_reference for item in items if item.refund_id is None and item.movement_id is None]
    movement_ids = [item.movement_id for item in items if item.movement_id is not None]
    refund_ids = [item.refund_id for item in items if item.refund_id is not None]
    connection.execute("UPDATE captures SET batch_id = %s WHERE id = ANY(%s)", [batch.id, capture_ids])
    connection.execute("UPDATE refunds SET batch_id = %s WHERE id = ANY(%s)", [batch.id, refund_ids])
    connection.execute("UPDATE dispute_movements SET batch_id = %s WHERE id = ANY(%s)", [batch.id, movement_ids])
    return batch


def batches(connection: Conn, account: str, day: date | None = None) -> list[Batch]:
    """The account's batches, of one business day or all, in order."""
    cursor = connection.cursor(row_factory=class_row(Batch))
    return cursor.execute(
        f"SELECT {_BATCH_COLUMNS} FROM settlement_batches"  # noqa: S608 - constants only
        " WHERE account = %s AND (%s::date IS NULL OR business_date = %s) ORDER BY batch_number",
        [account, day, day],
    ).fetchall()


def lines(connection: Conn, batch_id: int) -> list[Line]:
    """A batch's lines, in order."""
    cursor = connection.cursor(row_factory=class_row(Line))
    return cursor.execute(
        f"SELECT {_LINE_COLUMNS} FROM settlement_lines WHERE batch_id = %s ORDER BY line",  # noqa: S608 - constants only
        [batch_id],
    ).fetchall()
