"""Rows for a lake without a broker: records as the relay would have sent them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.ingest.domain import Chains
from pipelines.ingest.records import Record, chunks_of
from pipelines.ingest.writer import Intake
from pipelines.positions import Position
from regions.events import envelope_json, registry
from regions.ids import new_id
from warehouse.lake import Lake
from warehouse.lake_files import local_path

PARTITION = "eu.links.v1/0"
KIND = registry()["link.created"]
MERCHANT = new_id("merchant", "eu")


def value(number: int, subject: str = "plink_x") -> bytes:
    """One event of three days' events, as a record's value."""
    return envelope_json(
        event_id=f"00000000-0000-7000-8000-{number:012d}",
        type=KIND.name,
        region="eu",
        subject=subject,
        time=datetime(2026, 3, 1, 12, 0, tzinfo=UTC) + timedelta(days=number % 3),
        merchant_id=MERCHANT,
        livemode=False,
        sequence=number,
        schema_version=KIND.version,
        correlation_id=None,
        data=KIND.examples[0],
        pii=None,
    )


def record(number: int, subject: str = "plink_x") -> Record:
    return Record("eu.links.v1", 0, number, f"1:1:{number}", subject.encode(), value(number, subject))


def intake(*ordinals: int, subjects: int = 1) -> Intake:
    """Records of one partition with these ordinals in batch 1, about so many objects."""
    names = ["plink_x"] if subjects == 1 else [f"plink_{number * 7 % subjects:03d}" for number in ordinals]
    records = [record(ordinal, names[index % len(names)]) for index, ordinal in enumerate(ordinals)]
    return Intake(Chains({PARTITION: Position(1, 1, max(ordinals))}), chunks_of(records))


def on_disk(lake: Lake, name: str = "events") -> set[str]:
    """Every file under a table's folder."""
    root = Path(local_path(lake.table(name).location()))
    return {str(path) for path in root.rglob("*") if path.is_file()}
