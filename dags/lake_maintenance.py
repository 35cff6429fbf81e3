"""The lake of a region is kept small and quick: compaction, expiry of snapshots, removal of orphans."""

from airflow.sdk import DAG
from meridian_tasks import clock, dag, outlet, reader, served, task

from regions.region import Region


def lake_maintenance(region: Region) -> DAG:
    """Every night; ingest goes on meanwhile and wins every race."""
    schedule = clock("15 3 * * *", region.timezone)
    with dag("lake_maintenance", __doc__, region, schedule=schedule, hours=3) as maintenance:
        of, done = f"--region={region.code}", [outlet(region, "lake_files")]
        task("maintain", "lake maintain", of, pool=reader(region), minutes=150, outlets=done)
    return maintenance


for _region in served():
    globals()[f"lake_maintenance_{_region.code}"] = lake_maintenance(_region)
