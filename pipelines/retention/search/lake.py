"""Lake files, raw and decoded: Parquet pages, statistics and metadata; Avro manifests with their bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.retention.search.needles import Needles, Searched, canary_in
from warehouse.lake import LakeTableMissingError
from warehouse.lake_files import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

    from pipelines.retention.planning import Desk

BATCH_ROWS = 50_000


def search(at: Desk, needles: Needles) -> Searched:
    """Search every file under the lake's root, referred to or not, and every manifest of every snapshot."""
    searched = Searched("lake")
    for table in _tables(at):
        _search_manifests(table, needles, searched)
    for path in _files(at):
        searched.count("files")
        if needles.are_in(path.read_bytes()):
            searched.hit(f"{path.name}, raw")
        if path.suffix == ".parquet":
            _search_parquet(path, needles, searched)
    return searched


def canaries(at: Desk) -> dict[str, bytes]:
    """Live values that each way of searching must find: in pages, in raw bytes (statistics), in manifests."""
    found: dict[str, bytes] = {}
    for file in (pq.ParquetFile(path) for path in _files(at) if path.suffix == ".parquet"):
        if "decoded pages" not in found:
            value = next(
                (
                    canary
                    for _, values in _columns(file)
                    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
                    if (canary := canary_in(values.to_pylist()))
                ),
                None,
            )
            if value is not None:
                found["decoded pages"] = value.encode()
        value = canary_in(list(_statistics(file)))
        if value is not None:
            found["raw bytes"] = found["decoded statistics"] = value.encode()
            break
    for bound in (bound for table in _tables(at) for bound in _manifest_values(table)):
        found["decoded manifests"] = bound
        break
    return found


def _tables(at: Desk) -> Iterator[Table]:
    for name in at.found.lake:
        try:
            yield at.lake.table(name)
        except LakeTableMissingError:
            continue


def _files(at: Desk) -> list[Path]:
    root = Path(local_path(at.lake.uri))
    return sorted(path for path in root.rglob("*") if path.is_file())


def _search_manifests(table: Table, needles: Needles, searched: Searched) -> None:
    for value in _manifest_values(table):
        searched.count("manifest values")
        if needles.are_in(value):
            searched.hit(f"{table.name()[-1]} manifests")


def _manifest_values(table: Table) -> Iterator[bytes]:
    for snapshot in table.snapshots():
        for manifest in snapshot.manifests(table.io):
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                file = entry.data_file
                yield file.file_path.encode()
                yield str(file.partition).encode()
                yield from (file.lower_bounds or {}).values()
                yield from (file.upper_bounds or {}).values()


def _search_parquet(path: Path, needles: Needles, searched: Searched) -> None:
    file = pq.ParquetFile(path)
    for name, values in _columns(file):
        searched.count("values", len(values) - values.null_count)
        if needles.are_in_column(values):
            searched.hit(f"{path.name}, column {name}")
    for text in _statistics(file):
        if needles.are_in(text):
            searched.hit(f"{path.name}, statistics")
    if needles.are_in(repr(file.metadata.metadata)):
        searched.hit(f"{path.name}, metadata")


def _columns(file: pq.ParquetFile) -> Iterator[tuple[str, pa.Array]]:
    """Every column by name, and a batch of its values."""
    for name in file.schema_arrow.names:
        for batch in file.iter_batches(BATCH_ROWS, columns=[name]):
            yield name, batch.column(0)


def _statistics(file: pq.ParquetFile) -> Iterator[str]:
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            statistics = file.metadata.row_group(group).column(column).statistics
            if statistics is not None and statistics.has_min_max:
                for bound in (statistics.min, statistics.max):
                    yield bound.decode("utf-8", "replace") if isinstance(bound, bytes) else str(bound)
