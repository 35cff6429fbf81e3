"""Replacing a table's files, and what may be unlinked afterwards: one definition for compaction, erasure and clean-up.

New files are written first. One short commit swaps them for the old ones; it succeeds only on exactly the state that
was read. A file is unlinked only when no snapshot refers to it and, if it might still be on its way into the table,
only after a fence: a commit that changes `meridian.rewrites`. Nothing that was staged before it can be committed.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DATA_FILE_TYPE, DEFAULT_READ_VERSION
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from warehouse.lake_catalog import AnotherWriterError
from warehouse.lake_files import local_path

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

    from warehouse.lake import Lake

REWRITES = "meridian.rewrites"  # the fence's counter
TRIES = 50
SNAPSHOTS_KEPT = 20
SNAPSHOTS_KEPT_MAX = 30  # expiring a few at a time; each expiry costs a little
_SORT_ORDER_ID = next(
    index for index, field in enumerate(DATA_FILE_TYPE[DEFAULT_READ_VERSION].fields) if field.name == "sort_order_id"
)


@dataclass(frozen=True, slots=True)
class Swap:
    """Files that replace files with the same rows, or with what is left of them."""

    old: tuple[DataFile, ...]
    new: tuple[DataFile, ...]


def fence_of(table: Table) -> int:
    """The fence's counter as of the state that was read. Files staged under one value never enter under another."""
    return int(table.properties.get(REWRITES, "0"))


def write_files(table: Table, rows: pa.Table, sort_order_id: int | None = None) -> tuple[DataFile, ...]:
    """Write rows as data files of no snapshot yet; `sort_order_id` is the table's sort order if the rows follow it."""
    if not rows.num_rows:
        return ()
    files = tuple(
        _dataframe_to_data_files(
            table_metadata=table.metadata, df=rows, io=table.io, write_uuid=uuid.uuid4(), counter=itertools.count()
        )
    )
    for file in files:
        file[_SORT_ORDER_ID] = sort_order_id
    return files


def sort_order_of(file: DataFile) -> int | None:
    """The sort order that a file's rows follow, by its manifest entry."""
    found: int | None = file[_SORT_ORDER_ID]
    return found


def stage_swap(transaction: Transaction, swaps: Iterable[Swap]) -> None:
    """Take the old files out and put the new ones in, within one overwrite."""
    pairs = list(swaps)
    if not pairs:
        return
    with transaction.update_snapshot().overwrite() as overwrite:
        overwrite.delete_by_predicate(AlwaysTrue())
        for pair in pairs:
            for file in pair.old:
                overwrite.delete_data_file(file)
            for file in pair.new:
                overwrite.append_data_file(file)


def stage_fence(transaction: Transaction) -> None:
    """Make every commit fail that was staged before this one."""
    count = int(transaction.table_metadata.properties.get(REWRITES, "0"))
    transaction.set_properties({REWRITES: str(count + 1)})


def stage_expiry_of_oldest(transaction: Transaction) -> None:
    """Expire all but the latest snapshots, a few at a time; what a tag keeps stays."""
    metadata = transaction.table_metadata
    tagged = {ref.snapshot_id for ref in metadata.refs.values()}
    snapshots = sorted(
        (snapshot for snapshot in metadata.snapshots if snapshot.snapshot_id not in tagged),
        key=lambda snapshot: snapshot.sequence_number or 0,
    )
    if len(snapshots) > SNAPSHOTS_KEPT_MAX:
        expired = [snapshot.snapshot_id for snapshot in snapshots[:-SNAPSHOTS_KEPT]]
        ExpireSnapshots(transaction=transaction).by_ids(expired).commit()


def stage_expiry_of_all(transaction: Transaction) -> None:
    """Expire every snapshot but the head, tagged ones too: what erasure replaces must not stay in reach."""
    metadata = transaction.table_metadata
    tags = [name for name in metadata.refs if name != MAIN_BRANCH]
    if tags:
        with ManageSnapshots(transaction=transaction) as manage:
            for name in tags:
                manage.remove_tag(name)
    head = transaction.table_metadata.current_snapshot_id
    old = [one.snapshot_id for one in transaction.table_metadata.snapshots if one.snapshot_id != head]
    if old:
        ExpireSnapshots(transaction=transaction).by_ids(old).commit()


def commit_change(lake: Lake, name: str, stage: Callable[[Table, Transaction], bool]) -> Table | None:
    """Commit what `stage` stages on the table as it is at our turn, again whenever somebody else was faster.

    None if `stage` returns False: then nothing is committed. Raises AnotherWriterError if others keep committing.
    """
    for _ in range(TRIES):
        with lake.catalog.turn(name):
            table = lake.table(name)
            transaction = table.transaction()
            if not stage(table, transaction):
                return None
            try:
                return transaction.commit_transaction()
            except CommitFailedException:
                continue
    raise AnotherWriterError(f"Other jobs keep committing to the lake's {name}: try again")


def fence(lake: Lake, name: str) -> Table:
    """Commit a fence; returns the table as of it. Raises AnotherWriterError if others keep committing."""

    def stage(_: Table, transaction: Transaction) -> bool:
        stage_fence(transaction)
        return True

    return commit_change(lake, name, stage) or lake.table(name)


def files_of_all_snapshots(table: Table) -> set[str]:
    """Data files, manifests and manifest lists of every snapshot that is kept."""
    found: set[str] = set()
    seen: set[str] = set()
    for snapshot in table.snapshots():
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            found |= {
                entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            }
    return found | seen


def unlink_all(paths: Iterable[str]) -> int:
    """Unlink files by URI or path; returns how many were there."""
    gone = 0
    for path in sorted(paths):
        file = Path(local_path(path))
        if file.exists():
            file.unlink()
            gone += 1
    return gone


def discard(files: Sequence[DataFile]) -> None:
    """Unlink data files that were written and never committed."""
    unlink_all(file.file_path for file in files)
