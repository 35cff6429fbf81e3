"""What each reconciliation left open, kept beside builds' records: a later run says what is new and what is resolved.

A file per run, `recon/breaks-<n>.parquet`, stays when its build is pruned, so that a rerun compares with the very same.
It holds ids that are hashes, classes, dates and amounts, and no reference of anybody's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from regions.files import sync_folder

if TYPE_CHECKING:
    from warehouse.build_record import BuildRecord

COLUMNS: Final = (
    "break_id VARCHAR, leg VARCHAR, class VARCHAR, livemode BOOLEAN, region VARCHAR, gateway VARCHAR, "
    "gateway_account VARCHAR, since_on DATE, currency VARCHAR, amount_minor BIGINT, first_seen_on DATE"
)
_NAMES: Final = ", ".join(column.split()[0] for column in COLUMNS.split(", "))


def breaks_file(folder: Path, number: int) -> Path:
    """Where a run's open breaks are kept."""
    return folder / "recon" / f"breaks-{number}.parquet"


def keep_breaks(build: Path, folder: Path, number: int) -> None:
    """Keep what a reconciled build has open, whole or not at all."""
    path = breaks_file(folder, number)
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(".new")
    with duckdb.connect(str(build), read_only=True) as connection:
        connection.execute(
            f"COPY (SELECT {_NAMES} FROM rpt_recon_breaks WHERE state != 'resolved' ORDER BY ALL) "  # noqa: S608 - constants
            f"TO '{str(staged).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
        )
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    staged.replace(path)
    sync_folder(path.parent)


def run_before(records: Iterable[BuildRecord], record: BuildRecord, folder: Path) -> int | None:
    """The run that a run is compared with: the last one before it, not of a later day; a rerun's is the first run's."""
    known = list(records)
    if record.rerun_of is not None:
        return next((one.previous for one in known if one.number == record.rerun_of), None)
    earlier = (
        one.number
        for one in known
        if one.number < record.number
        and one.business_date <= record.business_date
        and breaks_file(folder, one.number).is_file()
    )
    return max(earlier, default=None)
