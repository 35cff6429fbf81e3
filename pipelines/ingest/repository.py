"""Every query of the ingest on the region's tables (role `lake`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    import psycopg

CONSUMER = "lake"


@dataclass(frozen=True, slots=True)
class RelayState:
    """What the relay has had acknowledged, and whether our request to send again still waits."""

    partitions: dict[str, str]
    is_rewind_pending: bool


def register(connection: psycopg.Connection, positions: dict[str, str], consumer: str = CONSUMER) -> None:
    """Tell how far a consumer is. The lake's row follows its commits and may lag behind them, never lead."""
    connection.execute(
        """INSERT INTO stream_consumers (name, positions) VALUES (%s, %s)
           ON CONFLICT (name) DO UPDATE SET positions = excluded.positions, updated_at = now()""",
        (consumer, Jsonb(positions)),
    )


def request_rewind(connection: psycopg.Connection, after: str, consumer: str = CONSUMER) -> None:
    """Ask the relay to send everything after a position again."""
    connection.execute(
        "UPDATE stream_consumers SET rewind_to = %s, updated_at = now() WHERE name = %s", (after, consumer)
    )


def relay_state(connection: psycopg.Connection, consumer: str = CONSUMER) -> RelayState:
    """The relay's acknowledged positions, and our pending request."""
    row = connection.execute(
        """SELECT partitions, EXISTS (SELECT FROM stream_consumers WHERE name = %s AND rewind_to IS NOT NULL)
             FROM relay_cursor""",
        (consumer,),
    ).fetchone()
    return RelayState({}, is_rewind_pending=False) if row is None else RelayState(row[0], bool(row[1]))
