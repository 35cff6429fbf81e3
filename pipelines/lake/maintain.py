"""Maintenance of a region's lake as a job: one at a time, beside whatever else writes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipelines.leadership import LOCK_CLASS, Task, connect
from regions.errors import UnavailableError
from warehouse.lake import Lake
from warehouse.lake_maintain import Maintained, Policy, maintain

if TYPE_CHECKING:
    from datetime import datetime

    from regions.region import Region


class MaintenanceRunningError(UnavailableError):
    """Another process maintains this lake."""


def run(
    region: Region,
    env: Mapping[str, str],
    policy: Policy,
    now: datetime,
    report: Callable[[Maintained], None] | None = None,
) -> list[Maintained]:
    """Maintain every table (role `lake`). Raises MaintenanceRunningError, AnotherWriterError or UnavailableError."""
    logging.getLogger("pyiceberg").setLevel(logging.WARNING)
    with connect(region, region.database_url(env), "meridian lake maintain") as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, int(Task.MAINTENANCE))).fetchone()
        if row is None or not row[0]:
            raise MaintenanceRunningError(f"The lake of region {region.code} is being maintained: wait until that ends")
        lake = Lake.open(region, env)
        try:
            return maintain(lake, policy, now, report or (lambda _: None))
        finally:
            lake.close()
