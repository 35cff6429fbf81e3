"""One DAG per region: its day, from the lake to the published warehouse. Wiring only; `meridian` holds the logic.

The date is the partition key (the business date that has just ended), or `{"date": "YYYY-MM-DD"}` in the run's conf.
"""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronPartitionTimetable

from regions.region import Region, load_catalog

# Templated into the environment, never into a command line.
ENVIRONMENT = {
    "DAY": "{{ dag_run.conf.get('date') or dag_run.partition_key or '' }}",
    "REFRESH": "{{ '--refresh' if dag_run.conf.get('refresh') else '' }}",
}


def region_day(region: Region) -> DAG:
    """Wait for the lake, land the settlement report, build, reconcile, publish. Each step may be run again."""
    with DAG(
        f"region_day_{region.code}",
        description=f"The day of {region.name}: lake, settlement, build, reconciliation, publication",
        schedule=CronPartitionTimetable("30 4 * * *", timezone=region.timezone, run_offset=-1, key_format="%Y-%m-%d"),
        catchup=False,
        max_active_runs=1,  # for politeness; the job's own lock is what guards the warehouse
        default_args={"retries": 2, "retry_delay": timedelta(minutes=2), "execution_timeout": timedelta(hours=2)},
        tags=["meridian", region.code],
    ) as dag:

        def step(name: str, command: str) -> BashOperator:
            command = f"meridian {command} --region {region.code}"
            return BashOperator(task_id=name, bash_command=command, env=ENVIRONMENT, append_env=True)

        lake = step("lake_wait", 'lake wait --date "$DAY" --timeout 1800')
        settlement = step("settlement_fetch", 'recon fetch --date "$DAY"')
        rates = step("fx_load", 'fx load --date "$DAY"')
        build = step("warehouse_build", 'warehouse build --date "$DAY" $REFRESH')
        recon = step("recon_run", 'recon run --date "$DAY"')
        publish = step("warehouse_publish", "warehouse publish")
        [lake, settlement, rates] >> build >> recon >> publish
    return dag


for _region in load_catalog().values():
    globals()[f"region_day_{_region.code}"] = region_day(_region)
