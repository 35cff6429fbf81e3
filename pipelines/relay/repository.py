"""Every query of the relay. The connection is in autocommit mode and holds the relay's lock."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, cast

import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb
from psycopg.types.string import ByteaBinaryLoader

from pipelines.stamps import blank

PAGE_ROWS = 500
LONG_ROWS = 20_000  # more rows than that are not worth sorting

# A batch is what the next snapshot sees and the previous one did not. The range on xid serves the index; rows of
# transactions that rolled back are invisible to us anyway.
_IN_BATCH = """
    xid >= pg_snapshot_xmin(%(previous)s::pg_snapshot) AND xid < pg_snapshot_xmax(%(snapshot)s::pg_snapshot)
    AND NOT pg_visible_in_snapshot(xid, %(previous)s::pg_snapshot)
    AND pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)"""


# The event's envelope, attribute by attribute as regions.events.envelope_json has it: PostgreSQL has the texts at hand,
# and what it has written nobody takes apart again. What is long is joined to the rest only once. `stamp` is the blank
# stamp of the batch (pipelines.stamps).
_COLUMNS = """
    family || '/' || subject AS route,
    ('{"specversion":"1.0","id":"' || id || '","type":' || to_json(type)::text || %(source)s::text
       || to_json(subject)::text
       || ',"time":"' || to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || %(region)s::text
       || to_json(merchant_id)::text
       || CASE WHEN livemode THEN ',"livemode":true,"sequence":' ELSE ',"livemode":false,"sequence":' END || sequence
       || ',"schema_version":' || schema_version
       || ',"correlation_id":' || coalesce(to_json(correlation_id)::text, 'null') || ',"data":')
    || data::text || (',"pii":' || coalesce(pii::text, 'null') || (',"xid":' || xid::text || %(stamp)s::text))
    AS value"""
# All of them are put together from constants of this module.
_SHORT = f"""SELECT route, value
               FROM (SELECT id, {_COLUMNS} FROM outbox WHERE {_IN_BATCH} OFFSET 0) AS batch ORDER BY batch.id"""  # noqa: S608
_LONG = f"SELECT {_COLUMNS} FROM outbox WHERE {_IN_BATCH} AND outbox.id >= %(first)s ORDER BY outbox.id"  # noqa: S608
_FIRST = f"SELECT encode(min(uuid_send(id)), 'hex')::uuid FROM outbox WHERE {_IN_BATCH}"  # noqa: S608
_IS_LONG = f"SELECT count(*) > %(rows)s FROM (SELECT FROM outbox WHERE {_IN_BATCH} LIMIT %(rows)s + 1) AS b"  # noqa: S608


class OutboxRow(NamedTuple):
    """An event as the relay reads it, in UTF-8: family, `/` and subject; and the record's value with a blank stamp."""

    route: bytes
    value: bytes


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

    `partitions` are all partitions of its time, with their last positions before it.
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


def persist_next_snapshot(connection: psycopg.Connection, cursor: Cursor, partitions: dict[str, str]) -> Batch:
    """Fix the next batch, and the partitions that it may use, before any of it is produced.

    A restarted relay produces the very same one.
    """
    row = connection.execute(
        """UPDATE relay_cursor SET next_snapshot = pg_current_snapshot(), partitions = %s, updated_at = now()
            WHERE epoch = %s AND batch = %s AND next_snapshot IS NULL RETURNING next_snapshot::text""",
        (Jsonb(partitions), cursor.epoch, cursor.batch),
    ).fetchone()
    if row is None:
        raise CursorMovedError(f"the cursor is no longer at {cursor.epoch}:{cursor.batch}")
    return Batch(cursor.epoch, cursor.batch + 1, cursor.snapshot, row[0], dict(partitions))


def rows_of(connection: psycopg.Connection, batch: Batch, region: str) -> Generator[list[OutboxRow]]:
    """The batch's rows in order, a page at a time.

    Per object, `id` grows in commit order: it is drawn under the object's lock. A small batch is found by its
    transactions and sorted. A long backlog is walked in the order of the key, from its lowest id on: sorting it would
    write it to disk first. PostgreSQL writes ahead of us into the socket's buffers, and stops when they are full: so it
    works while we do, without a thread that would have to share Python's lock. Rows are plain tuples in the order of
    OutboxRow: making one costs as much as reading it.
    """
    values: dict[str, object] = {
        "previous": batch.previous,
        "snapshot": batch.snapshot,
        "source": f',"source":"/meridian/{region}","subject":',
        "region": f'","datacontenttype":"application/json","region":"{region}","merchant_id":',
        "stamp": blank(batch.epoch, batch.number),
    }
    with connection.transaction():
        connection.execute("SET LOCAL TimeZone = 'UTC'")  # as an event says its time
        row = connection.execute(_IS_LONG, {**values, "rows": LONG_ROWS}).fetchone()
        if row is not None and row[0]:
            first = connection.execute(_FIRST, values).fetchone()
            for method in ("sort", "seqscan", "bitmapscan"):
                connection.execute(f"SET LOCAL enable_{method} = off")
            query, values["first"] = _LONG, first and first[0]
        else:
            query = _SHORT
        with connection.cursor(row_factory=tuple_row) as cursor:
            cursor.adapters.register_loader("text", ByteaBinaryLoader)
            stream = cast("Generator[OutboxRow]", cursor.stream(query, values, binary=True, size=PAGE_ROWS))
            with closing(stream) as rows:
                while page := list(islice(rows, PAGE_ROWS)):
                    yield page


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


def unsent_ids(connection: psycopg.Connection) -> set[str]:
    """The committed events beyond the cursor."""
    rows = connection.execute(
        "SELECT o.id::text FROM outbox AS o, relay_cursor AS c WHERE NOT pg_visible_in_snapshot(o.xid, c.snapshot)"
    ).fetchall()
    return {row[0] for row in rows}


def new_epoch(connection: psycopg.Connection, sent: list[str]) -> tuple[int, int, bool]:
    """Begin a new epoch in which `sent` counts as sent: the epoch, how many that were, whether rows were renumbered."""
    row = connection.execute("SELECT * FROM relay_new_epoch(%s::uuid[])", (sent,)).fetchone()
    if row is None:
        raise CursorMovedError("relay_cursor is empty")
    return int(row[0]), int(row[1]), bool(row[2])
