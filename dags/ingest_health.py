"""Whether a region's stream flows: what is committed now has to be in the lake within a minute, or somebody is told."""

from airflow.sdk import DAG
from meridian_tasks import clock, dag, reader, served, task

from regions.region import Region


def ingest_health(region: Region) -> DAG:
    """Every ten minutes."""
    schedule = clock("*/10 * * * *", region.timezone)
    with dag("ingest_health", __doc__, region, schedule=schedule, hours=0.15) as health:
        of = f"--region={region.code}"
        task("lake_check", "lake check --within=60", of, pool=reader(region), minutes=3, retries=1)
    return health


for _region in served():
    globals()[f"ingest_health_{_region.code}"] = ingest_health(_region)
