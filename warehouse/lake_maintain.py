"""Keeping a lake small and quick: compaction, expiry of snapshots, unlinking of what nobody refers to any more.

Every step may run again, at any time, beside an ingest and beside erasure; done twice, the second time does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from regions import faults
from warehouse.lake_compact import Compacted, compact, tagged_at
from warehouse.lake_files import local_path
from warehouse.lake_swap import commit_change, fence, files_of_all_snapshots, unlink_all
from warehouse.lake_tables import table_names

if TYPE_CHECKING:
    from pyiceberg.table import Table, Transaction

    from warehouse.lake import Lake

KEEP = timedelta(hours=24)  # replaced files, for builds that have listed them
SETTLE = timedelta(hours=1)  # files of no snapshot: readers may hold a list that is a moment old


@dataclass(frozen=True, slots=True)
class Policy:
    """What maintenance may do. `until`: the last day whose files are compacted, None for all."""

    until: date | None = None
    keep: timedelta = KEEP
    settle: timedelta = SETTLE


@dataclass(frozen=True, slots=True)
class Maintained:
    """What maintenance did to one table."""

    table: str
    compacted: Compacted
    snapshots_expired: int
    files_unlinked: int

    def to_json(self) -> dict[str, Any]:
        """For the command's output."""
        return asdict(self)


def maintain(lake: Lake, policy: Policy, now: datetime, report: Callable[[Maintained], None]) -> list[Maintained]:
    """Maintain every table of the lake, one after the other; `report` is told of each as it is done."""
    done = []
    for name in table_names(lake):
        compacted = compact(lake, name, policy.until, now)
        one = Maintained(
            name, compacted, expire(lake, name, now - policy.keep), unlink(lake, name, now - policy.settle)
        )
        report(one)
        done.append(one)
    return done


def expire(lake: Lake, name: str, before: datetime) -> int:
    """Expire snapshots, and tags that compaction left, from before a moment; never the head. Returns how many."""
    expired: list[int] = []

    def stage(table: Table, transaction: Transaction) -> bool:
        tags = [tag for tag in table.metadata.refs if (at := tagged_at(tag)) is not None and at < before]
        kept = {ref.snapshot_id for tag, ref in table.metadata.refs.items() if tag not in tags}
        expired[:] = [
            one.snapshot_id
            for one in table.snapshots()
            if one.timestamp_ms < before.timestamp() * 1000 and one.snapshot_id not in kept
        ]
        if tags:
            with ManageSnapshots(transaction=transaction) as manage:
                for tag in tags:
                    manage.remove_tag(tag)
        if expired:
            ExpireSnapshots(transaction=transaction).by_ids(expired).commit()
        return bool(tags or expired)

    commit_change(lake, name, stage)
    return len(expired)


def unlink(lake: Lake, name: str, before: datetime) -> int:
    """Unlink a table's files that nothing refers to and that are older than a moment; returns how many.

    They are what compaction, expiry and beaten or crashed writers have left. Age spares readers; what spares writers is
    the fence: whoever staged one of these files before it has to write anew.
    """
    table = lake.table(name)
    candidates = _files_before(table, before) - _referenced(table)
    if not candidates:
        return 0
    table = fence(lake, name)
    faults.reach("lake.before_unlink")
    return unlink_all(candidates - _referenced(table))


def _files_before(table: Table, before: datetime) -> set[str]:
    found = set()
    for path in Path(local_path(table.location())).rglob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # a writer has tidied up behind itself
            continue
        if path.is_file() and datetime.fromtimestamp(status.st_mtime, UTC) < before:
            found.add(str(path))
    return found


def _referenced(table: Table) -> set[str]:
    """Every file that the table's current state knows: of its snapshots, and its metadata files."""
    known = files_of_all_snapshots(table) | {table.metadata_location}
    known |= {entry.metadata_file for entry in table.metadata.metadata_log}
    known |= {one.statistics_path for one in table.metadata.statistics}
    return {local_path(path) for path in known}
