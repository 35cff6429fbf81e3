"""What the lake holds, and how far relay and ingest are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from pipelines.lake import repository
from pipelines.leadership import connect
from pipelines.positions import missing, parse_positions
from warehouse.lake import Lake, LakeTableMissingError, read_lake_seq

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from regions.region import Region


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
    is_caught_up: bool
    positions: dict[str, str]


def read_status(region: Region, env: Mapping[str, str]) -> LakeStatus:
    """Ask the database and the lake. Raises ConfigurationError or UnavailableError."""
    with connect(region, region.database_url(env), "meridian lake status") as connection:
        state = repository.stream_state(connection)
    lake = Lake.open(region, env)
    try:
        events, quarantine = _table(lake, "events"), _table(lake, "quarantine")
        positions = lake.positions() if events else {}
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
        is_caught_up=not behind and state.unsent == 0,
        positions=positions,
    )


def _table(lake: Lake, name: str) -> Table | None:
    try:
        return lake.table(name)
    except LakeTableMissingError:
        return None


def _rows(table: Table | None) -> int:
    """The number of rows, from the snapshot's own totals."""
    snapshot = table.current_snapshot() if table else None
    if snapshot is None or snapshot.summary is None:
        return 0
    return int(snapshot.summary.additional_properties.get("total-records", "0"))
