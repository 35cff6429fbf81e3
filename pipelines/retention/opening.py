"""Opening what retention works with: the region's database as `retention`, its lake, its vault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.leadership import LOCK_CLASS, Task, connect
from pipelines.retention.planning import Desk, desk
from regions.errors import MeridianError
from regions.vault import open_vault
from warehouse.lake import Lake

if TYPE_CHECKING:
    from regions.region import Region
    from regions.vault import Vault


class RetentionBusyError(MeridianError):
    """Another retention job of the region is at work."""


@dataclass(frozen=True, slots=True)
class Office:
    """An opened region."""

    at: Desk
    vault: Vault
    env: Mapping[str, str]


@contextmanager
def opened(region: Region, env: Mapping[str, str], *, is_alone: bool = True) -> Iterator[Office]:
    """One region; with `is_alone`, one job at a time, else a RetentionBusyError."""
    with connect(region, region.database_url(env), "meridian retention") as connection:
        if is_alone:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, int(Task.RETENTION))
            ).fetchone()
            if row is None or not row[0]:
                raise RetentionBusyError(
                    f"Another retention job is working on region {region.code}: wait until it is done"
                )
        lake = Lake.open(region, env)
        try:
            yield Office(desk(region, connection, lake), open_vault(region.vault_uri(env)), env)
        finally:
            lake.close()
