"""Appends to the lake: rows and the properties that say how far they go, in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regions.errors import MeridianError
from warehouse.lake_catalog import AnotherWriterError
from warehouse.lake_swap import (
    SNAPSHOTS_KEPT,
    SNAPSHOTS_KEPT_MAX,
    commit_change,
    discard,
    fence_of,
    stage_expiry_of_oldest,
    write_files,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

    from warehouse.lake import Lake

__all__ = ["SNAPSHOTS_KEPT", "SNAPSHOTS_KEPT_MAX", "AnotherWriterError", "StagedAppend", "stage_append"]


@dataclass(frozen=True, slots=True)
class StagedAppend:
    """Data files that are written but belong to no snapshot yet, and what was read when they were."""

    lake: Lake
    base: Table
    files: tuple[DataFile, ...]
    properties: Mapping[str, str]

    def commit(self) -> Table:
        """Make rows and properties visible together, or raise AnotherWriterError and leave the table as it was.

        The table may have been compacted since it was read. What must not have changed is each property that is set
        here, for they say what the table holds, and the fence, behind which our files may have been unlinked.
        """
        committed = commit_change(self.lake, self.base.name()[-1], self._stage)
        if committed is None:
            discard(self.files)
            raise AnotherWriterError("Another writer has committed since the table was read")
        return committed

    def _stage(self, table: Table, transaction: Transaction) -> bool:
        theirs, ours = table.properties, self.base.properties
        if any(theirs.get(name) != ours.get(name) for name in self.properties) or fence_of(table) != fence_of(
            self.base
        ):
            return False
        if self.files:
            with transaction.update_snapshot().merge_append() as append:
                for file in self.files:
                    append.append_data_file(file)
        transaction.set_properties(dict(self.properties))
        stage_expiry_of_oldest(transaction)
        return True


def stage_append(lake: Lake, table: Table, rows: pa.Table, properties: Mapping[str, str]) -> StagedAppend:
    """Write the rows' data files, to be committed with `properties` on what `table` says of its content.

    The same commit expires all but the latest snapshots (their data files stay: deletion is maintenance's task).
    """
    if table.properties.get("commit.retry.num-retries") != "0":
        raise MeridianError(f"{table.name()[-1]} allows silent commit retries: set its commit.retry.num-retries to 0")
    return StagedAppend(lake, table, write_files(table, rows), properties)
