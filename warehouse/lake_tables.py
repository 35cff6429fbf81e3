"""The lake's tables: their columns, partitions and properties. Field ids never change meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, SortField, SortOrder
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
)
from sqlalchemy.exc import ProgrammingError

from regions.promoted import PROMOTED

if TYPE_CHECKING:
    from warehouse.lake import Lake

NAMESPACE = "meridian"

# A failed commit is never retried behind our back: PyIceberg would rebuild a stale append on the new parent and commit
# records twice. Manifests are merged and old metadata is dropped so that the cost of a commit stays flat.
COMMIT_PROPERTIES = {
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "32",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.parquet.compression-codec": "zstd",
}


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table of the lake as it is created."""

    name: str
    schema: Schema
    partition_spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC
    properties: dict[str, str] = field(default_factory=lambda: dict(COMMIT_PROPERTIES))
    sorted_by: tuple[str, ...] = ()  # the order of rows within a compacted file
    renames: dict[str, str] = field(default_factory=dict)  # what a column was called before → what it is called

    @property
    def sort_order(self) -> SortOrder:
        """The table's declared sort order."""
        ids = [self.schema.find_field(name).field_id for name in self.sorted_by]
        return SortOrder(*(SortField(source_id=number) for number in ids)) if ids else UNSORTED_SORT_ORDER

    @property
    def identifier(self) -> str:
        """The name in the catalog: `meridian.events`."""
        return f"{NAMESPACE}.{self.name}"


def _schema(*columns: tuple[str, PrimitiveType, bool]) -> Schema:
    """Columns in order, numbered from 1: name, type, required."""
    fields = (
        NestedField(number, name, kind, required=required) for number, (name, kind, required) in enumerate(columns, 1)
    )
    return Schema(*fields)


_PROMOTED_TYPES: dict[str, PrimitiveType] = {"string": StringType(), "long": LongType()}
EVENTS = TableDefinition(
    "events",
    _schema(
        ("event_id", StringType(), True),
        ("type", StringType(), True),
        ("family", StringType(), True),
        ("subject", StringType(), True),
        ("sequence", LongType(), True),
        ("merchant_id", StringType(), True),
        ("livemode", BooleanType(), True),
        ("time", TimestamptzType(), True),
        ("schema_version", IntegerType(), True),
        ("correlation_id", StringType(), False),
        ("data", StringType(), True),  # JSON
        ("pii", StringType(), False),  # JSON with ciphertext
        ("region", StringType(), True),
        ("kafka_topic", StringType(), True),
        ("kafka_partition", IntegerType(), True),
        ("position", StringType(), True),  # epoch:batch:ordinal
        ("lake_seq", LongType(), True),  # one number per ingest commit
        ("ingested_at", TimestamptzType(), True),
        ("xid", LongType(), False),  # the transaction that appended it; NULL in rows from before it was recorded
        *((name, _PROMOTED_TYPES[promoted.type], False) for name, promoted in PROMOTED.items()),
    ),
    PartitionSpec(PartitionField(source_id=8, field_id=1000, transform=DayTransform(), name="time_day")),
    sorted_by=("subject", "sequence"),
)

QUARANTINE = TableDefinition(
    "quarantine",
    _schema(
        ("kafka_topic", StringType(), True),
        ("kafka_partition", IntegerType(), True),
        ("kafka_offset", LongType(), True),
        ("position", StringType(), False),  # NULL for a record that the relay did not send
        ("key", BinaryType(), False),
        ("value", BinaryType(), False),
        ("reason", StringType(), True),
        ("lake_seq", LongType(), True),
        ("quarantined_at", TimestamptzType(), True),
    ),
)

STREAM_TABLES = (EVENTS, QUARANTINE)


def table_names(lake: Lake) -> list[str]:
    """Every table that the lake has, in order."""
    try:
        return sorted(identifier[-1] for identifier in lake.catalog.list_tables(NAMESPACE))
    except (NoSuchNamespaceError, ProgrammingError):  # nothing was ever written
        return []


def definition_of(name: str) -> TableDefinition | None:
    """The definition of a table of the stream; None for what other parts have landed."""
    return next((table for table in STREAM_TABLES if table.name == name), None)
