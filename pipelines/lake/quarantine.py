"""What the lake has set aside: listing it, and replaying what has become valid since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import In

from pipelines.ingest.parse import Sorted, events_table, sort_records
from pipelines.ingest.records import Record
from warehouse.lake import LAKE_SEQ, Lake, read_lake_seq
from warehouse.lake_rewrite import Change, rewrite
from warehouse.lake_writer import stage_append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regions.region import Region


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record in quarantine. `position` is empty for one that the relay did not send; such a one is never replayed."""

    topic: str
    partition: int
    offset: int
    position: str
    reason: str
    size_bytes: int
    quarantined_at: datetime

    def to_json(self) -> dict[str, Any]:
        """For the command's output. Neither key nor value: they may be personal."""
        return asdict(self) | {"quarantined_at": self.quarantined_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: events that came into the lake, and records that stay, each with its reason of today."""

    accepted: int
    removed: int
    staying: tuple[str, ...]


def list_set_aside(region: Region, env: Mapping[str, str]) -> list[SetAside]:
    """Every record in quarantine, oldest first (role `reader`)."""
    lake = Lake.open(region, env)
    try:
        rows = lake.quarantine().scan().to_arrow().to_pylist()
    finally:
        lake.close()
    found = [
        SetAside(
            row["kafka_topic"],
            row["kafka_partition"],
            row["kafka_offset"],
            row["position"] or "",
            row["reason"],
            len(row["value"] or b""),
            row["quarantined_at"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.quarantined_at, one.topic, one.partition, one.offset))


def replay(region: Region, env: Mapping[str, str], at: datetime) -> Replayed:
    """Judge every record in quarantine again, and move those that are events now into the lake, each once.

    For role `lake`. First the events come in, in a commit that fails if any row has come in since we looked; then the
    records go. A crash between the two leaves records whose events are there: the next replay removes them. Raises
    AnotherWriterError when the ingest commits at the same moment: try again.
    """
    lake = Lake.open(region, env)
    try:
        waiting = [_record(row) for row in lake.quarantine().scan().to_arrow().to_pylist() if row["position"]]
        judged = sort_records(region.code, waiting)
        accepted = _append(lake, judged, at) if judged.events else 0
        removed = _remove(lake, [event.position for event in judged.events]) if judged.events else 0
        return Replayed(accepted, removed, tuple(item.reason for item in judged.rejected))
    finally:
        lake.close()


def _record(row: Mapping[str, Any]) -> Record:
    return Record(
        row["kafka_topic"], row["kafka_partition"], row["kafka_offset"], row["position"], row["key"], row["value"]
    )


def _append(lake: Lake, judged: Sorted, at: datetime) -> int:
    """Append the events whose position the lake has not got; returns how many."""
    events = lake.events()
    wanted = [event.position for event in judged.events]
    among = In("position", set(wanted))  # type: ignore[misc, call-arg, arg-type]  # mypy sees pydantic's constructor
    there = events.scan(row_filter=among, selected_fields=("position",)).to_arrow()
    known = set(there["position"].to_pylist())
    new = [event for event in judged.events if event.position not in known]
    if new:
        # Whoever adds rows takes the next number, so this commit fails if anybody has: then `known` may be old.
        lake_seq = 1 + max(read_lake_seq(events), read_lake_seq(lake.quarantine()))
        stage_append(lake, events, events_table(new, lake_seq, at), {LAKE_SEQ: str(lake_seq)}).commit()
    return len(new)


def _remove(lake: Lake, positions: Iterable[str]) -> int:
    gone = frozenset(positions)

    def without(rows: pa.Table) -> pa.Table:
        known = pc.is_in(rows["position"], pa.array(sorted(gone), rows.schema.field("position").type))
        return rows.filter(pc.invert(known))

    return rewrite(lake, "quarantine", Change("position", gone, without), lambda _: None).rows
