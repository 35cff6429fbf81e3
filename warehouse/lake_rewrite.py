"""Rewriting lake files so that what they held is physically gone: copy-on-write, safe beside a running ingest.

The new files are written first. One short commit then swaps them for the old ones and expires every older snapshot; it
succeeds only on exactly the state that was read, and a loser reads again. Only then are the old files unlinked.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, _dataframe_to_data_files
from pyiceberg.table.update.snapshot import ExpireSnapshots

from regions import faults
from regions.errors import MeridianError
from warehouse.lake_files import local_path
from warehouse.lake_writer import AnotherWriterError

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table

    from warehouse.lake import Lake

REWRITES = "meridian.rewrites"  # how often; it changes with every rewrite, so that a commit staged before one fails
_TRIES = 50


class StrayFileError(MeridianError):
    """A data file that no snapshot knows holds what has to go, and may still be on its way into the table."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to do to rows whose `column` is one of `values`: `apply` gets a table's rows and returns them changed."""

    column: str
    values: frozenset[str] | frozenset[bytes]
    apply: Callable[[pa.Table], pa.Table]

    def touches(self, rows: pa.Table) -> bool:
        """Whether any of the rows may have to change."""
        return bool(pc.any(pc.is_in(rows[self.column], self._set(rows.schema.field(self.column).type))).as_py())

    def _set(self, kind: pa.DataType) -> pa.Array:
        return pa.array(sorted(self.values), kind)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a rewrite did: rows changed or dropped, data files replaced, files unlinked."""

    table: str
    rows: int
    files: int
    unlinked: int
    snapshot_id: int | None


def rewrite(lake: Lake, name: str, change: Change, announce: Callable[[list[str]], None]) -> Rewritten:
    """Apply a change to a table and leave no file behind that holds what was there before.

    `announce` is told, before the swap, every file that will have to go: whoever resumes after a crash passes them to
    `sweep`. Raises AnotherWriterError if others keep committing.
    """
    rows = files = 0
    staged: dict[str, tuple[DataFile, list[DataFile]]] = {}  # kept over lost races: old files never change
    for _ in range(_TRIES):
        table = lake.table(name)
        tasks = {task.file.file_path: task for task in table.scan().plan_files()}
        for path in set(staged) - set(tasks):
            del staged[path]  # someone compacted it: its rows are in a file that we have not seen
        for path, task in tasks.items():
            if path in staged:
                continue
            changed = _changed(table, task, change)
            if changed is not None:
                staged[path] = (task.file, _write(table, changed[0]))
                rows += changed[1]
        doomed = _files_of_all_snapshots(table)
        announce(sorted(doomed))
        if not staged and len(table.snapshots()) <= 1:
            return Rewritten(name, 0, 0, sweep(lake, name, doomed), _snapshot_id(table))
        faults.reach("retention.before_swap")
        try:
            _swap(table, staged.values())
        except CommitFailedException:
            continue
        faults.reach("retention.after_swap")
        files = len(staged)
        return Rewritten(name, rows, files, sweep(lake, name, doomed), _snapshot_id(lake.table(name)))
    raise AnotherWriterError(f"Other jobs keep committing to the lake's {name}: try again")


def count_changed(lake: Lake, name: str, change: Change) -> int:
    """How many rows a rewrite would change or drop now."""
    table = lake.table(name)
    found = (_changed(table, task, change) for task in table.scan().plan_files())
    return sum(changed[1] for changed in found if changed is not None)


def sweep(lake: Lake, name: str, doomed: Iterable[str]) -> int:
    """Unlink the files that no snapshot of the table refers to any more; returns how many were there."""
    table = lake.table(name)
    gone = 0
    for path in sorted(set(doomed) - _files_of_all_snapshots(table)):
        file = Path(local_path(path))
        if file.exists():
            file.unlink()
            gone += 1
    return gone


def drop_strays(lake: Lake, name: str, key: tuple[str, ...], change: Change) -> int:
    """Unlink data files of no snapshot that the change touches: what a crashed or beaten writer has left behind.

    A file with rows that the table has not got, and that the change would not drop, may be a commit on its way: it
    stays, and is an error.
    """
    table = lake.table(name)
    live = {local_path(path) for path in _files_of_all_snapshots(table)}
    strays = [path for path in Path(local_path(table.location())).rglob("*.parquet") if str(path) not in live]
    touched = [path for path in strays if path.is_file() and change.touches(_read(path, change.column))]
    if not touched:
        return 0
    known = _keys(table.scan(selected_fields=key).to_arrow(), key)
    for path in touched:
        if not _keys(change.apply(pq.ParquetFile(path).read()), key) <= known:
            raise StrayFileError(
                f"{path} belongs to no snapshot of {name} and holds rows that are not in it: try again"
            )
        path.unlink()
    return len(touched)


def _changed(table: Table, task: FileScanTask, change: Change) -> tuple[pa.Table, int] | None:
    """A file's rows as they must become, and how many change; None when nothing does."""
    seen = _read(Path(local_path(task.file.file_path)), change.column)
    if not change.touches(seen):
        return None
    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    before = scan.to_table(tasks=[task])
    after = change.apply(before)
    count = _difference(before, after)
    return (after, count) if count else None


def _keys(rows: pa.Table, key: tuple[str, ...]) -> set[tuple[object, ...]]:
    return set(zip(*(rows[column].to_pylist() for column in key), strict=True))


def _read(path: Path, column: str) -> pa.Table:
    return pq.ParquetFile(path).read(columns=[column])


def _difference(before: pa.Table, after: pa.Table) -> int:
    if before.num_rows != after.num_rows:
        return int(before.num_rows - after.num_rows)
    differs = pa.array([False] * before.num_rows, pa.bool_())
    for name in before.column_names:
        one, other = before[name].combine_chunks(), after[name].combine_chunks()
        same = pc.fill_null(pc.equal(one, other), pc.and_(pc.is_null(one), pc.is_null(other)))
        differs = pc.or_(differs, pc.invert(same))
    return int(pc.sum(differs).as_py() or 0)


def _write(table: Table, rows: pa.Table) -> list[DataFile]:
    if not rows.num_rows:
        return []
    return list(
        _dataframe_to_data_files(
            table_metadata=table.metadata, df=rows, io=table.io, write_uuid=uuid.uuid4(), counter=itertools.count()
        )
    )


def _swap(table: Table, staged: Iterable[tuple[DataFile, list[DataFile]]]) -> None:
    """One commit: the new files for the old ones, every older snapshot expired, `meridian.rewrites` counted up."""
    pairs = list(staged)
    transaction = table.transaction()
    if pairs:
        with transaction.update_snapshot().overwrite() as overwrite:
            overwrite.delete_by_predicate(AlwaysTrue())
            for old, new in pairs:
                overwrite.delete_data_file(old)
                for file in new:
                    overwrite.append_data_file(file)
    transaction.set_properties({REWRITES: str(int(table.properties.get(REWRITES, "0")) + 1)})
    head = transaction.table_metadata.current_snapshot_id
    old_ids = [
        snapshot.snapshot_id for snapshot in transaction.table_metadata.snapshots if snapshot.snapshot_id != head
    ]
    if old_ids:
        ExpireSnapshots(transaction=transaction).by_ids(old_ids).commit()
    transaction.commit_transaction()


def _files_of_all_snapshots(table: Table) -> set[str]:
    """Data files, manifests and manifest lists of every snapshot that is kept."""
    found: set[str] = set()
    for snapshot in table.snapshots():
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            found.add(manifest.manifest_path)
            found |= {
                entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            }
    return found


def _snapshot_id(table: Table) -> int | None:
    snapshot = table.current_snapshot()
    return snapshot.snapshot_id if snapshot else None
