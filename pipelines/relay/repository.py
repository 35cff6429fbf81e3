"""Every query of the relay. The connection is in autocommit mode and holds the relay's lock."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

PAGE_ROWS = 5000

# A batch is what the next snapshot sees and the previous one did not. The range on xid serves the index; rows of
# transactions that rolled back are invisible to us anyway.
_IN_BATCH = """
    xid >= pg_snapshot_xmin(%(previous)s::pg_snapshot) AND xid < pg_snapshot_xmax(%(snapshot)s::pg_snapshot)
    AND NOT pg_visible_in_snapshot(xid, %(previous)s::pg_snapshot)
    AND pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)"""


class OutboxRow(NamedTuple):
    """An event as it was appended; `data` and `pii` are JSON text."""

    event_id: str
    type: str
    family: str
    subject: str
    sequence: int
    merchant_id: str
    livemode: bool
    time: datetime
    schema_version: int
    correlation_id: str | None
    data: str
    pii: str | None
    xid: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the relay stands: `batch` is the last one acknowledged whole; `next_snapshot` closes the batch after it."""

    epoch: int
    batch: int
    snapshot: str
    next_snapshot: str | None
    partitions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, told by two snapshots: the same rows whenever it is read.

    `partitions` are the last positions before it.
    """

    epoch: int
    number: int
    previous: str
    snapshot: str
    partitions: dict[str, str]


class CursorMovedError(Exception):
    """Somebody else has moved the cursor: this process no longer leads."""


def read_cursor(connection: psycopg.Connection) -> Cursor:
    """The relay's cursor."""
    row = connection.execute(
        "SELECT epoch, batch, snapshot::text, next_snapshot::text, partitions FROM relay_cursor"
    ).fetchone()
    if row is None:
        raise CursorMovedError("relay_cursor is empty")
    return Cursor(*row)


def has_new_rows(connection: psycopg.Connection, cursor: Cursor) -> bool:
    """Whether committed rows wait beyond the cursor's snapshot."""
    row = connection.execute(
        """SELECT EXISTS (SELECT FROM outbox WHERE xid >= pg_snapshot_xmin(%(previous)s::pg_snapshot)
                            AND NOT pg_visible_in_snapshot(xid, %(previous)s::pg_snapshot))""",
        {"previous": cursor.snapshot},
    ).fetchone()
    return row is not None and bool(row[0])


def persist_next_snapshot(connection: psycopg.Connection, cursor: Cursor) -> Batch:
    """Fix the next batch before any of it is produced: a restarted relay produces the very same one."""
    row = connection.execute(
        """UPDATE relay_cursor SET next_snapshot = pg_current_snapshot(), updated_at = now()
            WHERE epoch = %s AND batch = %s AND next_snapshot IS NULL RETURNING next_snapshot::text""",
        (cursor.epoch, cursor.batch),
    ).fetchone()
    if row is None:
        raise CursorMovedError(f"the cursor is no longer at {cursor.epoch}:{cursor.batch}")
    return Batch(cursor.epoch, cursor.batch + 1, cursor.snapshot, row[0], dict(cursor.partitions))


def rows_of(connection: psycopg.Connection, batch: Batch) -> Generator[list[OutboxRow]]:
    """The batch's rows in order, a page at a time.

    Per object, `id` grows in commit order: it is drawn under the object's lock.
    """
    columns = (
        "id::text, type, family, subject, sequence, merchant_id, livemode, time, schema_version, correlation_id, "
        "data::text, pii::text, xid::text::bigint"
    )
    with connection.transaction(), connection.cursor(name="relay_batch") as rows:
        rows.execute(
            f"SELECT {columns} FROM outbox WHERE {_IN_BATCH} ORDER BY id",  # noqa: S608 - constants of this module
            {"previous": batch.previous, "snapshot": batch.snapshot},
        )
        while page := rows.fetchmany(PAGE_ROWS):
            yield [OutboxRow(*row) for row in page]


def move_cursor(connection: psycopg.Connection, batch: Batch, partitions: dict[str, str], event_count: int) -> None:
    """Everything of the batch is acknowledged: record it, and let the cursor pass it."""
    with connection.transaction():
        moved = connection.execute(
            """UPDATE relay_cursor SET batch = %s, snapshot = next_snapshot, next_snapshot = NULL, partitions = %s,
                      updated_at = now()
                WHERE epoch = %s AND batch = %s AND next_snapshot::text = %s""",
            (batch.number, Jsonb(partitions), batch.epoch, batch.number - 1, batch.snapshot),
        ).rowcount
        if moved != 1:
            raise CursorMovedError(f"the cursor is no longer before {batch.epoch}:{batch.number}")
        connection.execute(
            """INSERT INTO relay_batches (epoch, batch, previous, snapshot, partitions, event_count)
               VALUES (%s, %s, %s::pg_snapshot, %s::pg_snapshot, %s, %s)""",
            (batch.epoch, batch.number, batch.previous, batch.snapshot, Jsonb(batch.partitions), event_count),
        )


def rewind_requests(connection: psycopg.Connection) -> dict[str, str]:
    """The consumers that lost records, each with the position after which it needs them again."""
    rows = connection.execute("SELECT name, rewind_to FROM stream_consumers WHERE rewind_to IS NOT NULL").fetchall()
    return dict(rows)


def sent_batches(connection: psycopg.Connection, from_epoch: int, from_batch: int) -> list[Batch]:
    """The acknowledged batches from one on, in order."""
    rows = connection.execute(
        """SELECT epoch, batch, previous::text, snapshot::text, partitions FROM relay_batches
            WHERE (epoch, batch) >= (%s, %s) ORDER BY epoch, batch""",
        (from_epoch, from_batch),
    ).fetchall()
    return [Batch(*row) for row in rows]


def clear_rewind_requests(connection: psycopg.Connection, requests: dict[str, str]) -> None:
    """Answer the requests, but not one that was changed meanwhile."""
    for name, rewind_to in requests.items():
        connection.execute(
            "UPDATE stream_consumers SET rewind_to = NULL, updated_at = now() WHERE name = %s AND rewind_to = %s",
            (name, rewind_to),
        )
