"""Appends to the lake: rows and the properties that say how far they go, in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update.snapshot import ExpireSnapshots

from regions.errors import MeridianError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import Table, Transaction

SNAPSHOTS_KEPT = 20
SNAPSHOTS_KEPT_MAX = 30  # expiring a few at a time; each expiry costs a little


class AnotherWriterError(MeridianError):
    """Another process has committed to the table since it was read: read it again, and start from what it says."""


class StagedAppend:
    """Data files that are written but belong to no snapshot yet."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def commit(self) -> Table:
        """Make rows and properties visible together, or raise AnotherWriterError and leave the table as it was."""
        try:
            return self._transaction.commit_transaction()
        except CommitFailedException as error:
            raise AnotherWriterError(f"{error}") from error


def stage_append(table: Table, rows: pa.Table, properties: Mapping[str, str]) -> StagedAppend:
    """Write the rows' data files, to be committed with `properties` on exactly the state of `table` that was read.

    The same commit expires all but the latest snapshots (their data files stay: deletion is compaction's task).
    """
    if table.properties.get("commit.retry.num-retries") != "0":
        raise MeridianError(f"{table.name()[-1]} allows silent commit retries: set its commit.retry.num-retries to 0")
    transaction = table.transaction()
    if rows.num_rows:
        transaction.append(rows)
    transaction.set_properties(dict(properties))
    snapshots = sorted(transaction.table_metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0)
    if len(snapshots) > SNAPSHOTS_KEPT_MAX:
        expired = [snapshot.snapshot_id for snapshot in snapshots[:-SNAPSHOTS_KEPT]]
        ExpireSnapshots(transaction=transaction).by_ids(expired).commit()
    return StagedAppend(transaction)
