"""Every query of the lake commands on the region's tables (role `reader`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far the relay is, and how far the lake has said it is."""

    epoch: int
    batch: int
    partitions: dict[str, str]
    unsent: int
    rewind_to: str | None


def horizon(connection: psycopg.Connection) -> str:
    """A transaction id above that of every transaction which has begun to write by now.

    One is drawn for it: a snapshot's xmax does not cover running transactions that are younger than all finished ones.
    """
    row = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
    return "" if row is None else str(row[0])


def is_settled(connection: psycopg.Connection, below: str) -> bool:
    """Whether all transactions below a transaction id have ended, so that nothing of them can still appear."""
    row = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8", (below,)).fetchone()
    return row is not None and bool(row[0])


def count_unsent(connection: psycopg.Connection, until: datetime) -> int:
    """Committed events from before a moment that the relay has not had acknowledged."""
    row = connection.execute(
        """SELECT count(*) FROM outbox, relay_cursor
            WHERE time < %s AND xid >= pg_snapshot_xmin(snapshot) AND NOT pg_visible_in_snapshot(xid, snapshot)""",
        (until,),
    ).fetchone()
    return 0 if row is None else int(row[0])


def stream_state(connection: psycopg.Connection) -> StreamState:
    """The relay's cursor, the events beyond it, and a rewind that the lake has asked for."""
    row = connection.execute(
        """SELECT epoch, batch, partitions,
                  (SELECT count(*) FROM outbox
                    WHERE xid >= pg_snapshot_xmin(snapshot) AND NOT pg_visible_in_snapshot(xid, snapshot)),
                  (SELECT rewind_to FROM stream_consumers WHERE name = 'lake')
             FROM relay_cursor"""
    ).fetchone()
    return StreamState(0, 0, {}, 0, None) if row is None else StreamState(*row)


def oldest_unsent_seconds(connection: psycopg.Connection) -> float:
    """How long ago the oldest event was appended that the relay has not had acknowledged; 0 when there is none."""
    row = connection.execute(
        """SELECT coalesce(extract(epoch FROM clock_timestamp() - min(time)), 0)::float8 FROM outbox, relay_cursor
            WHERE xid >= pg_snapshot_xmin(snapshot) AND NOT pg_visible_in_snapshot(xid, snapshot)"""
    ).fetchone()
    return 0.0 if row is None else max(0.0, float(row[0]))


def sent_at(connection: psycopg.Connection) -> list[tuple[int, int, float]]:
    """The relay's acknowledged batches that are kept: epoch, batch, and how many seconds ago."""
    return connection.execute(
        "SELECT epoch, batch, extract(epoch FROM clock_timestamp() - produced_at)::float8 FROM relay_batches"
    ).fetchall()
