"""Erasure in the lake: when it holds all that was committed, its files are rewritten and the old ones unlinked."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.lake.wait import wait_for_lake
from pipelines.retention import store
from pipelines.retention.lake_rows import changes
from pipelines.retention.planning import targets_of
from warehouse.lake import LakeTableMissingError
from warehouse.lake_rewrite import drop_strays, rewrite, sweep

if TYPE_CHECKING:
    from pipelines.retention.document import Plan
    from pipelines.retention.planning import Desk

WAIT_SECONDS = 60.0


def run(at: Desk, plan: Plan, name: bytes) -> dict[str, Any]:
    """Rewrite every table that holds what the plan erases. After a crash it goes on with what had been announced.

    Raises LakeBehindError if the ingest does not catch up: an event that comes later would bring erased values back.
    """
    work = changes(at.found, targets_of(at, plan))
    if not work:
        return {"tables": {}}
    try:
        at.lake.events()
    except LakeTableMissingError:
        return {"tables": {}}
    wait_for_lake(at.connection, at.lake, datetime.now(UTC), WAIT_SECONDS)
    result = {}
    for table, change in work.items():
        announced = [
            path
            for step, files in store.evidence(at.connection, name).items()
            if step.startswith(f"doomed {table} ")
            for path in files
        ]
        done = rewrite(
            at.lake,
            table,
            change,
            lambda files, table=table: store.record(at.connection, name, f"doomed {table} {uuid.uuid4()}", files),  # type: ignore[misc]
        )
        unlinked = done.unlinked + sweep(at.lake, table, announced)
        strays = drop_strays(at.lake, table, change)
        result[table] = f"{done.rows} rows in {done.files} files, {unlinked + strays} files unlinked"
    return {"tables": result, "snapshot": json.dumps(_snapshot(at))}


def _snapshot(at: Desk) -> int | None:
    snapshot = at.lake.events().current_snapshot()
    return snapshot.snapshot_id if snapshot else None
