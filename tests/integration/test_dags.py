"""The DAGs as Airflow reads them, without a database: wiring only, and each of them whole."""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import make_app
from pipelines.orchestration.pools import pools
from regions.region import load_catalog
from tests.support.airflow import LINES_MAX, typed
from tests.support.local_stack import REPOSITORY

pytestmark = pytest.mark.airflow

DAGS = REPOSITORY / "dags"
SHARED = "meridian_tasks"
REGIONAL = {
    "region_day": ["lake_wait", "recon_post", "recon_run", "settlement_fetch", "warehouse_build", "warehouse_publish"],
    "ingest_health": ["lake_check"],
    "fx_rates": ["fx_load"],
    "fraud_features": ["parity"],
    "funnels": ["by_channel", "funnel"],
    "retention_plan": ["plan"],
    "retention_run": ["certificate", "run"],
    "lake_maintenance": ["maintain"],
}
GLOBAL = {"residency_check": ["residency_check"], "global_warehouse": ["global_build", "residency_check"]}
READ = """
import json, sys
from datetime import datetime
from zoneinfo import ZoneInfo
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import CronPartitionTimetable
from airflow.sdk.definitions.timetables.assets import AssetTriggeredTimetable
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import instance

def day_of_run(timetable):
    # the partition key of the run that starts on the morning of 17 March, a Tuesday
    if not isinstance(timetable, CronPartitionTimetable):
        return None
    core = coerce_to_core_timetable(timetable)
    hour, minute = reversed([int(part) for part in timetable.expression.split()[:2]])
    at = instance(datetime(2026, 3, 17, hour, minute, tzinfo=ZoneInfo(str(core._timezone))))
    return core._get_partition_info(run_date=at)[1]

def waits_for(timetable):
    if not isinstance(timetable, AssetTriggeredTimetable):
        return []
    return sorted(asset.uri for _, asset in coerce_to_core_timetable(timetable).asset_condition.iter_assets())

def told(task):
    return [call.__name__ for call in task.on_failure_callback]

bag = BundleDagBag(dag_folder=sys.argv[1], bundle_path=sys.argv[1], bundle_name="dags-folder")
print("RESULT" + json.dumps({
    "errors": bag.import_errors,
    "dags": {dag.dag_id: {
        "timezone": str(getattr(coerce_to_core_timetable(dag.timetable), "_timezone", "")),
        "waits_for": waits_for(dag.timetable),
        "schedule": type(dag.timetable).__name__,
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "timeout_s": dag.dagrun_timeout.total_seconds(),
        "docs": dag.doc_md,
        "tags": sorted(dag.tags),
        "day_of_run": day_of_run(dag.timetable),
        "bytes": len(json.dumps(DagSerialization.serialize_dag(dag))),
        "tasks": {task.task_id: {
            "kind": type(task).__name__, "arguments": task.arguments, "after": sorted(task.upstream_task_ids),
            "pool": task.pool, "retries": task.retries, "timeout_s": task.execution_timeout.total_seconds(),
            "told": told(task), "outlets": [asset.uri for asset in task.outlets], "owner": task.owner,
        } for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""


def read(home: Path) -> dict[str, Any]:
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/never-made.db",
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-c", READ, str(DAGS)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=home, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (home / "never-made.db").exists(), "reading the DAGs needs no database"
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return found


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read(tmp_path_factory.mktemp("airflow"))


def tasks(bag: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(name, step, task) for name, dag in bag["dags"].items() for step, task in dag["tasks"].items()]


def test_every_region_has_every_dag_and_nothing_fails_to_import(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    wanted = {f"{name}_{code}": steps for name, steps in REGIONAL.items() for code in load_catalog()} | GLOBAL
    assert {name: sorted(dag["tasks"]) for name, dag in bag["dags"].items()} == wanted


def test_every_dag_says_what_it_is_for_and_runs_alone(bag: dict[str, Any]) -> None:
    for name, dag in bag["dags"].items():
        section = name if name in GLOBAL else name.rpartition("_")[0]
        assert dag["docs"].endswith(f"When it fails: docs/runbooks/airflow.md, section `{section}`."), name
        assert f"\n## {section}\n" in (REPOSITORY / "docs/runbooks/airflow.md").read_text(), section
        assert {"meridian", section} < set(dag["tags"]), name
        assert dag["max_active_runs"] == 1, name
        assert not dag["catchup"], name
        assert dag["schedule"] in {"CronPartitionTimetable", "CronTriggerTimetable", "PartitionedAssetTimetable"}, name
        assert dag["bytes"], name


def test_every_task_has_a_pool_that_is_made_a_timeout_retries_and_tells_somebody(bag: dict[str, Any]) -> None:
    made = pools(load_catalog().values())
    for name, step, task in tasks(bag):
        where = f"{name}.{step}"
        assert task["pool"] in made, where
        assert 0 < task["timeout_s"] <= bag["dags"][name]["timeout_s"], where
        assert task["retries"] >= 1, where
        assert task["told"] == ["tell"], where
        assert task["owner"] == "meridian", where


def test_a_warehouse_has_one_writer_at_a_time(bag: dict[str, Any]) -> None:
    made = pools(load_catalog().values())
    for name, step, task in tasks(bag):
        writes = step in {"warehouse_build", "recon_run", "warehouse_publish", "run"}
        assert (task["pool"] == f"warehouse_{name.rpartition('_')[2]}") == writes, f"{name}.{step}"
    assert {made[f"warehouse_{code}"]["slots"] for code in load_catalog()} == {1}


def test_the_steps_of_a_day_run_in_order(bag: dict[str, Any]) -> None:
    for code in load_catalog():
        after = {name: task["after"] for name, task in bag["dags"][f"region_day_{code}"]["tasks"].items()}
        assert after == {
            "lake_wait": [],
            "settlement_fetch": [],
            "warehouse_build": ["lake_wait", "settlement_fetch"],
            "recon_run": ["warehouse_build"],
            "warehouse_publish": ["recon_run"],
            "recon_post": ["warehouse_publish"],
        }
        assert bag["dags"][f"retention_run_{code}"]["tasks"]["certificate"]["after"] == ["run"]
    assert bag["dags"]["global_warehouse"]["tasks"]["global_build"]["after"] == ["residency_check"]


def test_a_day_is_the_regions_day(bag: dict[str, Any]) -> None:
    for code, region in load_catalog().items():
        for name in ("region_day", "retention_plan"):
            assert bag["dags"][f"{name}_{code}"]["timezone"] == region.timezone
            assert bag["dags"][f"{name}_{code}"]["day_of_run"] == "2026-03-16", "the day that has just ended"
        assert bag["dags"][f"fx_rates_{code}"]["timezone"] == "Europe/Berlin"
        assert bag["dags"][f"fx_rates_{code}"]["day_of_run"] == "2026-03-17", "the day itself, at its publication"


def test_assets_join_the_dags(bag: dict[str, Any]) -> None:
    """What a DAG waits for is what the publication of a region's warehouse brings up to date, and nothing else."""
    for code in load_catalog():
        published = [f"meridian://{code}/warehouse"]
        assert bag["dags"][f"region_day_{code}"]["tasks"]["warehouse_publish"]["outlets"] == published
        for name in ("fraud_features", "funnels"):
            assert bag["dags"][f"{name}_{code}"]["waits_for"] == published
    everywhere = sorted(f"meridian://{code}/warehouse" for code in load_catalog())
    assert bag["dags"]["global_warehouse"]["waits_for"] == everywhere
    made = [outlet for *_, task in tasks(bag) for outlet in task["outlets"]]
    assert len(made) == len(set(made)), "an asset has one maker"
    assert {asset for dag in bag["dags"].values() for asset in dag["waits_for"]} <= set(made)


def test_a_task_is_one_meridian_command_for_its_own_region(bag: dict[str, Any]) -> None:
    """Each exists with its options; a run's conf is one argument's value at most, and an option whatever it holds."""
    app = make_app()
    for name, step, task in tasks(bag):
        where, code = f"{name}.{step}", name.rpartition("_")[2]
        assert task["kind"] == "Meridian", where
        assert typed(app, task["arguments"]), where
        regional = [argument for argument in task["arguments"] if argument.startswith("--region")]
        assert regional == ([] if name in GLOBAL else [f"--region={code}"]), where
        for argument in task["arguments"]:
            assert "{{" not in argument or argument.startswith("--date={{ ") or "'--refresh' if" in argument, where


def test_a_dag_file_fits_on_a_screen_and_holds_no_logic() -> None:
    files = sorted(DAGS.glob("*.py"))
    assert (DAGS / ".airflowignore").read_text().split() == [f"{SHARED}.py"]
    assert not (DAGS / "__init__.py").exists()
    for path in files:
        assert find_spec(path.stem) is None, f"{path} would hide a package"
        if path.stem == SHARED:
            continue
        text, tree = path.read_text(), ast.parse(path.read_text())
        assert len(text.splitlines()) <= LINES_MAX, path
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert modules <= {"airflow.sdk", SHARED, "regions.region"}, path
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.Try | ast.While | ast.Import)], (
            path
        )
        assert all(word in text.lower() for word in ("airflow", "dag")), f"{path}: Airflow would not open it"
