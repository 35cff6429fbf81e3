"""Fraud features of a published day: every value that checkout was served, computed again from the lake."""

from airflow.sdk import DAG, PartitionedAssetTimetable
from meridian_tasks import DATE, dag, outlet, reader, served, task, warehouse

from regions.region import Region


def fraud_features(region: Region) -> DAG:
    """The build has made the features; a single value that differs from what was served fails this."""
    schedule = PartitionedAssetTimetable(assets=warehouse(region))
    with dag("fraud_features", __doc__, region, schedule=schedule, hours=3) as features:
        of, done = f"--region={region.code}", [outlet(region, "features")]
        task("parity", "fraud parity --allow-empty", of, DATE, pool=reader(region), minutes=60, outlets=done)
    return features


for _region in served():
    globals()[f"fraud_features_{_region.code}"] = fraud_features(_region)
