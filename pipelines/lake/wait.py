"""Waiting until the lake holds everything that was committed up to a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.lake import repository
from pipelines.positions import missing, parse_positions
from regions.errors import MeridianError
from warehouse.lake import LakeTableMissingError, read_lake_seq

if TYPE_CHECKING:
    import psycopg

    from warehouse.lake import Lake

POLL_SECONDS = 0.2


class LakeBehindError(MeridianError):
    """The lake did not get there in time; the message says what it still waits for."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What the lake held when the wait ended."""

    lake_seq: int
    snapshot_id: int | None
    positions: dict[str, str]


def wait_for_lake(connection: psycopg.Connection, lake: Lake, until: datetime, timeout_seconds: float) -> Reached:
    """Wait for every event with a time before `until`, also those of transactions that have not committed yet.

    Raises LakeBehindError after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    horizon = repository.horizon(connection)
    _poll(
        deadline,
        lambda: "" if repository.is_settled(connection, horizon) else "a transaction that began before is still open",
    )
    _poll(deadline, lambda: _unsent(repository.count_unsent(connection, until)))
    target = parse_positions(repository.stream_state(connection).partitions)

    def behind() -> str:
        try:
            reached = parse_positions(lake.positions())
        except LakeTableMissingError as error:
            return str(error)
        gaps = missing(target, reached)
        return f"the ingest has not reached {', '.join(sorted(gaps))}" if gaps else ""

    _poll(deadline, behind)
    events = lake.events()
    snapshot = events.current_snapshot()
    return Reached(read_lake_seq(events), snapshot.snapshot_id if snapshot else None, lake.positions())


def _unsent(count: int) -> str:
    return f"the relay has not sent {count} events" if count else ""


def _poll(deadline: float, obstacle: Callable[[], str]) -> None:
    """Ask until nothing stands in the way."""
    while reason := obstacle():
        if time.monotonic() >= deadline:
            raise LakeBehindError(f"The lake is behind: {reason}")
        time.sleep(POLL_SECONDS)
