"""Proof by column lineage that nothing leaves a region but what may: for all regions at once. Airflow only asks."""

from meridian_tasks import GLOBAL, clock, dag, task

with dag("residency_check", __doc__, schedule=clock("0 2 * * *", "UTC"), hours=1):
    task("residency_check", "residency check", pool=GLOBAL, minutes=30)
