"""The ECB's reference rates of the day, checked at the door, into a region's lake."""

from airflow.sdk import DAG, CronPartitionTimetable
from meridian_tasks import DATE, dag, outlet, reader, served, task

from regions.region import Region

# Rates are published about 16:00 in Frankfurt on business days; a holiday has no file, which is no failure.
PUBLISHED = CronPartitionTimetable("30 16 * * 1-5", timezone="Europe/Berlin", key_format="%Y-%m-%d")


def fx_rates(region: Region) -> DAG:
    """Each region keeps its own copy: nothing is read across regions."""
    with dag("fx_rates", __doc__, region, schedule=PUBLISHED, hours=2) as rates:
        of, done = f"--region={region.code}", [outlet(region, "fx_rates")]
        task("fx_load", "fx load", of, DATE, pool=reader(region), minutes=30, outlets=done)
    return rates


for _region in served():
    globals()[f"fx_rates_{_region.code}"] = fx_rates(_region)
