"""A region's day: wait for the lake, land the settlement report, build, reconcile, publish, post."""

from airflow.sdk import DAG
from meridian_tasks import DATE, dag, morning, reader, served, task, warehouse, writer

from regions.region import Region

REFRESH = "{{ '--refresh' if dag_run.conf.get('refresh') else '' }}"


def region_day(region: Region) -> DAG:
    """From the lake to the published warehouse; what reads the warehouse starts when this has published it."""
    with dag("region_day", __doc__, region, schedule=morning(region, "30 4 * * *"), hours=6) as day:
        of = f"--region={region.code}"
        lake = task("lake_wait", "lake wait --timeout=1800", of, DATE, pool=reader(region), minutes=35)
        settlement = task("settlement_fetch", "recon fetch", of, DATE, pool=reader(region), minutes=30)
        build = task("warehouse_build", "warehouse build", of, DATE, REFRESH, pool=writer(region), minutes=120)
        recon = task("recon_run", "recon run --no-post", of, DATE, pool=writer(region), minutes=120)
        publish = task(
            "warehouse_publish", "warehouse publish", of, pool=writer(region), minutes=10, outlets=[warehouse(region)]
        )
        post = task("recon_post", "recon post", of, pool=reader(region), minutes=60)
        [lake, settlement] >> build >> recon >> publish >> post
    return day


for _region in served():
    globals()[f"region_day_{_region.code}"] = region_day(_region)
