"""The plan that a person has approved in Meridian is run and certified; without one there is nothing to do."""

from airflow.sdk import DAG
from meridian_tasks import clock, dag, outlet, reader, served, task, writer

from regions.region import Region


def retention_run(region: Region) -> DAG:
    """Every hour; the approval is a record in Meridian, bound to the plan's hash. It rebuilds the warehouse."""
    schedule = clock("15 * * * *", region.timezone)
    with dag("retention_run", __doc__, region, schedule=schedule, hours=6) as erasure:
        of, done = f"--region={region.code}", [outlet(region, "certificates")]
        run = task("run", "retention run --approved", of, pool=writer(region), minutes=240)
        proof = task(
            "certificate", "retention certificate --outstanding", of, pool=reader(region), minutes=60, outlets=done
        )
        run >> proof
    return erasure


for _region in served():
    globals()[f"retention_run_{_region.code}"] = retention_run(_region)
