"""Rewriting lake files so that what they held is physically gone: copy-on-write, safe beside a running ingest.

The new files are written first. One short commit then swaps them for the old ones and expires every older snapshot; it
succeeds only on exactly the state that was read, and a loser reads again. Only then are the old files unlinked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan

from regions import faults
from warehouse.lake_files import CHANGES, local_path
from warehouse.lake_swap import (
    TRIES,
    Swap,
    fence,
    files_of_all_snapshots,
    sort_order_of,
    stage_expiry_of_all,
    stage_fence,
    stage_swap,
    unlink_all,
    write_files,
)
from warehouse.lake_writer import AnotherWriterError

if TYPE_CHECKING:
    from pyiceberg.table import FileScanTask, Table

    from warehouse.lake import Lake


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
    staged: dict[str, Swap] = {}  # kept over lost races: old files never change
    for attempt in range(TRIES):
        # The long first pass reads beside everybody; for the short ones after a lost race we wait for our turn.
        with lake.catalog.turn(name) if attempt else nullcontext():
            table = lake.table(name)
            tasks = {task.file.file_path: task for task in table.scan().plan_files()}
            for path in set(staged) - set(tasks):
                del staged[path]  # someone compacted it: its rows are in a file that we have not seen
            for path, task in tasks.items():
                if path in staged:
                    continue
                changed = _changed(table, task, change)
                if changed is not None:
                    # A row less or a field less leaves the order of the others as it was.
                    staged[path] = Swap((task.file,), write_files(table, changed[0], sort_order_of(task.file)))
                    rows += changed[1]
            doomed = files_of_all_snapshots(table)
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
    return unlink_all(set(doomed) - files_of_all_snapshots(lake.table(name)))


def drop_strays(lake: Lake, name: str, change: Change) -> int:
    """Unlink data files of no snapshot that the change touches: what a crashed or beaten writer has left behind.

    One of them may be a commit on its way. After the fence it cannot come in any more; its writer writes it anew.
    """
    strays = _strays(lake.table(name), change)
    if not strays:
        return 0
    live = {local_path(path) for path in files_of_all_snapshots(fence(lake, name))}
    return unlink_all({str(path) for path in strays} - live)


def _strays(table: Table, change: Change) -> list[Path]:
    live = {local_path(path) for path in files_of_all_snapshots(table)}
    paths = [path for path in Path(local_path(table.location())).rglob("*.parquet") if str(path) not in live]
    return [path for path in paths if path.is_file() and change.touches(_read(path, change.column))]


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


def _swap(table: Table, swaps: Iterable[Swap]) -> None:
    """One commit: the new files for the old ones, every older snapshot expired, the fence moved."""
    transaction = table.transaction()
    pairs = list(swaps)
    stage_swap(transaction, pairs)
    stage_fence(transaction)
    if pairs:
        transaction.set_properties({CHANGES: str(int(table.properties.get(CHANGES, "0")) + 1)})
    stage_expiry_of_all(transaction)
    transaction.commit_transaction()


def _snapshot_id(table: Table) -> int | None:
    snapshot = table.current_snapshot()
    return snapshot.snapshot_id if snapshot else None
