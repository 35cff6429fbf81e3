"""Looks for values in every store of a region, raw and decoded. Each searcher returns the places where it found one."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from psycopg import sql

from regions.region import Region
from warehouse.lake import Lake

DRAIN_SECONDS = 30


def hits(where: str, content: str | bytes, needles: Iterable[str]) -> list[str]:
    """Every needle that `content` holds, as "where: needle"."""
    raw = content if isinstance(content, bytes) else content.encode()
    return [f"{where}: {needle}" for needle in needles if needle.encode() in raw]


def search_files(folder: Path, needles: Sequence[str]) -> list[str]:
    """The bytes of every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [hit for path in files for hit in hits(str(path.relative_to(folder)), path.read_bytes(), needles)]


def search_postgres(url: str, needles: Sequence[str], tables: Sequence[str] = ()) -> list[str]:
    """Every row of `tables` (of all tables, if none are named) as text."""
    found = []
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in rows:
            if tables and table not in tables:
                continue
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
            for (row,) in connection.execute(query):
                found += hits(f"{schema}.{table}", row, needles)
    return found


def search_kafka(bootstrap: str, region: str, needles: Sequence[str]) -> list[str]:
    """Every record of the region's topics, from the first to the last: key, value and headers."""
    found = []
    for record in _records(bootstrap, region):
        for part in (record.key(), record.value(), *(value for _, value in record.headers() or [])):
            found += hits(f"{record.topic()}/{record.partition()}", part or b"", needles)
    return found


def _records(bootstrap: str, region: str) -> Iterator[Any]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "canary",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        topics = [name for name in consumer.list_topics(timeout=10).topics if name.startswith(f"{region}.")]
        partitions = [
            TopicPartition(topic, number, OFFSET_BEGINNING)
            for topic in topics
            for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        consumer.assign(partitions)
        left = {(partition.topic, partition.partition) for partition in partitions}
        deadline = time.monotonic() + DRAIN_SECONDS
        while left:
            assert time.monotonic() < deadline, f"never reached the end of {sorted(left)}"
            record = consumer.poll(1.0)
            if record is None:
                continue
            error = record.error()
            if error is None:
                yield record
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard((record.topic(), record.partition()))
            else:
                raise AssertionError(str(error))
    finally:
        consumer.close()


def search_lake(region: Region, env: dict[str, str], needles: Sequence[str]) -> list[str]:
    """Parquet pages and statistics, and Avro manifests with their bounds: decoded, for every snapshot that is kept."""
    found = []
    lake = Lake.open(region, env)
    try:
        for name in ("events", "quarantine", "settlement_lines"):
            if not lake.catalog.table_exists(f"meridian.{name}"):
                continue
            table = lake.table(name)
            for snapshot in table.snapshots():
                for manifest in snapshot.manifests(table.io):
                    for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                        file = entry.data_file
                        bounds = [*(file.lower_bounds or {}).values(), *(file.upper_bounds or {}).values()]
                        for value in (*bounds, str(file.partition), file.file_path):
                            found += hits(f"{name} manifest", value, needles)
    finally:
        lake.close()
    root = Path(region.lake_uri(env).removeprefix("file://"))
    for path in root.rglob("*.parquet"):
        found += _search_parquet(path, needles)
    return found


def _search_parquet(path: Path, needles: Sequence[str]) -> list[str]:
    found = []
    file = pq.ParquetFile(path)
    for row in file.read().to_pylist():
        found += hits(f"{path.name} row", repr(row), needles)
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            statistics = file.metadata.row_group(group).column(column).statistics
            if statistics is not None and statistics.has_min_max:
                found += hits(f"{path.name} statistics", f"{statistics.min} {statistics.max}", needles)
    found += hits(f"{path.name} metadata", repr(file.metadata.metadata), needles)
    return found


def search_warehouse(path: Path, needles: Sequence[str]) -> list[str]:
    """Every row of every table of a build."""
    found = []
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        for schema, table in tables:
            for row in connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall():
                found += hits(f"{schema}.{table}", repr(row), needles)
    return found
