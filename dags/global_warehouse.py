"""What may leave each region, united, once every region has published its warehouse for the date."""

from airflow.sdk import Asset, AssetAll, PartitionedAssetTimetable
from meridian_tasks import DATE, GLOBAL, dag, served, task, warehouse

READY = PartitionedAssetTimetable(assets=AssetAll(*map(warehouse, served())))
DONE = [Asset("global_warehouse", "meridian://global/warehouse")]

with dag("global_warehouse", __doc__, schedule=READY, hours=3):
    proof = task("residency_check", "residency check", pool=GLOBAL, minutes=30)
    build = task("global_build", "global build", DATE, pool=GLOBAL, minutes=120, outlets=DONE)
    proof >> build
