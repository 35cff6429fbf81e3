"""What the lake holds, and how far relay and ingest are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from pipelines.lake import repository
from pipelines.leadership import connect
from pipelines.positions import Position, missing, parse_positions
from warehouse.lake import Lake, LakeTableMissingError, read_lake_seq
from warehouse.lake_tables import table_names

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from regions.region import Region


class TableStatus(TypedDict):
    """One table: its rows, live data files and their size, and the snapshots that are kept."""

    name: str
    rows: int
    files: int
    bytes: int
    snapshots: int


class LakeStatus(TypedDict):
    """One region's stream at a glance. `is_caught_up`: everything committed is in the lake."""

    region: str
    events: int
    quarantined: int
    lake_seq: int
    snapshot_id: int | None
    relay_position: str
    unsent_events: int
    partitions_behind: int
    rewind_to: str | None
    relay_lag_seconds: float
    lake_lag_seconds: float
    is_caught_up: bool
    tables: list[TableStatus]
    positions: dict[str, str]


def read_status(region: Region, env: Mapping[str, str]) -> LakeStatus:
    """Ask the database and the lake. Raises ConfigurationError or UnavailableError."""
    with connect(region, region.database_url(env), "meridian lake status") as connection:
        state = repository.stream_state(connection)
        relay_lag = repository.oldest_unsent_seconds(connection)
        sent = repository.sent_at(connection)
    lake = Lake.open(region, env)
    try:
        events, quarantine = _table(lake, "events"), _table(lake, "quarantine")
        positions = lake.positions() if events else {}
        tables = [_table_status(name, found) for name in table_names(lake) if (found := _table(lake, name)) is not None]
    finally:
        lake.close()
    behind = missing(parse_positions(state.partitions), parse_positions(positions))
    snapshot = events.current_snapshot() if events else None
    return LakeStatus(
        region=region.code,
        events=_rows(events),
        quarantined=_rows(quarantine),
        lake_seq=read_lake_seq(events) if events else 0,
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        relay_position=f"{state.epoch}:{state.batch}",
        unsent_events=state.unsent,
        partitions_behind=len(behind),
        rewind_to=state.rewind_to,
        relay_lag_seconds=round(relay_lag, 3),
        lake_lag_seconds=round(_lake_lag(sent, behind), 3) if behind else 0.0,
        is_caught_up=not behind and state.unsent == 0,
        tables=tables,
        positions=positions,
    )


def _lake_lag(sent: list[tuple[int, int, float]], behind: Mapping[str, Position]) -> float:
    """How long ago the oldest batch was sent of which the lake lacks something, in seconds."""
    reached = min(behind.values())
    ages = [age for epoch, batch, age in sent if (epoch, batch) > (reached.epoch, reached.batch - 1)]
    return max(ages, default=0.0)


def _table_status(name: str, table: Table) -> TableStatus:
    totals = _totals(table)
    return TableStatus(
        name=name,
        rows=totals.get("total-records", 0),
        files=totals.get("total-data-files", 0),
        bytes=totals.get("total-files-size", 0),
        snapshots=len(table.snapshots()),
    )


def _totals(table: Table) -> dict[str, int]:
    """The snapshot's own totals."""
    snapshot = table.current_snapshot()
    if snapshot is None or snapshot.summary is None:
        return {}
    return {
        key: int(value) for key, value in snapshot.summary.additional_properties.items() if key.startswith("total-")
    }


def _table(lake: Lake, name: str) -> Table | None:
    try:
        return lake.table(name)
    except LakeTableMissingError:
        return None


def _rows(table: Table | None) -> int:
    """The number of rows."""
    return _totals(table).get("total-records", 0) if table else 0
