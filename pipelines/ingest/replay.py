"""Reading a range of the stream again. What the lake has is dropped by its position, so this is always safe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from pipelines.ingest import repository
from pipelines.leadership import connect
from pipelines.positions import START, Position, PositionError, parse_positions
from regions.errors import UsageError
from warehouse.lake import OFFSETS, Lake
from warehouse.lake_swap import commit_change

if TYPE_CHECKING:
    from pyiceberg.table import Table, Transaction

    from regions.region import Region


class Source(StrEnum):
    """Where the range comes from."""

    KAFKA = "kafka"  # every partition is read again from its start
    OUTBOX = "outbox"  # the relay sends everything after a position again


def replay(region: Region, env: Mapping[str, str], source: Source, after: str) -> str:
    """Have a range taken again by the running ingest, or by the next one; returns what was asked for (role `lake`).

    From the outbox: everything after position `after`; the lowest that the lake has unless told. Raises UsageError.
    """
    lake = Lake.open(region, env)
    try:
        if source is Source.KAFKA:
            if after:
                raise UsageError("--after is for --source outbox: Kafka is read again from its start")
            commit_change(lake, "events", _forget_offsets)
            return "every partition is read again from its start"
        position = _position(after) if after else min(parse_positions(lake.positions()).values(), default=START)
    finally:
        lake.close()
    with connect(region, region.database_url(env), "meridian ingest replay") as connection:
        repository.request_rewind(connection, str(position))
    return f"the relay sends everything after {position} again"


def _forget_offsets(_: Table, transaction: Transaction) -> bool:
    """Offsets are a hint. A running ingest finds that they have changed, starts over, and reads from the start."""
    transaction.set_properties({OFFSETS: json.dumps({})})
    return True


def _position(text: str) -> Position:
    try:
        return Position.parse(text)
    except PositionError as error:
        raise UsageError(f"--after: {error}") from error
