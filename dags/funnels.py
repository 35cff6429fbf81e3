"""The checkout funnel of a published day, drawn into the log of the run, whole and by channel."""

from airflow.sdk import DAG, PartitionedAssetTimetable
from meridian_tasks import DATE, dag, outlet, reader, served, task, warehouse

from regions.region import Region


def funnels(region: Region) -> DAG:
    """The build has made the funnel's marts and reconciled them with the sessions."""
    schedule = PartitionedAssetTimetable(assets=warehouse(region))
    with dag("funnels", __doc__, region, schedule=schedule, hours=1) as funnel:
        of, done = f"--region={region.code}", [outlet(region, "funnel")]
        whole = task("funnel", "funnel --allow-empty", of, DATE, pool=reader(region), minutes=15)
        by = task(
            "by_channel", "funnel --allow-empty --by=channel", of, DATE, pool=reader(region), minutes=15, outlets=done
        )
        whole >> by
    return funnel


for _region in served():
    globals()[f"funnels_{_region.code}"] = funnels(_region)
