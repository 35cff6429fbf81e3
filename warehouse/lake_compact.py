"""Compaction: many small files become few, each sorted by object, beside an ingest that never stops.

A file is left alone once it is large enough and follows the table's sort order; so a second run finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table.update.snapshot import ManageSnapshots
from pyiceberg.transforms import DayTransform

from regions import faults
from warehouse.lake_swap import (
    Swap,
    commit_change,
    discard,
    fence_of,
    sort_order_of,
    stage_expiry_of_oldest,
    stage_swap,
    write_files,
)
from warehouse.lake_tables import definition_of

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table, Transaction

    from warehouse.lake import Lake

TARGET_BYTES = 64 * 1024 * 1024
TARGET_ROWS = 500_000  # what is sorted in memory at a time
TAG = "compacted-"  # + the moment: keeps the replaced files for readers that have listed them
_TAG_FORM = "%Y%m%dT%H%M%S"
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compaction did to a table. `is_beaten`: files left for the next run, because others replaced them first."""

    files_before: int = 0
    files_after: int = 0
    rows: int = 0
    is_beaten: bool = False


def compact(lake: Lake, name: str, until: date | None, now: datetime) -> Compacted:
    """Compact a table's partitions, those of days up to `until` where partitions are days.

    Raises AnotherWriterError if others keep committing.
    """
    table = _sorted_table(lake, name)
    done = Compacted()
    is_tagged = False
    for tasks in _partitions(table, until):
        swaps = [_merged(table, group) for group in groups(table, tasks)]
        if not swaps:
            continue
        faults.reach("lake.after_compaction_files")
        if not _commit(lake, name, swaps, fence_of(table), None if is_tagged else tag_of(now)):
            done = replace(done, is_beaten=True)
            continue
        is_tagged = True
        done = replace(
            done,
            files_before=done.files_before + sum(len(swap.old) for swap in swaps),
            files_after=done.files_after + sum(len(swap.new) for swap in swaps),
            rows=done.rows + sum(file.record_count for swap in swaps for file in swap.new),
        )
    if is_tagged:
        faults.reach("lake.after_compaction")
    return done


def tag_of(now: datetime) -> str:
    """The name of the tag that a compaction leaves at the state before it."""
    return f"{TAG}{now:{_TAG_FORM}}"


def tagged_at(name: str) -> datetime | None:
    """When a compaction left this tag; None for any other name."""
    return datetime.strptime(f"{name.removeprefix(TAG)}+0000", f"{_TAG_FORM}%z") if name.startswith(TAG) else None


def groups(table: Table, tasks: Sequence[FileScanTask]) -> list[list[FileScanTask]]:
    """Files of one partition that become one file each: first fit, largest first."""
    order = table.metadata.default_sort_order_id
    is_done = {task.file.file_path: sort_order_of(task.file) == order or not order for task in tasks}
    bins: list[list[FileScanTask]] = []
    for task in sorted(tasks, key=lambda task: (-task.file.file_size_in_bytes, task.file.file_path)):
        if is_done[task.file.file_path] and _is_large(task.file):
            continue
        for group in bins:
            if _fits(group, task):
                group.append(task)
                break
        else:
            bins.append([task])
    return [group for group in bins if len(group) > 1 or not is_done[group[0].file.file_path]]


def _is_large(file: DataFile) -> bool:
    return 2 * file.file_size_in_bytes >= TARGET_BYTES or 2 * file.record_count >= TARGET_ROWS


def _fits(group: list[FileScanTask], task: FileScanTask) -> bool:
    files = [*(one.file for one in group), task.file]
    is_small = sum(file.file_size_in_bytes for file in files) <= TARGET_BYTES
    return is_small and sum(file.record_count for file in files) <= TARGET_ROWS


def _sorted_table(lake: Lake, name: str) -> Table:
    """The table with its sort order declared: one that was created without gets it."""
    definition = definition_of(name)
    if definition is None or not definition.sorted_by:
        return lake.table(name)

    def stage(table: Table, transaction: Transaction) -> bool:
        if not table.sort_order().is_unsorted:
            return False
        with transaction.update_sort_order() as update:
            for column in definition.sort_order.fields:
                update.asc(table.schema().find_column_name(column.source_id) or "", column.transform)
        return True

    return commit_change(lake, name, stage) or lake.table(name)


def _partitions(table: Table, until: date | None) -> Iterator[list[FileScanTask]]:
    """A table's files by partition, those of days after `until` left out."""
    fields = table.spec().fields
    is_daily = len(fields) == 1 and isinstance(fields[0].transform, DayTransform)
    found: dict[str, list[FileScanTask]] = {}
    for task in table.scan().plan_files():
        if task.file.spec_id != table.spec().spec_id:
            continue  # written under an older partitioning
        day = task.file.partition[0] if is_daily else None
        if until is not None and day is not None and _day(day) > until:
            continue
        found.setdefault(str(task.file.partition), []).append(task)
    for key in sorted(found):
        yield found[key]


def _day(value: date | int) -> date:
    """A day partition's value; manifests hold it as days since 1970."""
    return value if isinstance(value, date) else _EPOCH + timedelta(days=value)


def _merged(table: Table, group: list[FileScanTask]) -> Swap:
    rows = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table(tasks=group)
    order = table.sort_order()
    if not order.is_unsorted:
        names = [table.schema().find_column_name(column.source_id) or "" for column in order.fields]
        rows = rows.sort_by([(name, "ascending") for name in names])
    new = write_files(table, rows, None if order.is_unsorted else order.order_id)
    return Swap(tuple(task.file for task in group), new)


def _commit(lake: Lake, name: str, swaps: list[Swap], fence: int, tag: str | None) -> bool:
    """Swap on whatever the table is by now, if all old files are still live and nothing was fenced off; else undo."""

    def stage(table: Table, transaction: Transaction) -> bool:
        live = {task.file.file_path for task in table.scan().plan_files()}
        if fence_of(table) != fence or any(file.file_path not in live for swap in swaps for file in swap.old):
            return False
        head = table.metadata.current_snapshot_id
        if tag is not None and head is not None and tag not in table.metadata.refs:
            ManageSnapshots(transaction=transaction).create_tag(head, tag).commit()
        stage_swap(transaction, swaps)
        stage_expiry_of_oldest(transaction)
        return True

    if commit_change(lake, name, stage) is not None:
        return True
    for swap in swaps:
        discard(swap.new)
    return False
