"""Every query on the outbox's partitions and consumers (roles `reader` and `retention`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: the time that it covers (None: no bound) and its size on disk."""

    name: str
    begin: datetime | None
    end: datetime | None
    is_default: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class Consumer:
    """A registered reader: it follows the relay (`positions`), or reads the outbox itself, `window_seconds` back."""

    name: str
    window_seconds: int | None
    positions: dict[str, str]
    rewind_to: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RelayLag:
    """How far the relay is, and what waits for it. `seconds` is the age of the oldest event that waits."""

    epoch: int
    batch: int
    partitions: dict[str, str]
    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class NeededFrom:
    """Who needs the most, and from which batch on."""

    consumer: str
    epoch: int
    batch: int


def partitions(connection: psycopg.Connection) -> list[Partition]:
    """Every partition, oldest first, the default last."""
    with connection.cursor(row_factory=class_row(Partition)) as cursor:
        return cursor.execute(
            """SELECT name, CASE WHEN lower_id IS NOT NULL THEN outbox_moment(lower_id) END AS begin,
                      CASE WHEN upper_id IS NOT NULL THEN outbox_moment(upper_id) END AS end, is_default, bytes
                 FROM outbox_partitions ORDER BY upper_id NULLS LAST"""
        ).fetchall()


def default_rows(connection: psycopg.Connection) -> int:
    """Events in no day's partition: their day was not made in time."""
    row = connection.execute("SELECT count(*) FROM outbox WHERE tableoid = 'outbox_default'::regclass").fetchone()
    return 0 if row is None else int(row[0])


def consumers(connection: psycopg.Connection) -> list[Consumer]:
    """Every registered consumer."""
    with connection.cursor(row_factory=class_row(Consumer)) as cursor:
        return cursor.execute(
            "SELECT name, window_seconds, positions, rewind_to, updated_at FROM stream_consumers ORDER BY name"
        ).fetchall()


def relay_lag(connection: psycopg.Connection) -> RelayLag:
    """The relay's cursor and what is committed beyond it."""
    row = connection.execute(
        """SELECT c.epoch, c.batch, c.partitions, count(o.id),
                  coalesce(extract(epoch FROM clock_timestamp() - min(o.time))::float8, 0)
             FROM relay_cursor AS c LEFT JOIN outbox AS o
               ON o.xid >= pg_snapshot_xmin(c.snapshot) AND NOT pg_visible_in_snapshot(o.xid, c.snapshot)
            GROUP BY c.epoch, c.batch, c.partitions"""
    ).fetchone()
    return RelayLag(0, 0, {}, 0, 0.0) if row is None else RelayLag(*row)


def needed_from(connection: psycopg.Connection) -> NeededFrom | None:
    """What some follower still lacks of the acknowledged batches; None when nobody lacks anything."""
    row = connection.execute("SELECT consumer, epoch, batch FROM outbox_needed_from()").fetchone()
    return None if row is None or row[0] is None else NeededFrom(*row)


def make_partitions(connection: psycopg.Connection, days_ahead: int) -> int:
    """Make the days that are missing, and count them."""
    row = connection.execute("SELECT outbox_make_partitions(%s)", (days_ahead,)).fetchone()
    return 0 if row is None else int(row[0])


def drop_partition(connection: psycopg.Connection, name: str, now: datetime) -> str | None:
    """Drop a partition, or say why it stays. The database checks every consumer, whoever asks."""
    row = connection.execute("SELECT outbox_drop_partition(%s, %s)", (name, now)).fetchone()
    return None if row is None else row[0]


def prune_batches(connection: psycopg.Connection) -> int:
    """Forget batches of which no row is left."""
    row = connection.execute("SELECT outbox_prune_batches()").fetchone()
    return 0 if row is None else int(row[0])
