"""What has to go on a day and what may go, by which rule and law. A person approves it in Meridian."""

from airflow.sdk import DAG
from meridian_tasks import DATE, dag, morning, outlet, reader, served, task

from regions.region import Region


def retention_plan(region: Region) -> DAG:
    """Nothing waits here for the approval: `retention_run` looks for it."""
    schedule = morning(region, "0 6 * * *")
    with dag("retention_plan", __doc__, region, schedule=schedule, hours=2) as plan:
        of, done = f"--region={region.code}", [outlet(region, "retention_plan")]
        task("plan", "retention plan", of, DATE, pool=reader(region), minutes=60, outlets=done)
    return plan


for _region in served():
    globals()[f"retention_plan_{_region.code}"] = retention_plan(_region)
